// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * stats.c - reading the counters
 */
#include "core/rent.h"
#include "listener/listener.h"
#include "state_trees.h"

/* Fills in nodes, bytes_in_use and bytes_pooled, from all trees, records and tables. */
static void stats_measure(const struct gms_state *s, struct gms_stats *stats)
{
	const struct gms_rtree *tree;
	uint64_t in_use, pooled;

	gms_blocks_bytes(&s->folios.blocks, &in_use, &pooled);
	gms_rents_bytes(s, &in_use, &pooled);
	stats->bytes_in_use =
		sizeof(*s) + in_use + gms_bindings_bytes(&s->bindings) + gms_listeners_bytes(s);
	stats->bytes_pooled = pooled;
	for (unsigned int i = 0; (tree = gms_state_tree(s, i)); i++) {
		size_t used, kept;
		uint64_t mixed;

		gms_rtree_usage(tree, &used, &kept, &mixed);
		stats->bytes_in_use += used;
		stats->bytes_pooled += kept;
		if (tree == s->private)
			stats->nodes = mixed;
	}
}

int gms_stats_read(const struct gms_state *s, struct gms_stats *stats)
{
	const struct gms_counters *c = &s->counters;
	struct gms_stats now = {
		.struct_size = stats->struct_size,
		.refused_inval = gms_counted(c, GMS_REFUSED_INVAL),
		.refused_nomem = gms_counted(c, GMS_REFUSED_NOMEM),
		.refused_access = gms_counted(c, GMS_REFUSED_ACCESS),
		.refused_pinned = gms_counted(c, GMS_REFUSED_PINNED),
		.refused_quarantined = gms_counted(c, GMS_REFUSED_QUARANTINED),
		.refused_deadlock = gms_counted(c, GMS_REFUSED_DEADLOCK),
		.refused_backend = gms_counted(c, GMS_REFUSED_BACKEND),
		.faults_host = gms_counted(c, GMS_FAULTS_HOST),
		.faults_guest = gms_counted(c, GMS_FAULTS_GUEST),
		.folios_allocated = gms_counted(c, GMS_FOLIOS_ALLOCATED),
		.folios_freed = gms_counted(c, GMS_FOLIOS_FREED),
		.blocks_freed = gms_counted(c, GMS_BLOCKS_FREED),
		.prepares = gms_counted(c, GMS_PREPARES),
		.splits_1g = gms_counted(c, GMS_SPLITS_1G),
		.splits_2m = gms_counted(c, GMS_SPLITS_2M),
		.merges_1g = gms_counted(c, GMS_MERGES_1G),
		.merges_2m = gms_counted(c, GMS_MERGES_2M),
		.splits_deferred = gms_counted(c, GMS_SPLITS_DEFERRED),
		.merges_refused = gms_counted(c, GMS_MERGES_REFUSED),
		.undone = gms_counted(c, GMS_UNDONE),
		.quarantined_pages = gms_load_relaxed(&s->quarantined),
		.surplus_unpins = gms_counted(c, GMS_SURPLUS_UNPINS),
		.refused_frozen = gms_counted(c, GMS_REFUSED_FROZEN),
		.refused_exists = gms_counted(c, GMS_REFUSED_EXISTS),
		.listeners = gms_load_relaxed(&s->listeners.nr),
		.bindings = gms_load_relaxed(&s->bindings.copy[0].nr),
	};

	if (now.struct_size < sizeof(now.struct_size))
		return gms_because(-EINVAL, "struct_size is not set");
	for (unsigned int i = 0; i < GMS_NR_SHARDS; i++) {
		now.conversions += gms_load_relaxed(&s->shard[i].conversions);
		now.pages_converted += gms_load_relaxed(&s->shard[i].pages_converted);
		now.noops += gms_load_relaxed(&s->shard[i].noops);
	}
	stats_measure(s, &now);
	gms_memset(stats, 0, now.struct_size);
	gms_memcpy(stats, &now, now.struct_size < sizeof(now) ? now.struct_size : sizeof(now));
	return 0;
}
