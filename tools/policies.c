// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policies.c - the policies that the tool compares: see policies.h
 */
#include "policies.h"

#include <stddef.h>

const struct policies_words policies_words[POLICIES_NR] = {
	[POLICIES_EAGER_RFC] = {"eager-rfc", "eager-rfc", "at once", "all shared", "1G>4K",
				"to the backing"},
	[POLICIES_EAGER] = {"eager", "eager", "at once", "all shared", "1G>2M>4K", "at once"},
	[POLICIES_EAGER_NONUNIFORM] = {"eager-nonuniform", "nonunif.", "at once", "only mixed",
				       "1G>2M>4K", "at once"},
	[POLICIES_EAGER_UNMERGED] = {"eager-unmerged", "unmerged", "at once", "only mixed",
				     "1G>2M>4K", "never"},
	[POLICIES_LAZY_4K] = {"lazy-4k", "lazy-4k", "touch", "all shared", "1G>4K", "never"},
	[POLICIES_LAZY] = {"lazy", "lazy", "touch", "only mixed", "1G>2M>4K", "never"},
	[POLICIES_ADAPTIVE] = {"adaptive", "adaptive", "touch", "only mixed", "1G>2M>4K",
			       "by rent"},
};

static void policies_decide_unmerged(void *ctx, const struct gms_policy_view *view,
				     struct gms_policy_verdict *verdict)
{
	gms_policy_eager_nonuniform()->decide(ctx, view, verdict);
	if (verdict->order > view->folio_order)
		verdict->order = view->folio_order;
}

const struct gms_policy_ops *policies_ops(enum policies_id id)
{
	static struct gms_policy_ops unmerged = GMS_POLICY_OPS_INIT;

	if (id == POLICIES_EAGER_UNMERGED) {
		unmerged.name = policies_words[id].name;
		unmerged.decide = policies_decide_unmerged;
		unmerged.events = gms_policy_eager_nonuniform()->events;
		return &unmerged;
	}
	return gms_policy_by_name(policies_words[id].name);
}
