/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * script.h - programs over a range tree, written as text
 *
 * A thread is a list of operations, with commas between them. A and B are pages. N is a number of
 * pages; without it, 1. L is 0 or 1; without it, 0.
 *
 *	set A N, clear A N		prepares and commits
 *	try-set A N, try-clear A N	prepares, commits and reverts
 *	prepare A N			prepares
 *	if-ready-set A N		commits if gms_rtree_is_prepared()
 *	spare A N			prepares with spare leaf pages
 *	commit-set A N			commits a range that was prepared
 *	test A				reads one page
 *	2m A, 1g A			reads the summary of the block at the page
 *	look A				reads the page and both blocks, in one call
 *	order A				reads which of the two blocks are uniform
 *	mask				reads which 2M blocks are mixed
 *	next A N, cursor A N		reads the runs of these pages
 *	count A				counts A and A ^ 1; no thread may change A ^ 1
 *	lock L, unlock L		locks and unlocks one of two mutexes
 *	raise				sets a flag
 *	if-raised			ends the thread if the flag is not set
 *	begin, end			stand around stores: the sequence number is odd there
 *	read A B			reads two pages under the sequence number (R5)
 *
 * "setup" is a list of set and clear. It is done before the threads run.
 */
#ifndef GMS_WEAK_SCRIPT_H
#define GMS_WEAK_SCRIPT_H

#include "weak.h"

struct script {
	const char *name, *about;
	unsigned int nr_blocks; /* 1G blocks of the tree */
	const char *setup;
	const char *thread[WEAK_THREADS];
};

extern const struct script scripts[]; /* the last one has no name */

/*
 * Makes a program of a script. Returns false if the text is malformed. A later call replaces the
 * program.
 */
bool script_program(const struct script *script, struct weak_program *program);

/* Returns a random script. Its text lasts until the next call. */
const struct script *script_random(uint64_t seed);

#endif /* GMS_WEAK_SCRIPT_H */
