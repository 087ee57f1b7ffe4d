/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fault.h - what the library keeps in a fault, between gms_fault_begin() and gms_fault_end()
 */
#ifndef GMS_ENGINE_FAULT_H
#define GMS_ENGINE_FAULT_H

#include "core/core.h"

struct gms_may_alias fault_priv {
	gms_pgoff_t index;
	uint32_t accessor;
};

_Static_assert(sizeof(struct fault_priv) <= sizeof(((struct gms_fault *)0)->priv),
	       "struct fault_priv fits into a fault");

static inline struct fault_priv *fault_priv(struct gms_fault *fault)
{
	return (struct fault_priv *)(void *)fault->priv;
}

#endif /* GMS_ENGINE_FAULT_H */
