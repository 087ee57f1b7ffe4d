/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * selfcheck.c - checks that all peers do the same work
 *
 * Makes random stores in every peer, and in an array with a byte for each page. Then it compares
 * pages, orders and runs of each peer with that array. A peer that does other work, or that this
 * project uses wrongly, is worth no comparison.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define SELFCHECK_PAGES (3 * BENCH_PAGES_1G)
#define SELFCHECK_STORES 60
#define SELFCHECK_LOOKS 2000

struct selfcheck_visit {
	const struct bench_peer *peer;
	const uint8_t *model;
	uint64_t at;
	bool last, bad;
};

static bool selfcheck_alike(const uint8_t *model, uint64_t start, uint64_t nr)
{
	return !memchr(model + start, !model[start], nr);
}

static unsigned int selfcheck_order(const uint8_t *model, uint64_t i)
{
	if (selfcheck_alike(model, gms_order_down(i, GMS_ORDER_1G), BENCH_PAGES_1G))
		return GMS_ORDER_1G;
	if (selfcheck_alike(model, gms_order_down(i, GMS_ORDER_2M), BENCH_PAGES_2M))
		return GMS_ORDER_2M;
	return GMS_ORDER_4K;
}

/* Checks a run: runs must ascend without a gap, alternate, and agree with the model. */
static void selfcheck_visit(void *ctx, const struct bench_run *run)
{
	struct selfcheck_visit *c = ctx;

	if (run->start != c->at || !run->nr_pages || run->start + run->nr_pages > SELFCHECK_PAGES ||
	    (c->at && run->set == c->last) || c->model[run->start] != run->set ||
	    !selfcheck_alike(c->model, run->start, run->nr_pages))
		c->bad = true;
	if (c->bad)
		return;
	c->at += run->nr_pages;
	c->last = run->set;
}

static int selfcheck_compare(const struct bench_peer *peer, void *obj, const uint8_t *model,
			     uint64_t *x)
{
	struct selfcheck_visit c = {peer, model, 0, false, false};
	const char *reason = peer->verify ? peer->verify(obj) : NULL;
	uint64_t i;
	int n;

	if (reason) {
		fprintf(stderr, "%s: %s\n", peer->name, reason);
		return -1;
	}
	for (n = 0; n < SELFCHECK_LOOKS; n++) {
		*x = bench_next(*x);
		i = bench_below(*x, SELFCHECK_PAGES);
		if (peer->test(obj, i) != model[i]) {
			fprintf(stderr, "%s: page %" PRIu64 " is wrong\n", peer->name, i);
			return -1;
		}
		if (n % 16 == 0 && peer->order &&
		    peer->order(obj, i) != selfcheck_order(model, i)) {
			fprintf(stderr, "%s: order at %" PRIu64 " is %u, not %u\n", peer->name, i,
				peer->order(obj, i), selfcheck_order(model, i));
			return -1;
		}
	}
	if (!peer->iterate)
		return 0;
	peer->iterate(obj, selfcheck_visit, &c);
	if (c.bad || c.at != SELFCHECK_PAGES) {
		fprintf(stderr, "%s: the run at %" PRIu64 " is wrong\n", peer->name, c.at);
		return -1;
	}
	return 0;
}

/*
 * Picks a range of one of the kinds that the rows use. The ranges of three of the six kinds begin
 * near page 0, so that they meet often.
 */
static void selfcheck_pick(uint64_t *x, uint64_t *start, uint64_t *nr)
{
	uint64_t kind, len;

	*x = bench_next(*x);
	kind = bench_below(*x, 6);
	*x = bench_next(*x);
	switch (kind) {
	case 0:
		*start = bench_below(*x, SELFCHECK_PAGES);
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
		*start = bench_below(*x, SELFCHECK_PAGES);
		len = 1 + (bench_next(*x) >> 44);
	}
	*nr = len < SELFCHECK_PAGES - *start ? len : SELFCHECK_PAGES - *start;
}

static int selfcheck_round(uint64_t seed, uint8_t *model)
{
	bool init = seed & 1, set;
	uint64_t x = seed, start, nr;
	void **obj = calloc(bench_nr_peers, sizeof(*obj));
	int rc = 0;
	size_t p;

	if (!obj)
		abort();
	memset(model, init, SELFCHECK_PAGES);
	for (p = 0; p < bench_nr_peers; p++)
		obj[p] = bench_peers[p]->create(SELFCHECK_PAGES, init);
	for (int n = 0; n < SELFCHECK_STORES && !rc; n++) {
		selfcheck_pick(&x, &start, &nr);
		set = x >> 40 & 1;
		memset(model + start, set, nr);
		for (p = 0; p < bench_nr_peers; p++) {
			bench_peers[p]->store(obj[p], start, nr, set);
			/* Compares after every eighth store, so that a bug is near its report. */
			if (n % 8 == 7 && selfcheck_compare(bench_peers[p], obj[p], model, &x)) {
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

/*
 * Checks that bench_nth() returns each number once, because a row must not convert one page to
 * shared twice in a round.
 */
static int selfcheck_nth(unsigned int bits)
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
		fprintf(stderr, "bench_nth: some numbers of %u bits come twice\n", bits);
	return twice ? -1 : 0;
}

/* Checks that a pattern made in random order equals the pattern made in ascending order. */
static int selfcheck_pattern(uint8_t *model)
{
	const struct bench_mixed *m = bench_mixed_of(GMS_ORDER_1G + 1, 100);
	uint64_t x = 1;
	int rc = 0;

	memset(model, 1, SELFCHECK_PAGES);
	for (uint64_t i = 0; i < m->nr_blocks; i++)
		memset(model + m->block[i] * BENCH_PAGES_2M + m->start[i], 0,
		       m->end[i] - m->start[i]);
	for (size_t p = 0; p < bench_nr_peers && !rc; p++) {
		void *obj = bench_peers[p]->create(SELFCHECK_PAGES, true);

		for (uint64_t n = 0; n < m->nr_blocks; n++) {
			const uint32_t i = m->order[n];

			bench_peers[p]->store(obj, m->block[i] * BENCH_PAGES_2M + m->start[i],
					      m->end[i] - m->start[i], false);
		}
		rc = selfcheck_compare(bench_peers[p], obj, model, &x);
		bench_peers[p]->destroy(obj);
	}
	if (rc)
		fprintf(stderr, "... in the pattern, which is made in random order\n");
	return rc;
}

int bench_selfcheck(uint64_t seed, unsigned int rounds)
{
	uint8_t *model = malloc(SELFCHECK_PAGES);
	int rc = 0;

	if (!model)
		abort();
	for (unsigned int bits = 12; bits <= BENCH_16G; bits++)
		rc |= selfcheck_nth(bits);
	rc |= selfcheck_pattern(model);
	for (unsigned int r = 0; r < rounds; r++)
		rc |= selfcheck_round(seed + r, model);
	free(model);
	for (size_t p = 0; p < bench_nr_peers; p++)
		printf("%s%s", p ? ", " : "peers: ", bench_peers[p]->name);
	printf("\n%u rounds from seed %" PRIu64 ": %s\n", rounds, seed,
	       rc ? "NOT ALL AGREE" : "all agree");
	return rc;
}
