/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/check.c - do the peers of these rows do the same work?
 *
 * Random conversions, made to every peer and to an array with a byte a page; three listeners, of
 * which one comes late. What they hold, what a range is, where a gfn leads and what comes out of a
 * snapshot is compared with that array.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm.h"

extern const struct bench_vmm_peer bench_vmm_engine, bench_vmm_qemu, bench_vmm_scan,
	bench_vmm_counts, bench_vmm_beside;
const struct bench_vmm_peer *const bench_vmm_peers[] = {
	&bench_vmm_engine, &bench_vmm_qemu, &bench_vmm_scan, &bench_vmm_counts,
#ifdef GMS_BENCH_BESIDE
	&bench_vmm_beside,
#endif
};
const size_t bench_nr_vmm_peers = sizeof(bench_vmm_peers) / sizeof(bench_vmm_peers[0]);

#define NR_PAGES (2 * BENCH_PAGES_1G)
#define STORES 60
#define LOOKS 500
#define ROOM (NR_PAGES / 2) /* for a snapshot of any state */
#define NR_LISTENERS 3
#define NR_BINDINGS 3

static const struct {
	uint64_t granule;
	bool split;
} kinds[NR_LISTENERS] = {{1, true}, {8, false}, {BENCH_PAGES_2M, false}};

/* The second is of whole 2M in the guest's eyes only, the third ends within a 2M. */
static const struct {
	uint64_t gfn, start, nr_pages;
} bindings[NR_BINDINGS] = {
	{0, 0, BENCH_PAGES_1G},
	{4 * BENCH_PAGES_1G, BENCH_PAGES_1G + 7, 2048},
	{8 * BENCH_PAGES_1G, BENCH_PAGES_1G + 4096, 4096 + 300},
};

struct subject {
	const struct bench_vmm_peer *peer;
	void *obj;
	struct bench_heard heard[NR_LISTENERS];
	unsigned int id[NR_LISTENERS];
};

static bool alike(const uint8_t *model, uint64_t start, uint64_t nr)
{
	return !memchr(model + start, !model[start], nr);
}

static enum bench_class model_class(const uint8_t *model, uint64_t start, uint64_t nr)
{
	if (!alike(model, start, nr))
		return BENCH_BOTH;
	return model[start] ? BENCH_ALL_PRIVATE : BENCH_ALL_SHARED;
}

static struct bench_heard model_heard(const uint8_t *model, uint64_t granule)
{
	struct bench_heard h = {0, 0, 0};

	for (uint64_t i = 0; i < NR_PAGES; i += granule)
		if (model_class(model, i, granule) == BENCH_ALL_SHARED)
			bench_hear(&h, i, granule, true);
	return h;
}

static uint64_t model_index(uint64_t gfn, int *binding)
{
	for (*binding = 0; *binding < NR_BINDINGS; ++*binding)
		if (gfn - bindings[*binding].gfn < bindings[*binding].nr_pages)
			return bindings[*binding].start + (gfn - bindings[*binding].gfn);
	return UINT64_MAX;
}

static unsigned int model_order(const uint8_t *model, uint64_t gfn)
{
	int b;
	uint64_t index = model_index(gfn, &b);

	for (unsigned int order = BENCH_ORDER_1G; index != UINT64_MAX && order;
	     order = order == BENCH_ORDER_1G ? BENCH_ORDER_2M : 0) {
		const uint64_t size = (uint64_t)1 << order, start = index & ~(size - 1);

		if ((gfn - index) % size == 0 && start >= bindings[b].start &&
		    start + size <= bindings[b].start + bindings[b].nr_pages &&
		    alike(model, start, size))
			return order;
	}
	return 0;
}

static int wrong(const struct subject *s, const char *what, uint64_t at)
{
	fprintf(stderr, "%s: %s at %" PRIu64 " is wrong\n", s->peer->name, what, at);
	return -1;
}

static int look(const struct subject *s, const uint8_t *model, uint64_t i, uint64_t nr)
{
	const struct bench_vmm_peer *p = s->peer;
	const uint64_t block = i & ~(BENCH_PAGES_2M - 1);
	/* anywhere in the first two of the guest's 1G, and in what is bound above them */
	const uint64_t gfn = nr % 2 ? i : (4 + nr % 4 * 2) * BENCH_PAGES_1G + i % 8192;
	int b;

	if (p->test(s->obj, i) != model[i])
		return wrong(s, "page", i);
	if (p->class_2m(s->obj, i) != model_class(model, block, BENCH_PAGES_2M))
		return wrong(s, "2M", i);
	if (i + nr <= NR_PAGES && p->class_range(s->obj, i, nr) != model_class(model, i, nr))
		return wrong(s, "range", i);
	if (p->gfn_index(s->obj, gfn) != model_index(gfn, &b))
		return wrong(s, "gfn", gfn);
	if (p->gfn_order && p->gfn_order(s->obj, gfn) != model_order(model, gfn))
		return wrong(s, "order of gfn", gfn);
	return 0;
}

static int compare(struct subject *s, const uint8_t *model, uint64_t x, bool all)
{
	const char *reason = s->peer->verify ? s->peer->verify(s->obj) : NULL;

	if (reason) {
		fprintf(stderr, "%s: %s\n", s->peer->name, reason);
		return -1;
	}
	for (int k = 0; k < NR_LISTENERS - !all; k++) {
		const struct bench_heard h = model_heard(model, kinds[k].granule);

		if (h.pages != s->heard[k].pages || h.sum != s->heard[k].sum)
			return wrong(s, "what a listener holds, of granule", kinds[k].granule);
	}
	for (int n = 0; n < LOOKS; n++) {
		x = bench_next(x);
		if (look(s, model, bench_below(x, NR_PAGES), 1 + (x >> 20) % 2000))
			return -1;
	}
	return 0;
}

/* The copy has no listeners and no bindings: its pages are compared, all of them. */
static int compare_copy(const struct subject *s, const uint8_t *model)
{
	struct subject copy = {.peer = s->peer};
	void *buf;
	size_t size;
	int rc = 0;

	if (!s->peer->save)
		return 0;
	buf = malloc(ROOM);
	if (!buf)
		abort();
	size = s->peer->save(s->obj, buf, ROOM);
	copy.obj = s->peer->load(buf, size);
	memset(buf, 0, ROOM);
	for (uint64_t i = 0; !rc && i < NR_PAGES; i++)
		if (s->peer->test(copy.obj, i) != model[i])
			rc = wrong(&copy, "page of what was loaded", i);
	if (!rc && s->peer->verify && s->peer->verify(copy.obj))
		rc = wrong(&copy, "what was loaded", 0);
	s->peer->destroy(copy.obj);
	free(buf);
	return rc;
}

static void pick(uint64_t *x, uint64_t *start, uint64_t *nr)
{
	static const uint64_t limit[] = {1, 20, BENCH_PAGES_2M, 3000, BENCH_PAGES_1G};
	unsigned int kind;

	*x = bench_next(*x);
	kind = bench_below(*x, 6);
	*x = bench_next(*x);
	if (kind == 5) {
		*start = bench_below(*x, 8) * BENCH_PAGES_2M;
		*nr = (1 + (*x >> 8 & 3)) * BENCH_PAGES_2M;
		return;
	}
	/* half of them near each other, so that they meet */
	*start = bench_below(*x, *x >> 9 & 1 ? 4096 : NR_PAGES);
	*x = bench_next(*x);
	*nr = 1 + bench_below(*x, limit[kind]);
	if (*nr > NR_PAGES - *start)
		*nr = NR_PAGES - *start;
}

static void begin(struct subject *s, const struct bench_vmm_peer *peer)
{
	*s = (struct subject) {.peer = peer, .obj = peer->create(NR_PAGES)};
	for (int k = 0; k < NR_LISTENERS - 1; k++)
		s->id[k] = peer->listen(s->obj, kinds[k].granule, kinds[k].split, &s->heard[k]);
	for (int b = 0; b < NR_BINDINGS; b++)
		peer->bind(s->obj, bindings[b].gfn, bindings[b].start, bindings[b].nr_pages);
}

static int end(struct subject *s)
{
	int rc = 0;

	for (int k = 0; k < NR_LISTENERS; k++) {
		s->peer->unlisten(s->obj, s->id[k]);
		if (s->heard[k].pages || s->heard[k].sum)
			rc = wrong(s, "what a listener is left with, of granule", kinds[k].granule);
	}
	s->peer->destroy(s->obj);
	return rc;
}

/* As many runs, too: none is told in pieces, or of what it knows. */
static int compare_runs(const struct subject *s, size_t nr)
{
	for (size_t p = 1; p < nr; p++)
		for (int k = 0; k < NR_LISTENERS; k++)
			if (s[p].heard[k].runs != s[0].heard[k].runs)
				return wrong(&s[p], "how many runs were told, granule",
					     kinds[k].granule);
	return 0;
}

static int round_of(uint64_t seed, uint8_t *model)
{
	struct subject *s = calloc(bench_nr_vmm_peers, sizeof(*s));
	uint64_t x = seed, start, nr;
	const int late = NR_LISTENERS - 1;
	int rc = 0;

	if (!s)
		abort();
	memset(model, 0, NR_PAGES);
	for (size_t p = 0; p < bench_nr_vmm_peers; p++)
		begin(&s[p], bench_vmm_peers[p]);
	for (int n = 0; n < STORES && !rc; n++) {
		pick(&x, &start, &nr);
		memset(model + start, x >> 40 & 1, nr);
		for (size_t p = 0; p < bench_nr_vmm_peers; p++) {
			s[p].peer->convert(s[p].obj, start, nr, x >> 40 & 1);
			if (n == STORES / 2)
				s[p].id[late] =
					s[p].peer->listen(s[p].obj, kinds[late].granule,
							  kinds[late].split, &s[p].heard[late]);
			if (n % 8 == 7)
				rc |= compare(&s[p], model, x, n >= STORES / 2);
		}
		rc |= compare_runs(s, bench_nr_vmm_peers);
		if (rc)
			fprintf(stderr, "... after store %d of seed %" PRIu64 "\n", n, seed);
	}
	for (size_t p = 0; p < bench_nr_vmm_peers; p++) {
		if (!rc)
			rc = compare_copy(&s[p], model);
		if (!rc)
			rc = end(&s[p]);
	}
	free(s);
	return rc;
}

int bench_vmm_selfcheck(uint64_t seed, unsigned int rounds)
{
	uint8_t *model = malloc(NR_PAGES);
	int rc = 0;

	if (!model)
		abort();
	for (unsigned int r = 0; r < rounds && !rc; r++)
		rc = round_of(seed + r, model);
	free(model);
	for (size_t p = 0; p < bench_nr_vmm_peers; p++)
		printf("%s%s", p ? ", " : "with listeners: ", bench_vmm_peers[p]->name);
	printf("\n%u rounds from seed %" PRIu64 ": %s\n", rounds, seed,
	       rc ? "NOT ALL AGREE" : "all agree");
	return rc;
}
