// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_ops.c - random operations for the engine and its model
 *
 * Most operations fall into a few hot 2M blocks, at the edges of blocks, and at the end of the
 * object. Some convert whole blocks, so that blocks become uniform again.
 */
#include "model.h"
#include "oracle.h"
#include "test.h"

#define NR_HOT 3

static const char *const kind_names[MODEL_NR_OPS] = {
	"convert", "fault",     "allocate", "punch",    "pin",    "unpin",
	"inhibit", "uninhibit", "attr_set", "maintain", "repair",
};

/* How often each operation is made, in percent. */
static const unsigned int chances[MODEL_NR_OPS] = {28, 24, 6, 8, 9, 11, 2, 2, 2, 4, 4};

struct maker {
	struct prng *prng;
	const struct model_opts *opts;
	uint64_t hot[NR_HOT]; /* first pages of 2M blocks */
};

static uint64_t any_page(struct maker *maker)
{
	struct prng *prng = maker->prng;
	uint64_t nr_pages = maker->opts->nr_pages;
	uint64_t page = maker->hot[prng_below(prng, NR_HOT)];

	if (prng_chance(prng, 10))
		page = prng_below(prng, nr_pages);
	else if (prng_chance(prng, 40))
		page += prng_below(prng, 8);
	else
		page += prng_below(prng, MODEL_2M);
	return page < nr_pages ? page : nr_pages - 1;
}

/* With a backing of 4K, gms_allocate() calls a hook for each page. The range is limited. */
static uint64_t longest(const struct maker *maker, enum model_op_kind kind)
{
	if (kind == MODEL_ALLOCATE && !maker->opts->folio_order)
		return 3 * MODEL_2M;
	return maker->opts->nr_pages;
}

static void choose_range(struct maker *maker, struct model_op *op)
{
	struct prng *prng = maker->prng;
	uint64_t most = longest(maker, op->kind);

	op->start = any_page(maker);
	switch (prng_below(prng, 8)) {
	case 0:
	case 1:
		op->nr_pages = 1 + prng_below(prng, 8);
		break;
	case 2:
		op->nr_pages = 1 + prng_below(prng, 2 * MODEL_2M);
		break;
	case 3:
	case 4:
		op->start = op->start / MODEL_2M * MODEL_2M;
		op->nr_pages = MODEL_2M * (1 + prng_below(prng, 2));
		break;
	case 5:
		op->start = op->start / MODEL_1G * MODEL_1G;
		op->nr_pages = MODEL_1G * (1 + prng_below(prng, 2));
		break;
	case 6:
		op->nr_pages = 1 + prng_below(prng, maker->opts->nr_pages);
		break;
	default:
		op->nr_pages = 1;
		break;
	}
	if (op->nr_pages > most)
		op->nr_pages = most;
	if (op->nr_pages > maker->opts->nr_pages - op->start)
		op->nr_pages = maker->opts->nr_pages - op->start;
}

/* Makes an operation that the library has to refuse. */
static void spoil(struct maker *maker, struct model_op *op)
{
	switch (prng_below(maker->prng, 4)) {
	case 0:
		op->start = maker->opts->nr_pages + prng_below(maker->prng, 2);
		break;
	case 1:
		op->nr_pages = UINT64_MAX - prng_below(maker->prng, 3) * op->start;
		break;
	case 2:
		op->to = 2;
		break;
	default:
		op->flags = 0x40;
		break;
	}
}

static void choose_refusal(struct prng *prng, struct model_op *op)
{
	static const unsigned int hooks[] = {
		1U << SIM_UNMAP_HOST,     1U << SIM_CHECK_PINS,
		1U << SIM_APPLY,          1U << SIM_APPLY | 1U << SIM_UNDO,
		1U << SIM_PREPARE,        1U << SIM_FOLIO_ALLOC,
		1U << SIM_FOLIO_SPLIT,    1U << SIM_FOLIO_MERGE,
		(1U << SIM_NR_HOOKS) - 1,
	};

	op->refuse = hooks[prng_below(prng, ARRAY_SIZE(hooks))];
	op->skip = prng_chance(prng, 60) ? 0 : prng_below(prng, 20);
	op->count = prng_chance(prng, 60) ? 1 : 1 + prng_below(prng, 5);
	op->after = prng_chance(prng, 60) ? 0 : prng_below(prng, 6);
	/* For an undo, a part has to be applied first. */
	if (op->refuse == (1U << SIM_APPLY | 1U << SIM_UNDO) && prng_chance(prng, 80)) {
		op->count++;
		op->after++;
	}
}

static void choose_details(struct maker *maker, struct model_op *op)
{
	struct prng *prng = maker->prng;

	op->to = prng_chance(prng, 50);
	switch (op->kind) {
	case MODEL_CONVERT:
		op->flags = prng_chance(prng, 40) ? GMS_CONVERT_RESUMABLE : 0;
		break;
	case MODEL_INHIBIT:
		op->flags = prng_chance(prng, 50) ? GMS_ORDER_2M : 0;
		break;
	case MODEL_ATTR:
		op->flags = (unsigned int)prng_below(prng, MODEL_NR_ATTRS);
		break;
	case MODEL_FAULT:
		op->nr_pages = 1;
		op->prepare = prng_chance(prng, op->to == GMS_GUEST ? 80 : 5);
		break;
	case MODEL_MAINTAIN:
		op->nr_pages = prng_chance(prng, 70) ? UINT64_MAX : prng_below(prng, 3);
		break;
	default:
		break;
	}
}

/* Many unpins are of the range that was pinned last. */
static void follow_pin(struct maker *maker, const struct model_op *last_pin, struct model_op *op)
{
	if (op->kind == MODEL_UNPIN && last_pin && prng_chance(maker->prng, 70)) {
		op->start = last_pin->start;
		op->nr_pages = last_pin->nr_pages;
	}
}

/* Some faults are near the last refused conversion, where an undo has succeeded or failed. */
static void follow_refusal(struct maker *maker, const struct model_op *refused, struct model_op *op)
{
	uint64_t at;

	if (op->kind != MODEL_FAULT || !refused || !prng_chance(maker->prng, 20))
		return;
	at = refused->start + prng_below(maker->prng, 16);
	op->start = at < maker->opts->nr_pages ? at : maker->opts->nr_pages - 1;
}

static enum model_op_kind choose_kind(struct prng *prng)
{
	unsigned int dice = (unsigned int)prng_below(prng, 100);
	unsigned int kind = 0;

	while (dice >= chances[kind])
		dice -= chances[kind++];
	return (enum model_op_kind)kind;
}

void model_history_make(struct model_history *history, const struct model_opts *opts, size_t nr_ops,
			struct prng *prng)
{
	const struct model_op *last_pin = NULL, *refused = NULL;
	struct maker maker = {.prng = prng, .opts = opts};
	/* A full comparison costs in proportion to the size, so large objects have fewer. */
	uint64_t every = 1 + opts->nr_pages / 16384;
	size_t i;

	for (i = 0; i < NR_HOT; i++)
		maker.hot[i] = prng_below(prng, opts->nr_pages) / MODEL_2M * MODEL_2M;
	maker.hot[0] = (opts->nr_pages - 1) / MODEL_2M * MODEL_2M;
	history->opts = *opts;
	history->nr_ops = nr_ops;
	history->ops = calloc(nr_ops, sizeof(*history->ops));
	for (i = 0; i < nr_ops; i++) {
		struct model_op *op = &history->ops[i];

		op->kind = choose_kind(prng);
		choose_range(&maker, op);
		choose_details(&maker, op);
		follow_pin(&maker, last_pin, op);
		follow_refusal(&maker, refused, op);
		if (prng_chance(prng, 3))
			spoil(&maker, op);
		else if (prng_chance(prng, 20))
			choose_refusal(prng, op);
		if (op->kind == MODEL_PIN)
			last_pin = op;
		if (op->kind == MODEL_CONVERT && op->refuse & 1U << SIM_APPLY)
			refused = op;
		op->advance = MODEL_TIME_STEP * prng_below(prng, 4);
		op->full = !prng_below(prng, every) || i + 1 == nr_ops;
	}
}

void model_history_print(const struct model_history *history)
{
	const struct model_opts *opts = &history->opts;
	size_t i;

	fprintf(stderr, "%#llx pages, backing of order %u, %s, pins by %s, %s, %zu operations:\n",
		(unsigned long long)opts->nr_pages, opts->folio_order,
		model_policy_name(opts->policy), opts->pins_by_folio ? "folio" : "page",
		opts->init_private ? "private" : "shared", history->nr_ops);
	for (i = 0; i < history->nr_ops; i++) {
		const struct model_op *op = &history->ops[i];

		fprintf(stderr, "\t%s(%#llx, %#llx) to %d flags %#x%s", kind_names[op->kind],
			(unsigned long long)op->start, (unsigned long long)op->nr_pages, op->to,
			op->flags, op->prepare ? " prepare" : "");
		if (op->refuse)
			fprintf(stderr, ", hooks %#x refuse %llu after %llu, %llu pages",
				op->refuse, (unsigned long long)op->count,
				(unsigned long long)op->skip, (unsigned long long)op->after);
		if (op->advance)
			fprintf(stderr, ", time +%llu", (unsigned long long)op->advance);
		fprintf(stderr, "\n");
	}
}

void model_history_free(struct model_history *history)
{
	free(history->ops);
	history->ops = NULL;
}
