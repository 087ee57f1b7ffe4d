/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab_compare.h - compares what policies cost, over uptime
 *
 * The cost of a policy at an uptime is that of its work, and the rents until then. After the log
 * nothing happens but rent, and the merges of adaptive. So the cost is a line from the last event
 * to the time at which adaptive has settled, and another line from there on:
 *
 *	cost ^                         ______ rate
 *	     |              __________/
 *	     |     ________/ settled
 *	     |    / at_end
 *	     +----------------------------------> uptime
 *
 * Break-even uptimes are where two such lines cross. No ratio of sums is formed, because a sum has
 * no meaning without the uptime at which it is taken.
 */
#ifndef GMS_TOOL_LAB_COMPARE_H
#define GMS_TOOL_LAB_COMPARE_H

#include "lab.h"

/**
 * lab_cost_at() - return what a policy has cost at an uptime
 * @result: the result of the policy
 * @us: the uptime in microseconds, not before the last event
 *
 * Return: cycles.
 */
double lab_cost_at(const struct lab_result *result, double us);

enum lab_even_kind {
	LAB_EVEN_NEVER,
	LAB_EVEN_ALWAYS,
	LAB_EVEN_FROM,
	LAB_EVEN_UNTIL,
	LAB_EVEN_SAME
};

/**
 * struct lab_even - from when on one policy costs less than another
 * @kind: LAB_EVEN_NEVER, LAB_EVEN_ALWAYS: one of the two costs less at the end of the log and ever
 *        after; LAB_EVEN_FROM, LAB_EVEN_UNTIL: the order turns at @us; LAB_EVEN_SAME: both cost
 *        the same
 * @us: the uptime in microseconds
 */
struct lab_even {
	enum lab_even_kind kind;
	double us;
};

/** lab_even() - find from when on @a costs less than @b */
struct lab_even lab_even(const struct lab_result *a, const struct lab_result *b);

/**
 * struct lab_leader - a policy that costs least for a while
 * @run: its position in the list of results
 * @us: from which uptime on, in microseconds
 */
struct lab_leader {
	unsigned int run;
	double us;
};

/**
 * lab_leaders() - find which policy costs least, over uptime
 * @results: the results; all of one log
 * @nr: the number of results, at least 1
 * @leaders: stores at most 2 * @nr leaders, from the end of the log on
 *
 * Of policies that cost the same the first one leads.
 *
 * Return: the number of leaders.
 */
unsigned int lab_leaders(const struct lab_result *const *results, unsigned int nr,
			 struct lab_leader *leaders);

/**
 * struct lab_turn - what a price does to the order of the policies
 * @leader: which result costs least, at the price times 0.1 [0], 1 [1] and 10 [2]
 * @factor: the factor nearest to 1 at which another policy costs least; 0: there is none
 * @then: which result costs least at that factor
 */
struct lab_turn {
	unsigned int leader[3];
	double factor;
	unsigned int then;
};

/**
 * lab_is_close() - find out if a policy costs hardly more than another one
 * @result: the result of the policy
 * @least: the result of a policy that costs less, or the same
 * @us: the uptime in microseconds, not before the last event
 * @part: how much more, as a part of the work of @least. Rent does not count in that work, because
 *        most of it is rent that every policy pays
 *
 * Return: true if it costs at most so much more.
 */
bool lab_is_close(const struct lab_result *result, const struct lab_result *least, double us,
		  double part);

/**
 * lab_turn() - find what a price does to the order of the policies
 * @results: the results; all of one log
 * @nr: the number of results, at least 1
 * @id: the price
 * @us: the uptime at which costs are compared, in microseconds, not before the last event
 *
 * What the policies do is taken as it was. (Adaptive would do something else.)
 */
struct lab_turn lab_turn(const struct lab_result *const *results, unsigned int nr, enum costs_id id,
			 double us);

#endif /* GMS_TOOL_LAB_COMPARE_H */
