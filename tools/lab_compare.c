// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_compare.c - compares what policies cost, over uptime: see lab_compare.h
 */
#include "lab_compare.h"

#include <math.h>

/* Two costs that differ by less than this part of them count as the same. */
#define COMPARE_SAME 1e-9

/* Returns what one price has cost at an uptime. */
static double compare_part_at(const struct lab_result *r, enum costs_id id, double us)
{
	const double from = (double)r->at_end.us, to = (double)r->settled.us;
	double rate = 0;

	if (us < to)
		return r->at_end.part[id] +
		       (us - from) / (to - from) * (r->settled.part[id] - r->at_end.part[id]);
	if (id == COSTS_RENT_2M || id == COSTS_RENT_1G)
		rate = r->rate[id == COSTS_RENT_1G];
	return r->settled.part[id] + (us - to) / 1e6 * rate;
}

double lab_cost_at(const struct lab_result *result, double us)
{
	double cycles = 0;

	for (enum costs_id id = 0; id < COSTS_NR; id++)
		cycles += compare_part_at(result, id, us);
	return cycles;
}

/* Returns -1 if a cost is less than another, 1 if it is more, 0 if they are the same. */
static int compare_costs(double a, double b)
{
	if (fabs(a - b) <= COMPARE_SAME * (fabs(a) + fabs(b)))
		return 0;
	return a < b ? -1 : 1;
}

/* Returns how much more a costs than b, in a second, after both have settled. */
static int compare_rates(const struct lab_result *a, const struct lab_result *b)
{
	return compare_costs(a->rate[0] + a->rate[1], b->rate[0] + b->rate[1]);
}

/* Compares two results at an uptime; if they cost the same then, at the time right after it. */
static int compare_from(const struct lab_result *a, const struct lab_result *b, double us)
{
	const double settled = (double)a->settled.us;
	int order = compare_costs(lab_cost_at(a, us), lab_cost_at(b, us));

	if (!order && us < settled)
		order = compare_costs(lab_cost_at(a, settled), lab_cost_at(b, settled));
	return order ? order : compare_rates(a, b);
}

/*
 * Finds the first uptime after @us at which the order of two results turns. Returns infinity if
 * there is none.
 */
static double compare_crossing(const struct lab_result *a, const struct lab_result *b, double us)
{
	const double settled = (double)a->settled.us;
	const int order = compare_from(a, b, us);
	double now = lab_cost_at(a, us) - lab_cost_at(b, us), then;
	int later;

	if (us < settled) {
		then = lab_cost_at(a, settled) - lab_cost_at(b, settled);
		later = compare_costs(lab_cost_at(a, settled), lab_cost_at(b, settled));
		if (order && later == -order)
			return us + (settled - us) * now / (now - then);
		if (order && !later && compare_rates(a, b) == -order)
			return settled;
		us = settled;
		now = then;
	}
	if (!order || compare_rates(a, b) != -order)
		return INFINITY;
	return us - now * 1e6 / (a->rate[0] + a->rate[1] - b->rate[0] - b->rate[1]);
}

struct lab_even lab_even(const struct lab_result *a, const struct lab_result *b)
{
	const double start = (double)a->at_end.us;
	const int order = compare_from(a, b, start);
	const double us = compare_crossing(a, b, start);

	if (!order)
		return (struct lab_even) {LAB_EVEN_SAME, 0};
	if (us < INFINITY)
		return (struct lab_even) {order < 0 ? LAB_EVEN_UNTIL : LAB_EVEN_FROM, us};
	return (struct lab_even) {order < 0 ? LAB_EVEN_ALWAYS : LAB_EVEN_NEVER, 0};
}

/* Returns which result costs least at an uptime, with one price multiplied by a factor. */
static unsigned int compare_least(const struct lab_result *const *results, unsigned int nr,
				  double us, enum costs_id id, double factor)
{
	unsigned int least = 0;
	double cost = INFINITY;

	for (unsigned int i = 0; i < nr; i++) {
		double c = lab_cost_at(results[i], us) +
			   (factor - 1) * compare_part_at(results[i], id, us);

		if (!i || compare_costs(c, cost) < 0) {
			least = i;
			cost = c;
		}
	}
	return least;
}

/* Returns which result costs least from an uptime on. */
static unsigned int compare_leader(const struct lab_result *const *results, unsigned int nr,
				   double us)
{
	unsigned int least = 0;

	for (unsigned int i = 1; i < nr; i++) {
		if (compare_from(results[i], results[least], us) < 0)
			least = i;
	}
	return least;
}

unsigned int lab_leaders(const struct lab_result *const *results, unsigned int nr,
			 struct lab_leader *leaders)
{
	double us = (double)results[0]->at_end.us;
	unsigned int nr_leaders = 0;

	do {
		const unsigned int at = compare_leader(results, nr, us);
		double next = INFINITY;

		if (!nr_leaders || leaders[nr_leaders - 1].run != at)
			leaders[nr_leaders++] = (struct lab_leader) {at, us};
		for (unsigned int i = 0; i < nr; i++)
			next = fmin(next, compare_crossing(results[at], results[i], us));
		if (!(next > us)) /* by rounding */
			break;
		us = next;
	} while (us < INFINITY && nr_leaders < 2 * nr);
	return nr_leaders;
}

bool lab_is_close(const struct lab_result *result, const struct lab_result *least, double us,
		  double part)
{
	const double rent = compare_part_at(least, COSTS_RENT_2M, us) +
			    compare_part_at(least, COSTS_RENT_1G, us);
	const double cost = lab_cost_at(least, us);

	return compare_costs(lab_cost_at(result, us), cost + part * (cost - rent)) <= 0;
}

struct lab_turn lab_turn(const struct lab_result *const *results, unsigned int nr, enum costs_id id,
			 double us)
{
	static const double factors[3] = {.1, 1, 10};
	struct lab_turn turn = {.factor = 0};
	double nearest = INFINITY;
	unsigned int least;

	for (int i = 0; i < 3; i++)
		turn.leader[i] = compare_least(results, nr, us, id, factors[i]);
	least = turn.leader[1];
	for (unsigned int i = 0; i < nr; i++) {
		const double more = lab_cost_at(results[i], us) - lab_cost_at(results[least], us);
		const double part = compare_part_at(results[least], id, us) -
				    compare_part_at(results[i], id, us);
		const double factor = 1 + more / part;

		/* Where the two cost the same, any other factor than 1 turns the order. */
		if (part == 0 || factor <= 0 || !isfinite(factor) || more <= 0)
			continue;
		if (fabs(log(factor)) < nearest) {
			nearest = fabs(log(factor));
			turn.factor = factor;
			turn.then = i;
		}
	}
	return turn;
}
