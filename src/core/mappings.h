/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mappings.h - what conversions, holes and repairs do to the mappings of host and guest
 *
 *	gms_mappings_isolate()		no host mapping and no pin is left on the ranges
 *	gms_mappings_invalidate_begin()	the guest's mappings of the ranges are zapped
 *	... the state changes ...
 *	gms_mappings_invalidate_end()	the guest may map the ranges again
 *	gms_mappings_restore_host()	the host has again what is still shared of the ranges
 *
 * The backend's hooks do the work. A backend with map_host keeps the host's view itself: it is
 * called for each range exactly. Any other backend is called for the exposed folios that the
 * ranges touch, because the host may have a huge mapping of these.
 */
#ifndef GMS_CORE_MAPPINGS_H
#define GMS_CORE_MAPPINGS_H

#include "ranges.h"

/*
 * Unmaps the ranges from the host, and looks for pins that keep them from going private or from
 * being freed. Looks for the pins that the library counts before it unmaps anything; what lies
 * behind such a pin stays mapped.
 *
 * Returns 0, the backend's error, or -EAGAIN. On -EAGAIN, *pinned is the first pinned page in the
 * ranges, or the start where only another page of a folio is pinned; *stop is the first page of
 * the ranges that has to stay as it is. On failure the caller calls gms_mappings_restore_host().
 */
int gms_mappings_isolate(struct gms_state *s, struct gms_ranges *ranges, gms_pgoff_t *pinned,
			 gms_pgoff_t *stop) GMS_REQUIRES(gms_invalidate_lock);

/*
 * Unmaps the ranges from the host for an undo, which allocates nothing. Returns false if the
 * backend fails, or if a page of the ranges is pinned.
 */
bool gms_mappings_isolate_undo(struct gms_state *s, struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

/* Maps for the host what was unmapped of the ranges and is shared. 0, or the backend's error. */
int gms_mappings_restore_host(struct gms_state *s, const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

/* Which pages gms_mappings_invalidate_begin() zaps. */
#define GMS_ZAP_SHARED (1U << GMS_SHARED)
#define GMS_ZAP_PRIVATE (1U << GMS_PRIVATE)
#define GMS_ZAP_BOTH (GMS_ZAP_SHARED | GMS_ZAP_PRIVATE)

void gms_mappings_invalidate_begin(struct gms_state *s, const struct gms_ranges *ranges,
				   unsigned int zap) GMS_REQUIRES(gms_invalidate_lock);
void gms_mappings_invalidate_end(struct gms_state *s, const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

/* Unmaps a range from host and guest. It is about to be quarantined, so errors are ignored. */
void gms_mappings_drop(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock);

#endif /* GMS_CORE_MAPPINGS_H */
