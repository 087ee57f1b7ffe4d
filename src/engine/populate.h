/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * populate.h - allocating folios, at a fault or ahead of it
 */
#ifndef GMS_ENGINE_POPULATE_H
#define GMS_ENGINE_POPULATE_H

#include "core/restructure.h"

/*
 * Allocates the folio at an index, and splits it as the policy decides. Does nothing if the folio
 * is allocated. *fresh: this call allocated it. Returns 0; -EPERM: frozen; or another error.
 */
int gms_populate(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor, bool *fresh)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/*
 * Allocates the folios of a range in one 1G block, and splits them as the policy decides. The
 * caller has entered an object that is not frozen. Returns 0 or an error; then *at is the page at
 * which it failed.
 */
int gms_populate_range(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

#endif /* GMS_ENGINE_POPULATE_H */
