/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/check.c - checks that the peers of these rows do the same work
 *
 * Makes random conversions in every peer, and in an array with a byte for each page. Three
 * listeners register, one of them late. The pages that each listener holds, the class of ranges,
 * the index of a gfn and the contents of a snapshot are compared with that array.
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

#define CHECK_PAGES (2 * BENCH_PAGES_1G)
#define CHECK_STORES 60
#define CHECK_LOOKS 500
#define CHECK_ROOM (CHECK_PAGES / 2) /* for a snapshot of any state */
#define CHECK_LISTENERS 3
#define CHECK_BINDINGS 3

static const struct {
	uint64_t granule;
	bool split;
} check_kinds[CHECK_LISTENERS] = {{1, true}, {8, false}, {BENCH_PAGES_2M, false}};

/* The second binding is aligned to 2M by gfn, not by index. The third ends within a 2M block. */
static const struct {
	uint64_t gfn, start, nr_pages;
} check_bindings[CHECK_BINDINGS] = {
	{0, 0, BENCH_PAGES_1G},
	{4 * BENCH_PAGES_1G, BENCH_PAGES_1G + 7, 2048},
	{8 * BENCH_PAGES_1G, BENCH_PAGES_1G + 4096, 4096 + 300},
};

struct check_subject {
	const struct bench_vmm_peer *peer;
	void *obj;
	struct bench_notified notified[CHECK_LISTENERS];
	unsigned int id[CHECK_LISTENERS];
};

static bool check_alike(const uint8_t *model, uint64_t start, uint64_t nr)
{
	return !memchr(model + start, !model[start], nr);
}

static enum bench_class check_model_class(const uint8_t *model, uint64_t start, uint64_t nr)
{
	if (!check_alike(model, start, nr))
		return BENCH_BOTH;
	return model[start] ? BENCH_ALL_PRIVATE : BENCH_ALL_SHARED;
}

static struct bench_notified check_model_notified(const uint8_t *model, uint64_t granule)
{
	struct bench_notified h = {0, 0, 0};

	for (uint64_t i = 0; i < CHECK_PAGES; i += granule)
		if (check_model_class(model, i, granule) == BENCH_ALL_SHARED)
			bench_notify(&h, i, granule, true);
	return h;
}

static uint64_t check_model_index(uint64_t gfn, int *binding)
{
	for (*binding = 0; *binding < CHECK_BINDINGS; ++*binding)
		if (gfn - check_bindings[*binding].gfn < check_bindings[*binding].nr_pages)
			return check_bindings[*binding].start +
			       (gfn - check_bindings[*binding].gfn);
	return UINT64_MAX;
}

static unsigned int check_model_order(const uint8_t *model, uint64_t gfn)
{
	int b;
	uint64_t index = check_model_index(gfn, &b);

	for (unsigned int order = GMS_ORDER_1G; index != UINT64_MAX && order;
	     order = gms_order_below(order)) {
		const uint64_t size = gms_order_pages(order), start = gms_order_down(index, order);

		if ((gfn - index) % size == 0 && start >= check_bindings[b].start &&
		    start + size <= check_bindings[b].start + check_bindings[b].nr_pages &&
		    check_alike(model, start, size))
			return order;
	}
	return 0;
}

static int check_wrong(const struct check_subject *s, const char *what, uint64_t at)
{
	fprintf(stderr, "%s: wrong: %s %" PRIu64 "\n", s->peer->name, what, at);
	return -1;
}

static int check_look(const struct check_subject *s, const uint8_t *model, uint64_t i, uint64_t nr)
{
	const struct bench_vmm_peer *p = s->peer;
	const uint64_t block = gms_order_down(i, GMS_ORDER_2M);
	/* A gfn in the first binding or behind it, or in one of the two other bindings. */
	const uint64_t gfn = nr % 2 ? i : (4 + nr % 4 * 2) * BENCH_PAGES_1G + i % 8192;
	int b;

	if (p->test(s->obj, i) != model[i])
		return check_wrong(s, "page", i);
	if (p->class_2m(s->obj, i) != check_model_class(model, block, BENCH_PAGES_2M))
		return check_wrong(s, "2M block at page", i);
	if (i + nr <= CHECK_PAGES &&
	    p->class_range(s->obj, i, nr) != check_model_class(model, i, nr))
		return check_wrong(s, "range from page", i);
	if (p->gfn_index(s->obj, gfn) != check_model_index(gfn, &b))
		return check_wrong(s, "gfn", gfn);
	if (p->gfn_order && p->gfn_order(s->obj, gfn) != check_model_order(model, gfn))
		return check_wrong(s, "order of gfn", gfn);
	return 0;
}

static int check_compare(struct check_subject *s, const uint8_t *model, uint64_t x, bool all)
{
	const char *reason = s->peer->verify ? s->peer->verify(s->obj) : NULL;

	if (reason) {
		fprintf(stderr, "%s: %s\n", s->peer->name, reason);
		return -1;
	}
	for (int k = 0; k < CHECK_LISTENERS - !all; k++) {
		const struct bench_notified h = check_model_notified(model, check_kinds[k].granule);

		if (h.pages != s->notified[k].pages || h.sum != s->notified[k].sum)
			return check_wrong(s, "the state of the listener with granule",
					   check_kinds[k].granule);
	}
	for (int n = 0; n < CHECK_LOOKS; n++) {
		x = bench_next(x);
		if (check_look(s, model, bench_below(x, CHECK_PAGES), 1 + (x >> 20) % 2000))
			return -1;
	}
	return 0;
}

/* Saves and loads the object, and compares all pages of the copy. */
static int check_compare_copy(const struct check_subject *s, const uint8_t *model)
{
	struct check_subject copy = {.peer = s->peer};
	void *buf;
	size_t size;
	int rc = 0;

	if (!s->peer->save)
		return 0;
	buf = malloc(CHECK_ROOM);
	if (!buf)
		abort();
	size = s->peer->save(s->obj, buf, CHECK_ROOM);
	copy.obj = s->peer->load(buf, size);
	memset(buf, 0, CHECK_ROOM);
	for (uint64_t i = 0; !rc && i < CHECK_PAGES; i++)
		if (s->peer->test(copy.obj, i) != model[i])
			rc = check_wrong(&copy, "the loaded object at page", i);
	if (!rc && s->peer->verify && s->peer->verify(copy.obj))
		rc = check_wrong(&copy, "the loaded object, of pages", CHECK_PAGES);
	s->peer->destroy(copy.obj);
	free(buf);
	return rc;
}

static void check_pick(uint64_t *x, uint64_t *start, uint64_t *nr)
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
	/* Half of the ranges lie close together, so that they meet. */
	*start = bench_below(*x, *x >> 9 & 1 ? 4096 : CHECK_PAGES);
	*x = bench_next(*x);
	*nr = 1 + bench_below(*x, limit[kind]);
	if (*nr > CHECK_PAGES - *start)
		*nr = CHECK_PAGES - *start;
}

static void check_begin(struct check_subject *s, const struct bench_vmm_peer *peer)
{
	*s = (struct check_subject) {.peer = peer, .obj = peer->create(CHECK_PAGES)};
	for (int k = 0; k < CHECK_LISTENERS - 1; k++)
		s->id[k] = peer->listen(s->obj, check_kinds[k].granule, check_kinds[k].split,
					&s->notified[k]);
	for (int b = 0; b < CHECK_BINDINGS; b++)
		peer->bind(s->obj, check_bindings[b].gfn, check_bindings[b].start,
			   check_bindings[b].nr_pages);
}

static int check_end(struct check_subject *s)
{
	int rc = 0;

	for (int k = 0; k < CHECK_LISTENERS; k++) {
		s->peer->unlisten(s->obj, s->id[k]);
		if (s->notified[k].pages || s->notified[k].sum)
			rc = check_wrong(s, "the last state of the listener with granule",
					 check_kinds[k].granule);
	}
	s->peer->destroy(s->obj);
	return rc;
}

/* Checks that the listeners of all peers were notified of equal numbers of runs. */
static int check_compare_runs(const struct check_subject *s, size_t nr)
{
	for (size_t p = 1; p < nr; p++)
		for (int k = 0; k < CHECK_LISTENERS; k++)
			if (s[p].notified[k].runs != s[0].notified[k].runs)
				return check_wrong(&s[p], "the number of runs for granule",
						   check_kinds[k].granule);
	return 0;
}

static int check_round(uint64_t seed, uint8_t *model)
{
	struct check_subject *s = calloc(bench_nr_vmm_peers, sizeof(*s));
	uint64_t x = seed, start, nr;
	const int late = CHECK_LISTENERS - 1;
	int rc = 0;

	if (!s)
		abort();
	memset(model, 0, CHECK_PAGES);
	for (size_t p = 0; p < bench_nr_vmm_peers; p++)
		check_begin(&s[p], bench_vmm_peers[p]);
	for (int n = 0; n < CHECK_STORES && !rc; n++) {
		check_pick(&x, &start, &nr);
		memset(model + start, x >> 40 & 1, nr);
		for (size_t p = 0; p < bench_nr_vmm_peers; p++) {
			s[p].peer->convert(s[p].obj, start, nr, x >> 40 & 1);
			if (n == CHECK_STORES / 2)
				s[p].id[late] = s[p].peer->listen(
					s[p].obj, check_kinds[late].granule,
					check_kinds[late].split, &s[p].notified[late]);
			if (n % 8 == 7)
				rc |= check_compare(&s[p], model, x, n >= CHECK_STORES / 2);
		}
		rc |= check_compare_runs(s, bench_nr_vmm_peers);
		if (rc)
			fprintf(stderr, "... after store %d of seed %" PRIu64 "\n", n, seed);
	}
	for (size_t p = 0; p < bench_nr_vmm_peers; p++) {
		if (!rc)
			rc = check_compare_copy(&s[p], model);
		if (!rc)
			rc = check_end(&s[p]);
	}
	free(s);
	return rc;
}

int bench_vmm_selfcheck(uint64_t seed, unsigned int rounds)
{
	uint8_t *model = malloc(CHECK_PAGES);
	int rc = 0;

	if (!model)
		abort();
	for (unsigned int r = 0; r < rounds && !rc; r++)
		rc = check_round(seed + r, model);
	free(model);
	for (size_t p = 0; p < bench_nr_vmm_peers; p++)
		printf("%s%s", p ? ", " : "with listeners: ", bench_vmm_peers[p]->name);
	printf("\n%u rounds from seed %" PRIu64 ": %s\n", rounds, seed,
	       rc ? "NOT ALL AGREE" : "all agree");
	return rc;
}
