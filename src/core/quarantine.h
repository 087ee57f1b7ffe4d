/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * quarantine.h - quarantining pages whose real state is unknown
 *
 * A range is quarantined if an undo fails. An undo allocates nothing, so a call that may have to
 * quarantine a range prepares for it before it changes anything. As a quarantine is rare, the
 * memory is not spent on each such call: a shard has two spare leaf pages (tree/tree.h), which
 * stay for the next call. The call holds the convert lock of the shard from
 * gms_quarantine_prepare() on until it either has committed the quarantine or needs none.
 *
 * The tree of private pages keeps the last state of quarantined pages. Faults, pins and
 * conversions of these are refused, and no listener holds them, unless it is stuck
 * (listener/listener.h). gms_repair() ends a quarantine.
 */
#ifndef GMS_CORE_QUARANTINE_H
#define GMS_CORE_QUARANTINE_H

#include "entry.h"

/* A range that can be quarantined without allocating. */
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
/* Unmaps a prepared range from host and guest, and quarantines it. Cannot fail. */
void gms_quarantine_commit_locked(struct gms_state *s, const struct gms_quarantine *q)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock);
/* Calls gms_quarantine_commit_locked() under the invalidate locks of the range. */
void gms_quarantine_commit(struct gms_state *s, const struct gms_quarantine *q)
	GMS_REQUIRES(gms_convert_lock);

/* Frees the spares of all shards, before the tree of quarantined pages is destroyed. */
void gms_quarantine_fini(struct gms_state *s);

#endif /* GMS_CORE_QUARANTINE_H */
