// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantine.c - quarantining pages: see quarantine.h
 */
#include "quarantine.h"

#include "mappings.h"
#include "trace.h"

static struct gms_rtree_spare *quarantine_spare(struct gms_state *s, gms_pgoff_t start)
{
	return &s->shard[gms_shard_of(start)].spare;
}

gms_pgoff_t gms_quarantine_first_slow(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	return gms_ranges_first_in_tree(s->quarantine, start, end);
}

int gms_quarantine_prepare(struct gms_state *s, struct gms_quarantine *q, gms_pgoff_t start,
			   gms_pgoff_t end)
{
	q->start = start;
	q->end = end;
	return gms_rtree_spare_fill(s->quarantine, start, end - start, quarantine_spare(s, start));
}

void gms_quarantine_commit_locked(struct gms_state *s, const struct gms_quarantine *q)
{
	const uint64_t nr_pages = q->end - q->start;

	gms_mappings_drop(s, q->start, q->end);
	gms_add_relaxed(&s->quarantined,
			nr_pages - gms_rtree_count(s->quarantine, q->start, nr_pages));
	gms_rtree_spare_spend(s->quarantine, q->start, nr_pages, quarantine_spare(s, q->start));
	gms_rtree_commit(s->quarantine, q->start, nr_pages, true, NULL);
	gms_trace_quarantine(&s->folios, q->start, nr_pages);
}

void gms_quarantine_commit(struct gms_state *s, const struct gms_quarantine *q)
{
	const gms_shards shards = gms_shards_of(q->start, q->end);

	gms_shards_lock_exclusive(s, shards);
	gms_quarantine_commit_locked(s, q);
	gms_shards_unlock_exclusive(s, shards);
}

void gms_quarantine_fini(struct gms_state *s)
{
	for (unsigned int i = 0; i < GMS_NR_SHARDS; i++)
		gms_rtree_spare_free(s->quarantine, &s->shard[i].spare);
}
