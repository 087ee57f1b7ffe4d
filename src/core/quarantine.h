/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * quarantine.h - putting pages into quarantine whose state is unknown
 *
 * A range is quarantined where an undo failed. An undo allocates nothing, so the memory is
 * prepared before the call changes anything. Because a quarantine is rare, that memory is kept
 * for the next call: two spare leaf pages a shard.
 *
 * The trees keep the last state of quarantined pages. Faults and conversions there are refused,
 * and no listener holds them. gms_repair() ends a quarantine.
 */
#ifndef GMS_CORE_QUARANTINE_H
#define GMS_CORE_QUARANTINE_H

#include "entry.h"

struct gms_quarantine {
	gms_pgoff_t start, end;
};

gms_pgoff_t gms_quarantine_first_slow(const struct gms_state *s, gms_pgoff_t start,
				      gms_pgoff_t end);

/* Returns the first quarantined page in [start, end); @end if there is none. */
static inline gms_pgoff_t gms_quarantine_first(const struct gms_state *s, gms_pgoff_t start,
					       gms_pgoff_t end)
{
	if (gms_likely(!gms_load_relaxed(&s->quarantined)))
		return end;
	return gms_quarantine_first_slow(s, start, end);
}

/* Prepares to quarantine [start, end), with the spare of its first shard. Returns 0 or -ENOMEM. */
int gms_quarantine_prepare(struct gms_state *s, struct gms_quarantine *q, gms_pgoff_t start,
			   gms_pgoff_t end) GMS_REQUIRES(gms_convert_lock);
/* Unmaps the prepared range from host and guest, and quarantines it. Cannot fail. */
void gms_quarantine_commit_locked(struct gms_state *s, const struct gms_quarantine *q)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock);
/* Does the same for a caller that does not hold the invalidate locks. */
void gms_quarantine_commit(struct gms_state *s, const struct gms_quarantine *q)
	GMS_REQUIRES(gms_convert_lock);

/* Frees the spares of all shards, before the tree of quarantined pages is destroyed. */
void gms_quarantine_fini(struct gms_state *s);

#endif /* GMS_CORE_QUARANTINE_H */
