/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * populate.h - allocating folios, at a fault or ahead of it
 */
#ifndef GMS_ENGINE_POPULATE_H
#define GMS_ENGINE_POPULATE_H

#include "core/restructure.h"

/*
 * Allocates the folio at an index unless it is allocated, and splits it as the policy decides.
 * *fresh: this call allocated it. Returns 0 or an error.
 */
int gms_populate(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor, bool *fresh)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/*
 * Allocates the folios of a range in one 1G block. Returns 0 or an error; then *at is the page at
 * which it failed.
 */
int gms_populate_range(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

#endif /* GMS_ENGINE_POPULATE_H */
