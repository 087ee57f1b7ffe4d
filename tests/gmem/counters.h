/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* counters.h - a test of counters.c that is in a file of its own: counters_race.c */
#ifndef COUNTERS_H
#define COUNTERS_H

/* *state is an enum policy that keeps a mixed folio whole. */
void no_stale_mapping(void **state);

#endif /* COUNTERS_H */
