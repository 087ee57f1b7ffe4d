// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ops_make.c - makes random histories of a range tree
 *
 * Ranges that are spread evenly would hardly ever overlap. So most operations fall into a few hot
 * 1G blocks, and many start or end at the edge of a block or one page beside it. Bursts make
 * the 2M blocks of a 1G mixed, one by one, and may make them uniform again, one by one.
 */
#include "ops.h"
#include "shapes.h"
#include "test.h"

#define NR_HOT 8

struct burst {
	unsigned int left;
	uint64_t at;
	uint64_t step;
	uint64_t nr_pages;
	bool set;
};

struct maker {
	struct prng *prng;
	uint64_t nr_pages;
	uint64_t hot[NR_HOT]; /* first pages of 1G blocks */
	struct burst burst;
	struct burst last;
};

static uint64_t nr_blocks(uint64_t nr_pages, uint64_t size)
{
	return (nr_pages + size - 1) / size;
}

static void choose_hot(struct maker *maker)
{
	uint64_t blocks = nr_blocks(maker->nr_pages, T_1G);
	uint64_t wanted[NR_HOT] = {0,
				   blocks - 1,
				   63,
				   64,
				   prng_below(maker->prng, blocks),
				   prng_below(maker->prng, blocks)};
	size_t i;

	for (i = 0; i < NR_HOT; i++)
		maker->hot[i] = wanted[i] % blocks * T_1G;
}

/* Returns a page, most often in a hot block, and often in its first 2M blocks. */
static uint64_t any_page(struct maker *maker)
{
	struct prng *prng = maker->prng;
	uint64_t base, page;

	if (prng_chance(prng, 15))
		return prng_below(prng, maker->nr_pages);
	base = maker->hot[prng_below(prng, NR_HOT)];
	page = base + prng_below(prng, prng_chance(prng, 30) ? 4 * T_2M : T_1G);
	return page < maker->nr_pages ? page : prng_below(prng, maker->nr_pages);
}

/* Returns an edge of a 2M or 1G block, or the page before or behind it. */
static uint64_t any_edge(struct maker *maker)
{
	uint64_t size = prng_chance(maker->prng, 50) ? T_2M : T_1G;
	uint64_t edge = any_page(maker) / size * size;

	if (prng_chance(maker->prng, 50))
		edge += size;
	switch (prng_below(maker->prng, 4)) {
	case 0:
		return edge ? edge - 1 : edge;
	case 1:
		return edge + 1;
	default:
		return edge;
	}
}

static void begin_burst(struct maker *maker)
{
	struct prng *prng = maker->prng;
	struct burst *burst = &maker->burst;

	if (maker->last.step && prng_chance(prng, 50)) {
		/* Repeats the last burst with the other value, and may leave out its end. */
		*burst = maker->last;
		burst->set = !burst->set;
		if (burst->left > 3)
			burst->left -= (unsigned int)prng_below(prng, 3);
	} else {
		burst->left = shape_steps[prng_below(prng, nr_shape_steps)];
		burst->left += (unsigned int)prng_below(prng, 3);
		burst->at = maker->hot[prng_below(prng, NR_HOT)] + prng_below(prng, T_2M);
		burst->step = T_2M * (prng_chance(prng, 80) ? 1 : 2);
		burst->nr_pages = prng_chance(prng, 90) ? 1 : prng_below(prng, T_2M) + 1;
		burst->set = prng_chance(prng, 50);
	}
	maker->last = *burst;
}

static void next_of_burst(struct maker *maker, struct op *op)
{
	struct burst *burst = &maker->burst;

	op->start = burst->at;
	op->nr_pages = burst->nr_pages;
	op->set = burst->set;
	burst->at += burst->step;
	burst->left--;
}

static void blocks_of(struct maker *maker, struct op *op, uint64_t size, uint64_t most)
{
	op->start = any_page(maker) / size * size;
	op->nr_pages = size * (1 + prng_below(maker->prng, most));
}

/* Sets the range between two pages. */
static void between(struct op *op, uint64_t a, uint64_t b)
{
	op->start = a < b ? a : b;
	op->nr_pages = (a < b ? b - a : a - b) + 1;
}

static void choose_range(struct maker *maker, struct op *op)
{
	struct prng *prng = maker->prng;

	op->set = prng_chance(prng, 50);
	switch (prng_below(prng, 12)) {
	case 0:
	case 1:
		op->start = any_page(maker);
		op->nr_pages = 1;
		break;
	case 2:
		op->start = any_page(maker);
		op->nr_pages = 1 + prng_below(prng, 3 * T_2M);
		break;
	case 3:
		blocks_of(maker, op, T_2M, 1);
		break;
	case 4:
		blocks_of(maker, op, T_2M, T_FANOUT);
		break;
	case 5:
		blocks_of(maker, op, T_1G, 1);
		break;
	case 6:
		blocks_of(maker, op, T_1G, 200);
		break;
	case 7:
		between(op, any_edge(maker), any_edge(maker));
		break;
	case 8:
		between(op, any_edge(maker), any_page(maker));
		break;
	case 9:
		op->start = any_edge(maker);
		op->nr_pages = 1 + prng_below(prng, 3);
		break;
	case 10:
		between(op, prng_below(prng, maker->nr_pages), any_page(maker));
		break;
	default:
		op->start = any_page(maker);
		op->nr_pages = prng_chance(prng, 20) ? maker->nr_pages : T_1G + 1;
		break;
	}
}

static enum op_kind choose_kind(struct prng *prng)
{
	uint64_t dice = prng_below(prng, 100);

	if (dice < 60)
		return OP_STORE;
	if (dice < 72)
		return OP_COMMIT;
	if (dice < 84)
		return OP_REVERT;
	if (dice < 88)
		return OP_RELEASE;
	return dice < 94 ? OP_STORE_NOMEM : OP_COMMIT_NOMEM;
}

static void cut_to_size(struct op *op, uint64_t nr_pages)
{
	if (op->start >= nr_pages)
		op->start = nr_pages - 1;
	if (op->nr_pages > nr_pages - op->start)
		op->nr_pages = nr_pages - op->start;
}

void history_make(struct history *history, uint64_t nr_pages, size_t nr_ops, struct prng *prng)
{
	struct maker maker = {.prng = prng, .nr_pages = nr_pages};
	/* A full check costs in proportion to the size, so large trees have fewer of them. */
	uint64_t every = 16 + nr_pages / (1ULL << 16);
	size_t i;

	choose_hot(&maker);
	history->nr_pages = nr_pages;
	history->init_full = prng_chance(prng, 30);
	history->nr_ops = nr_ops;
	history->ops = calloc(nr_ops, sizeof(*history->ops));
	for (i = 0; i < nr_ops; i++) {
		struct op *op = &history->ops[i];

		if (!maker.burst.left && prng_chance(prng, 3))
			begin_burst(&maker);
		if (maker.burst.left)
			next_of_burst(&maker, op);
		else
			choose_range(&maker, op);
		cut_to_size(op, nr_pages);
		op->kind = choose_kind(prng);
		op->skip = (unsigned int)prng_below(prng, 4);
		op->full = !prng_below(prng, every) || i + 1 == nr_ops;
	}
}

void history_free(struct history *history)
{
	free(history->ops);
	history->ops = NULL;
}
