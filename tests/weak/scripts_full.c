// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * scripts_full.c - the programs with the fan-out that ships
 *
 * A leaf has 8 words here, a node 16. The programs are about walks and counts over several words,
 * and about commits that make several stores. tree_page() lists the pages that they may read.
 */
#include "script.h"

/* clang-format off */
const struct script scripts[] = {
	{"turns-mixed", "a uniform block turns mixed", 1,
	 "", {"set 64", "test 64, test 64, test 1"}},
	{"refill-1g", "a 1G block turns uniform, and mixed again", 1,
	 "set 1", {"clear 1, set 64", "test 1, test 64, test 1"}},
	{"early-1g", "a fill of states is seen before the stores that made the 1G block uniform", 1,
	 "set 1", {"clear 1, set 0 262144, clear 128", "test 64, test 64"}},
	{"early-2m", "a fill of a leaf is seen before the stores that made the 2M block uniform", 1,
	 "set 1, set 1024", {"clear 1, set 0 512, clear 128", "test 64, test 64"}},
	{"next", "the first page that differs lies in another word, and changes", 1,
	 "set 128, set 1024", {"clear 128, set 511", "next 0 512, test 511"}},
	{"next-two", "the first page that differs lies in another word, and changes; two walks", 1,
	 "set 128, set 1024", {"set 64, clear 128", "next 0 512, next 0 512"}},
	{"next-stale", "runs of a leaf that turns uniform, and mixed again in another word", 1,
	 "set 64, set 1024", {"clear 64, set 128", "next 0 512, next 0 512"}},
	{"next-behind", "a run grows into a word behind it", 1,
	 "set 0 128, set 1024", {"clear 0 512, set 0 192", "next 0 512, test 128"}},
	{"count", "the reader counts in a word that changes", 1,
	 "set 0, set 1024", {"clear 0, set 0, clear 0", "count 0, count 0"}},
	{"words", "a commit of several words", 1,
	 "set 0, set 1024", {"set 63 66", "test 128, test 64, test 63"}},
	{"words-revert", "a commit of several words is reverted", 1,
	 "set 0, set 1024", {"try-set 63 66", "test 128, test 64, test 63"}},
	{"leaves-revert", "a commit in two leaves is reverted", 1,
	 "set 0, set 1024", {"try-set 511 2", "test 511, test 512"}},
	{"groups", "a commit in two leaf pages", 1,
	 "set 0", {"set 32767 2", "test 32767, test 32768"}},
	{"readers", "two readers hand over", 1,
	 "set 64, set 1024", {"clear 64, set 128", "next 0 512, raise", "if-raised, next 0 512"}},
	{"seq", "R5: pages of two words", 1,
	 "set 0, set 64", {"begin, clear 64, set 128, end", "read 64 128"}},
	{.name = NULL},
};
/* clang-format on */
