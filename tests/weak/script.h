/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * script.h - programs over a range tree, written as text
 *
 * A thread is a list of operations, with commas between them. A is a page, N a number of pages
 * (1 where it is not given):
 *
 *	set A N, clear A N	prepares and commits
 *	try-set A N, try-clear A N	prepares, commits and reverts
 *	prepare A N
 *	if-ready-set A N	commits if gms_rtree_is_prepared() says that it may
 *	spare A N		prepares with spare leaf pages
 *	commit-set A N		commits what was prepared
 *	test A			one page
 *	2m A, 1g A		the summary of the block around the page
 *	look A			the page and both blocks, in one call
 *	order A			which of the blocks are uniform
 *	mask			which 2M blocks are mixed
 *	next A N, cursor A N	the runs of these pages
 *	count A			the page and its neighbour A ^ 1, which nothing may change
 *	lock L, unlock L	one of two mutexes
 *	raise, if-raised	stores and loads a flag; where it is not set the thread ends
 *	begin, end		around stores: the sequence number is odd
 *	read A B		pages A and B under the sequence number: R5
 *
 * "setup" is such a list, too, of set and clear, made before the threads run.
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

extern const struct script scripts[]; /* up to one without a name */

/* Makes a program of a script. One is in use at a time. False: the text is malformed. */
bool script_program(const struct script *script, struct weak_program *program);

/* A random script; its text lasts until the next call. */
const struct script *script_random(uint64_t seed);

#endif /* GMS_WEAK_SCRIPT_H */
