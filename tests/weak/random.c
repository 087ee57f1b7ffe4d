// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * random.c - random programs over a range tree
 *
 * A program has one or two writers, then one or two readers, in one or two 1G blocks. If there are
 * two writers, each locks the 1G block that it changes. Most ranges are single pages, whole
 * blocks, or parts of two blocks.
 */
#include <stdio.h>
#include <string.h>

#include "script.h"
#include "tree.h"

static uint64_t state;
static char text[1 + WEAK_THREADS][256];

static unsigned int random_below(unsigned int n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state >> 33) % n;
}

static void random_append(char *to, const char *verb, unsigned int a, unsigned int n)
{
	const size_t length = strlen(to);

	snprintf(to + length, sizeof(text[0]) - length, "%s%s %u %u", length ? ", " : "", verb, a,
		 n);
}

static void random_append_word(char *to, const char *verb)
{
	const size_t length = strlen(to);

	snprintf(to + length, sizeof(text[0]) - length, "%s%s", length ? ", " : "", verb);
}

/* Returns one of the first @n pages of interest of a 1G block. */
static unsigned int random_page(unsigned int block, unsigned int n)
{
	return (unsigned int)tree_page(block * 16 + random_below(n));
}

/* Makes a range in a 1G block. Most ranges are near the beginning of the block. */
static void random_range(unsigned int block, unsigned int *a, unsigned int *n)
{
	unsigned int last;

	switch (random_below(8)) {
	case 0:
		*a = block * TREE_BLOCK;
		*n = TREE_BLOCK;
		return;
	case 1:
	case 2:
		*a = block * TREE_BLOCK + TREE_LEAF * random_below(3);
		*n = TREE_LEAF * (1 + random_below(2));
		return;
	case 3:
		*a = random_page(block, 8);
		last = random_page(block, 16);
		*n = last > *a ? last - *a : 1;
		return;
	default:
		*a = random_page(block, 6);
		*n = 1;
	}
}

static void random_store(char *to, unsigned int block, bool revert)
{
	static const char *const verb[] = {"set", "clear", "try-set", "try-clear"};
	unsigned int a, n;

	random_range(block, &a, &n);
	random_append(to, verb[random_below(2) + (revert && !random_below(4) ? 2 : 0)], a, n);
}

static void random_writer(char *to, unsigned int nr_blocks, bool locked)
{
	const unsigned int block = random_below(nr_blocks), nr = 1 + random_below(locked ? 2 : 3);

	if (locked) {
		if (!random_below(2))
			random_append(to, "prepare", block * TREE_BLOCK + 1, 1);
		random_append(to, "lock", block, 0);
	}
	for (unsigned int i = 0; i < nr; i++)
		random_store(to, block, true);
	if (locked)
		random_append(to, "unlock", block, 0);
}

static void random_read(char *to, unsigned int nr_blocks)
{
	static const char *const summary[] = {"1g", "2m", "look", "order", "mask"};
	const unsigned int block = random_below(nr_blocks);

	switch (random_below(8)) {
	case 0:
	case 1:
		if (GMS_RTREE_SHIFT == 2) {
			random_append(to, summary[random_below(5)], random_page(block, 8), 0);
			return;
		}
		break;
	case 2:
		random_append(to, random_below(2) ? "next" : "cursor",
			      block * TREE_BLOCK + random_below(2), 3 * TREE_LEAF / 4);
		return;
	default:
		break;
	}
	random_append(to, "test", random_page(block, 6), 0);
}

const struct script *script_random(uint64_t seed)
{
	static struct script s;
	const bool two_writers = (seed & 3) == 3, two_readers = (seed & 3) == 2;
	unsigned int t = 0;

	state = seed * 0x9e3779b97f4a7c15ULL + 1;
	memset(text, 0, sizeof(text));
	s = (struct script) {.name = "random", .nr_blocks = 1 + !random_below(4), .setup = text[0]};
	for (unsigned int i = random_below(4); i; i--)
		random_store(text[0], random_below(s.nr_blocks), false);
	for (; t < 1u + two_writers; t++) {
		s.thread[t] = text[1 + t];
		random_writer(text[1 + t], s.nr_blocks, two_writers);
	}
	for (unsigned int reader = 0; reader < 1u + two_readers; reader++, t++) {
		char *to = text[1 + t];

		s.thread[t] = to;
		if (reader)
			random_append_word(to, "if-raised");
		for (unsigned int i = 2 + random_below(two_readers ? 1 : 2); i; i--)
			random_read(to, s.nr_blocks);
		if (two_readers && !reader)
			random_append_word(to, "raise");
	}
	return &s;
}
