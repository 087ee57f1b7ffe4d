/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mappings.h - what conversions, holes and repairs do to the mappings of host and guest
 *
 *	gms_mappings_isolate()		makes sure that the ranges have no host mapping and no pin
 *	gms_mappings_invalidate_begin()	zaps the guest's mappings of the ranges
 *	... the state changes ...
 *	gms_mappings_invalidate_end()	lets the guest map the ranges again
 *	gms_mappings_restore_host()	maps for the host what is still shared of the ranges
 *
 * The hooks of the backend do the work. A backend with map_host keeps the host's view page by
 * page: its unmap_host is called for exactly the ranges. For any other backend a range is first
 * widened to the exposed folios at its ends, because the host may have a huge mapping of these.
 */
#ifndef GMS_CORE_MAPPINGS_H
#define GMS_CORE_MAPPINGS_H

#include "ranges.h"

/*
 * Unmaps the ranges from the host, and looks for pins that keep them from going private or from
 * being freed.
 *
 * For a backend whose pins are on pages, looks first for the pins that the library counts, and
 * unmaps nothing behind the first of them. For a backend whose pins are on folios
 * (GMS_BACKEND_PINS_BY_FOLIO), unmaps all ranges first.
 *
 * Returns 0, the backend's error, or -EAGAIN. On -EAGAIN *pinned is the first pinned page in the
 * ranges; if only pages outside of the ranges are pinned, it is ranges->start. *stop is the first
 * page of the ranges that has to stay as it is. On failure the caller has to call
 * gms_mappings_restore_host(), unless the ranges stay quarantined.
 */
int gms_mappings_isolate(struct gms_state *s, struct gms_ranges *ranges, gms_pgoff_t *pinned,
			 gms_pgoff_t *stop) GMS_REQUIRES(gms_invalidate_lock);

/*
 * Unmaps the ranges from the host for an undo, which allocates nothing. Returns false if the
 * backend fails, or if a page of the ranges is pinned.
 */
bool gms_mappings_isolate_undo(struct gms_state *s, struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

/*
 * Maps for the host those pages of the ranges that were unmapped, are shared, and are not
 * quarantined. Does nothing for a backend without map_host. Returns 0, or the backend's error.
 */
int gms_mappings_restore_host(struct gms_state *s, const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

/* Which pages gms_mappings_invalidate_begin() zaps, by their state before the change. */
#define GMS_ZAP_SHARED (1U << GMS_SHARED)
#define GMS_ZAP_PRIVATE (1U << GMS_PRIVATE)
#define GMS_ZAP_BOTH (GMS_ZAP_SHARED | GMS_ZAP_PRIVATE)

/* Calls invalidate_begin for all ranges, and then zap_guest. @zap: any of GMS_ZAP_... */
void gms_mappings_invalidate_begin(struct gms_state *s, const struct gms_ranges *ranges,
				   unsigned int zap) GMS_REQUIRES(gms_invalidate_lock);
void gms_mappings_invalidate_end(struct gms_state *s, const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

/* Unmaps a range that is being quarantined from host and guest. Ignores errors. */
void gms_mappings_drop(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock);

#endif /* GMS_CORE_MAPPINGS_H */
