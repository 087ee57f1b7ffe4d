/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab_runs.h - replays one log under several policies, and under the conditions that a user wants
 */
#ifndef GMS_TOOL_LAB_RUNS_H
#define GMS_TOOL_LAB_RUNS_H

#include "lab_compare.h"
#include "policies.h"

/* Each policy, with pins by folio and by page, and with a host that touches nothing, or all. */
#define LAB_MAX_RUNS (POLICIES_NR * 4)

enum lab_pins_by { LAB_PINS_BOTH, LAB_PINS_FOLIO, LAB_PINS_PAGE };

/**
 * enum lab_touched - what is touched
 * @LAB_TOUCHED_AUTO: what the log says; if it has no access of the host: both a host that touches
 *                    nothing, and one that touches all that becomes shared
 * @LAB_TOUCHED_ACCESSED: what the log says
 * @LAB_TOUCHED_ALL: the host touches all that becomes shared, and the guest uses all RAM
 *
 * If the log does not show what the guest touches, the guest uses all RAM in any case.
 */
enum lab_touched { LAB_TOUCHED_AUTO, LAB_TOUCHED_ACCESSED, LAB_TOUCHED_ALL };

/**
 * struct lab_plan - which runs to make
 * @policies: a mask of policies, a bit (1U << enum policies_id) for each
 * @pins: how pins count
 * @touched: what is touched
 * @opts: the options that all runs share; the others are set for each run
 */
struct lab_plan {
	unsigned int policies;
	enum lab_pins_by pins;
	enum lab_touched touched;
	struct lab_opts opts;
};

/**
 * struct lab_run - one run
 * @policy: the policy
 * @opts: options of the run
 * @result: its result
 */
struct lab_run {
	enum policies_id policy;
	struct lab_opts opts;
	struct lab_result result;
};

/**
 * struct lab_runs - the runs of a plan, on one log
 * @log: the log
 * @host_unknown: the log has no access of the host, so there are two runs of each: the host
 *                touches nothing, and the host touches all that becomes shared
 * @nr: number of runs
 * @run: the runs. Those of a host that touches nothing come before those of one that touches all;
 *       within these, pins by folio come first; within these are the policies
 */
struct lab_runs {
	const struct log *log;
	bool host_unknown;
	unsigned int nr;
	struct lab_run run[LAB_MAX_RUNS];
};

/**
 * lab_runs_make() - make the runs of a plan
 * @runs: filled in; lab_runs_fini() has to follow, also after a failure
 * @log: the log; must stay while @runs is used
 * @plan: the plan
 *
 * Return: 0, or an error of lab_run(). On -E2BIG the last run says where it stopped.
 */
int lab_runs_make(struct lab_runs *runs, const struct log *log, const struct lab_plan *plan);

/** lab_runs_fini() - free what runs hold */
void lab_runs_fini(struct lab_runs *runs);

/**
 * lab_runs_find() - find a run
 * @runs: the runs
 * @policy: its policy
 * @by_folio: its pins count by folio
 * @host_all: its host touches all that becomes shared
 *
 * Return: the run, or NULL if the plan did not have it.
 */
const struct lab_run *lab_runs_find(const struct lab_runs *runs, enum policies_id policy,
				    bool by_folio, bool host_all);

#endif /* GMS_TOOL_LAB_RUNS_H */
