// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_time.c - time: averages, rent, maintenance: see lab.h
 *
 * gms_maintain() is called every LAB_MAINTAIN_US. After TIME_QUIET_US without an event the steps
 * grow: each is a 16th of the time that the quiet has lasted. So a quiet of a day takes some 400
 * calls, and no merge comes later than that 16th.
 */
#include "lab_priv.h"

#include <string.h>

#define TIME_QUIET_US 30000000

/* Moves the time, in which nothing changes: weighs the mapped pages, and counts the rent. */
static void time_move(struct lab *lab, uint64_t us)
{
	const double passed = (double)(us - lab->now_us);
	struct sim_totals totals;
	double rate[2];

	sim_totals(lab->sim, &totals);
	for (int accessor = 0; accessor < 2; accessor++) {
		for (int level = 0; level < 3; level++)
			lab->weighted[accessor][level] +=
				passed * (double)totals.mapped_pages[accessor][level];
	}
	lab_rent_rate(lab, rate);
	for (int i = 0; i < 2; i++)
		lab->rents[i] += passed / 1e6 * rate[i];
	lab->now_us = us;
	lab_pins_expire(lab);
}

/* Ends the exclusive part in which gms_maintain() merges one 1G block. */
static void time_end_merges(struct lab *lab)
{
	const double stall = lab_exclusive(lab) - lab->merges_began;

	if (lab->merging != LAB_MERGING_NONE && stall > lab->result->stall_maintain)
		lab->result->stall_maintain = stall;
	lab->merging = LAB_MERGING_NONE;
}

void lab_note_merge(struct lab *lab, gms_pgoff_t start)
{
	if (!lab->maintaining || lab->merging == start >> GMS_ORDER_1G)
		return;
	time_end_merges(lab);
	lab->merging = start >> GMS_ORDER_1G;
	lab->merges_began = lab_exclusive(lab);
}

/* Merges as the policy decides. Looking at 16 blocks of 1G counts as a step. */
static int time_maintain(struct lab *lab)
{
	const unsigned int events = lab->opts->policy->events;
	int ret;

	lab->maintained_us = lab->now_us;
	if (events && !(events >> GMS_EV_MAINTAIN & 1))
		return 0;
	ret = lab_spend(lab, (lab->opts->nr_pages >> (GMS_ORDER_1G + 4)) + 1);
	if (ret)
		return ret;
	lab->maintaining = true;
	gms_maintain(lab->state, UINT64_MAX);
	time_end_merges(lab);
	lab->maintaining = false;
	return lab_changed(lab, 0, 0);
}

int lab_pass_until(struct lab *lab, uint64_t us)
{
	const uint64_t since = lab->now_us;
	uint64_t next = lab->maintained_us + LAB_MAINTAIN_US;
	int ret = 0;

	while (!ret && next <= us && next > lab->now_us) {
		const uint64_t quiet = next - since;

		time_move(lab, next);
		ret = time_maintain(lab);
		next += quiet > TIME_QUIET_US ? quiet / 16 : LAB_MAINTAIN_US;
	}
	if (us > lab->now_us)
		time_move(lab, us);
	return ret;
}

void lab_add_up(const struct lab *lab, struct lab_sum *sum)
{
	struct sim_totals totals;

	sim_totals(lab->sim, &totals);
	memset(sum, 0, sizeof(*sum));
	sum->us = lab->now_us - lab->started_us;
	costs_add_up(lab->opts->costs, lab->opts->arch, totals.work, sum->part);
	sum->part[COSTS_RENT_2M] = lab->rents[0];
	sum->part[COSTS_RENT_1G] = lab->rents[1];
}
