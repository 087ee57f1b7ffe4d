// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policies.c - the policies that the tool compares: see policies.h
 */
#include "policies.h"

const struct policies_words policies_words[POLICIES_NR] = {
	[POLICIES_EAGER_RFC] = {"eager-rfc", "eager-rfc", "at once", "all shared", "1G>4K",
				"to the backing"},
	[POLICIES_EAGER] = {"eager", "eager", "at once", "all shared", "1G>2M>4K", "at once"},
	[POLICIES_EAGER_NONUNIFORM] = {"eager-nonuniform", "nonuniform", "at once", "only mixed",
				       "1G>2M>4K", "at once"},
	[POLICIES_LAZY_4K] = {"lazy-4k", "lazy-4k", "touch", "all shared", "1G>4K", "never"},
	[POLICIES_LAZY] = {"lazy", "lazy", "touch", "only mixed", "1G>2M>4K", "never"},
	[POLICIES_ADAPTIVE] = {"adaptive", "adaptive", "touch", "only mixed", "1G>2M>4K",
			       "by rent"},
};

const struct gms_policy_ops *policies_ops(enum policies_id id)
{
	return gms_policy_by_name(policies_words[id].name);
}
