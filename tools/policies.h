/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policies.h - the policies that the tool compares, in words
 *
 * Four questions tell them apart: when a folio is split, what becomes 4K, in which steps a 1G gets
 * there, and when folios are merged. study.c compares policies that differ in one answer. For that
 * the tool has a policy of its own: eager-unmerged is eager-nonuniform that never merges.
 */
#ifndef GMS_TOOL_POLICIES_H
#define GMS_TOOL_POLICIES_H

#include <gmemstate/policy.h>

enum policies_id {
	POLICIES_EAGER_RFC,
	POLICIES_EAGER,
	POLICIES_EAGER_NONUNIFORM,
	POLICIES_EAGER_UNMERGED,
	POLICIES_LAZY_4K,
	POLICIES_LAZY,
	POLICIES_ADAPTIVE,
	POLICIES_NR
};

/**
 * struct policies_words - a policy in words
 * @name: the name
 * @brief: a short name, for the head of a column
 * @when: when a folio is split
 * @what: what becomes 4K
 * @steps: the steps from 1G to 4K
 * @merges: when folios are merged
 */
struct policies_words {
	const char *name;
	const char *brief;
	const char *when;
	const char *what;
	const char *steps;
	const char *merges;
};

/* By enum policies_id. */
extern const struct policies_words policies_words[POLICIES_NR];

/** policies_ops() - return a policy, of the library or of the tool */
const struct gms_policy_ops *policies_ops(enum policies_id id);

#endif /* GMS_TOOL_POLICIES_H */
