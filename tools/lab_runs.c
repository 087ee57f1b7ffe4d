// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_runs.c - replays one log under several policies: see lab_runs.h
 */
#include "lab_runs.h"

/* The ops that show what the host touches, and what the guest touches. */
#define RUNS_HOST (1U << EVENT_HOST_READ | 1U << EVENT_HOST_WRITE)
#define RUNS_GUEST (1U << EVENT_ACCEPT | 1U << EVENT_GUEST_TOUCH)

/* Returns true if a log has an event of one of these ops (bits 1U << enum event_op). */
static bool runs_log_has(const struct log *log, unsigned int ops)
{
	for (size_t i = 0; i < log->nr_events; i++) {
		if (ops >> log->events[i].op & 1)
			return true;
	}
	return false;
}

static int runs_add(struct lab_runs *runs, const struct lab_plan *plan, enum policies_id policy,
		    bool by_folio, bool host_all)
{
	struct lab_run *run = &runs->run[runs->nr++];

	run->policy = policy;
	run->opts = plan->opts;
	run->opts.policy = policies_ops(policy);
	run->opts.pins_by_folio = by_folio;
	run->opts.host_all = host_all;
	run->opts.guest_all =
		plan->touched == LAB_TOUCHED_ALL || !runs_log_has(runs->log, RUNS_GUEST);
	return lab_run(&run->result, runs->log, &run->opts);
}

int lab_runs_make(struct lab_runs *runs, const struct log *log, const struct lab_plan *plan)
{
	const bool all = plan->touched == LAB_TOUCHED_ALL;
	int ret = 0;

	runs->log = log;
	runs->nr = 0;
	runs->host_unknown = plan->touched == LAB_TOUCHED_AUTO && !runs_log_has(log, RUNS_HOST);
	for (int host_all = all; host_all <= (all || runs->host_unknown); host_all++) {
		for (enum lab_pins_by by = LAB_PINS_FOLIO; by <= LAB_PINS_PAGE; by++) {
			if (plan->pins != LAB_PINS_BOTH && plan->pins != by)
				continue;
			for (enum policies_id id = 0; !ret && id < POLICIES_NR; id++) {
				if (plan->policies >> id & 1)
					ret = runs_add(runs, plan, id, by == LAB_PINS_FOLIO,
						       host_all);
			}
		}
	}
	return ret;
}

void lab_runs_fini(struct lab_runs *runs)
{
	for (unsigned int i = 0; i < runs->nr; i++)
		lab_result_fini(&runs->run[i].result);
}

const struct lab_run *lab_runs_find(const struct lab_runs *runs, enum policies_id policy,
				    bool by_folio, bool host_all)
{
	for (unsigned int i = 0; i < runs->nr; i++) {
		const struct lab_run *run = &runs->run[i];

		if (run->policy == policy && run->opts.pins_by_folio == by_folio &&
		    run->opts.host_all == host_all)
			return run;
	}
	return NULL;
}
