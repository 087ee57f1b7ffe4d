/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * query.h - every question that a hook may ask of a state object
 *
 * The answers are compared with each other: whatever the state is, some answers follow from others.
 * So any test can ask in any hook, also while the object is being destroyed.
 */
#ifndef GMS_TESTS_QUERY_H
#define GMS_TESTS_QUERY_H

#include <gmemstate/state.h>

/*
 * Asks everything about a page, and about its 2M and 1G blocks. @still: no other thread changes
 * the 1G block meanwhile, but for its pins. Returns NULL, or which answer is wrong.
 */
const char *query_page(const struct gms_state *state, gms_pgoff_t index, bool still);

/* Asks about the object as a whole. */
const char *query_object(const struct gms_state *state);

#endif /* GMS_TESTS_QUERY_H */
