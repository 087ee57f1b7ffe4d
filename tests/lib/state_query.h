/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * state_query.h - every query of a state object, checked against the others
 *
 * Whatever the state is, the answers of some queries follow from the answers of others. So the
 * checks need no model, and any test can make them in any hook, also in gms_state_destroy().
 *
 * Usage, in a hook:
 *
 *	why = state_query_page(state, start, true);
 *	if (!why)
 *		why = state_query_object(state);
 */
#ifndef GMS_TESTS_STATE_QUERY_H
#define GMS_TESTS_STATE_QUERY_H

#include <gmemstate/state.h>

/*
 * Makes every query about a page, its 2M and its 1G. If @still is true, no other thread changes
 * the 1G during the call, except for its pins; otherwise the answers are not compared with each
 * other. Returns NULL, or a text that says which answer is wrong.
 */
const char *state_query_page(const struct gms_state *state, gms_pgoff_t index, bool still);

/* Makes the queries about the object as a whole. Returns NULL, or which answer is wrong. */
const char *state_query_object(const struct gms_state *state);

#endif /* GMS_TESTS_STATE_QUERY_H */
