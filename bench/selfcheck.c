/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * selfcheck.c - do all peers do the same work?
 *
 * Random stores, each made to every peer and to an array with a byte a page; then pages,
 * orders and runs are compared with that array. A peer that cheats, or that this project
 * uses wrongly, is not worth comparing with.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define NR_PAGES (3 * BENCH_PAGES_1G)
#define STORES 60
#define LOOKS 2000

struct check {
	const struct bench_peer *peer;
	const uint8_t *model;
	uint64_t at;
	bool last, bad;
};

static bool alike(const uint8_t *model, uint64_t start, uint64_t nr)
{
	return !memchr(model + start, !model[start], nr);
}

static unsigned int model_order(const uint8_t *model, uint64_t i)
{
	if (alike(model, i & ~(BENCH_PAGES_1G - 1), BENCH_PAGES_1G))
		return BENCH_ORDER_1G;
	return alike(model, i & ~(BENCH_PAGES_2M - 1), BENCH_PAGES_2M) ? BENCH_ORDER_2M : 0;
}

/* Runs must ascend without a gap, alternate, and hold what the model holds. */
static void visit(void *ctx, const struct bench_run *run)
{
	struct check *c = ctx;

	if (run->start != c->at || !run->nr_pages || run->start + run->nr_pages > NR_PAGES ||
	    (c->at && run->set == c->last) || c->model[run->start] != run->set ||
	    !alike(c->model, run->start, run->nr_pages))
		c->bad = true;
	if (c->bad)
		return;
	c->at += run->nr_pages;
	c->last = run->set;
}

static int compare(const struct bench_peer *peer, void *obj, const uint8_t *model, uint64_t *x)
{
	struct check c = {peer, model, 0, false, false};
	const char *reason = peer->verify ? peer->verify(obj) : NULL;
	uint64_t i;
	int n;

	if (reason) {
		fprintf(stderr, "%s: %s\n", peer->name, reason);
		return -1;
	}
	for (n = 0; n < LOOKS; n++) {
		*x = bench_next(*x);
		i = bench_below(*x, NR_PAGES);
		if (peer->test(obj, i) != model[i]) {
			fprintf(stderr, "%s: page %" PRIu64 " is wrong\n", peer->name, i);
			return -1;
		}
		if (n % 16 == 0 && peer->order && peer->order(obj, i) != model_order(model, i)) {
			fprintf(stderr, "%s: order at %" PRIu64 " is %u, not %u\n", peer->name, i,
				peer->order(obj, i), model_order(model, i));
			return -1;
		}
	}
	if (!peer->iterate)
		return 0;
	peer->iterate(obj, visit, &c);
	if (c.bad || c.at != NR_PAGES) {
		fprintf(stderr, "%s: the run at %" PRIu64 " is wrong\n", peer->name, c.at);
		return -1;
	}
	return 0;
}

/* A range of one of the kinds that the rows use, all near each other so that they meet. */
static void pick(uint64_t *x, uint64_t *start, uint64_t *nr)
{
	uint64_t kind, len;

	*x = bench_next(*x);
	kind = bench_below(*x, 6);
	*x = bench_next(*x);
	switch (kind) {
	case 0:
		*start = bench_below(*x, NR_PAGES);
		len = 1;
		break;
	case 1:
		*start = bench_below(*x, 2048);
		len = 1;
		break;
	case 2:
		*start = bench_below(*x, 8) * BENCH_PAGES_2M;
		len = BENCH_PAGES_2M * (1 + (*x & 1));
		break;
	case 3:
		*start = bench_below(*x, 3) * BENCH_PAGES_1G;
		len = BENCH_PAGES_1G;
		break;
	case 4:
		*start = bench_below(*x, 4096);
		len = 1 + (bench_next(*x) >> 53);
		break;
	default:
		*start = bench_below(*x, NR_PAGES);
		len = 1 + (bench_next(*x) >> 44);
	}
	*nr = len < NR_PAGES - *start ? len : NR_PAGES - *start;
}

static int round_of(uint64_t seed, uint8_t *model)
{
	bool init = seed & 1, set;
	uint64_t x = seed, start, nr;
	void **obj = calloc(bench_nr_peers, sizeof(*obj));
	int rc = 0;
	size_t p;

	if (!obj)
		abort();
	memset(model, init, NR_PAGES);
	for (p = 0; p < bench_nr_peers; p++)
		obj[p] = bench_peers[p]->create(NR_PAGES, init);
	for (int n = 0; n < STORES && !rc; n++) {
		pick(&x, &start, &nr);
		set = x >> 40 & 1;
		memset(model + start, set, nr);
		for (p = 0; p < bench_nr_peers; p++) {
			bench_peers[p]->store(obj[p], start, nr, set);
			/* the last stores of a round one by one, so that a fault is near */
			if (n % 8 == 7 && compare(bench_peers[p], obj[p], model, &x)) {
				fprintf(stderr, "... after store %d of seed %" PRIu64 "\n", n,
					seed);
				rc = -1;
			}
		}
	}
	for (p = 0; p < bench_nr_peers; p++)
		bench_peers[p]->destroy(obj[p]);
	free(obj);
	return rc;
}

/* bench_nth() must give each number once: rows take a page back as often as they share it. */
static int check_nth(unsigned int bits)
{
	const uint64_t nr = (uint64_t)1 << bits, from = 12345;
	uint8_t *seen = calloc(nr, 1);
	uint64_t twice = 0;

	if (!seen)
		abort();
	for (uint64_t n = from; n < from + nr; n++)
		twice += seen[bench_nth(n, bits)]++;
	free(seen);
	if (twice)
		fprintf(stderr, "bench_nth: of %u bits, some numbers come twice\n", bits);
	return twice ? -1 : 0;
}

/* The blocks of a pattern, in random order, must be all of them, and make what ascending makes. */
static int check_pattern(uint8_t *model)
{
	const struct bench_mixed *m = bench_mixed_of(BENCH_ORDER_1G + 1, 100);
	uint64_t x = 1;
	int rc = 0;

	memset(model, 1, NR_PAGES);
	for (uint64_t i = 0; i < m->nr_blocks; i++)
		memset(model + m->block[i] * BENCH_PAGES_2M + m->start[i], 0,
		       m->end[i] - m->start[i]);
	for (size_t p = 0; p < bench_nr_peers && !rc; p++) {
		void *obj = bench_peers[p]->create(NR_PAGES, true);

		for (uint64_t n = 0; n < m->nr_blocks; n++) {
			const uint32_t i = m->order[n];

			bench_peers[p]->store(obj, m->block[i] * BENCH_PAGES_2M + m->start[i],
					      m->end[i] - m->start[i], false);
		}
		rc = compare(bench_peers[p], obj, model, &x);
		bench_peers[p]->destroy(obj);
	}
	if (rc)
		fprintf(stderr, "... in the pattern that is made in random order\n");
	return rc;
}

int bench_selfcheck(uint64_t seed, unsigned int rounds)
{
	uint8_t *model = malloc(NR_PAGES);
	int rc = 0;

	if (!model)
		abort();
	for (unsigned int bits = 12; bits <= BENCH_16G; bits++)
		rc |= check_nth(bits);
	rc |= check_pattern(model);
	for (unsigned int r = 0; r < rounds; r++)
		rc |= round_of(seed + r, model);
	free(model);
	for (size_t p = 0; p < bench_nr_peers; p++)
		printf("%s%s", p ? ", " : "peers: ", bench_peers[p]->name);
	printf("\n%u rounds from seed %" PRIu64 ": %s\n", rounds, seed,
	       rc ? "NOT ALL AGREE" : "all agree");
	return rc;
}
