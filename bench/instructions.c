// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * instructions.c - operations whose instructions scripts/instructions counts under callgrind
 *
 *	instructions --list	prints the names of the operations
 *	instructions NAME N	sets up what the operation needs, and makes it N times
 *
 * The script runs an operation with two values of N. The difference is the cost of the operation,
 * without that of the setup. The program uses public names of the library only, so that it can be
 * built against another edition of it.
 */
#include <gmemstate/state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_1G (1ULL << GMS_ORDER_1G)
#define PAGES_2M (1ULL << GMS_ORDER_2M)

static volatile uint64_t instructions_sum;

/* Ends the program if a call failed. */
static void instructions_must(int err)
{
	if (err) {
		fprintf(stderr, "instructions: a call failed: %d\n", err);
		exit(1);
	}
}

/* ---- a backend and a listener that do nothing ---- */

static int hook_unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)ctx, (void)start, (void)nr_pages;
	return 0;
}

static void hook_invalidate(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)ctx, (void)start, (void)nr_pages;
}

static void hook_zap_guest(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability only)
{
	(void)ctx, (void)start, (void)nr_pages, (void)only;
}

static int hook_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		      gms_pgoff_t *failed)
{
	(void)ctx, (void)start, (void)nr_pages, (void)to, (void)failed;
	return 0;
}

static int hook_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to)
{
	(void)ctx, (void)start, (void)nr_pages, (void)to;
	return 0;
}

static int hook_change(void *ctx, const struct gms_run *runs, size_t count,
		       enum gms_shareability to, size_t *done)
{
	(void)ctx, (void)runs, (void)count, (void)to, (void)done;
	return 0;
}

static struct gms_state *instructions_create(unsigned int order, bool hooks, const char *policy)
{
	static const struct gms_backend_ops ops = {
		.struct_size = sizeof(ops),
		.unmap_host = hook_unmap_host,
		.invalidate_begin = hook_invalidate,
		.zap_guest = hook_zap_guest,
		.apply = hook_apply,
		.undo = hook_undo,
		.invalidate_end = hook_invalidate,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *s;

	opts.nr_pages = 64 * PAGES_1G;
	opts.folio_order = order;
	opts.backend = hooks ? &ops : NULL;
	opts.policy = policy ? gms_policy_by_name(policy) : NULL;
	instructions_must(gms_state_create(&opts, &s));
	return s;
}

/* ---- operations ---- */

/* Converts a range to private and back. */
static void instructions_flip(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			      unsigned int flags)
{
	instructions_must(gms_convert(s, start, nr_pages, GMS_PRIVATE, flags, NULL));
	instructions_must(gms_convert(s, start, nr_pages, GMS_SHARED, flags, NULL));
}

static void op_convert_4k(struct gms_state *s, uint64_t i)
{
	instructions_flip(s, 5 + i % 50 * 2, 1, 0);
}

static void op_convert_far(struct gms_state *s, uint64_t i)
{
	instructions_flip(s, i * 7919 % (60 * PAGES_1G), 1, 0);
}

static void op_convert_2m(struct gms_state *s, uint64_t i)
{
	instructions_flip(s, i % 50 * PAGES_2M, PAGES_2M, 0);
}

static void op_convert_4g(struct gms_state *s, uint64_t i)
{
	instructions_flip(s, i % 4 * PAGES_1G, 4 * PAGES_1G, 0);
}

static void op_resumable(struct gms_state *s, uint64_t i)
{
	instructions_flip(s, 1000 + i % 50, 3 * PAGES_1G, GMS_CONVERT_RESUMABLE);
}

static void op_noop(struct gms_state *s, uint64_t i)
{
	instructions_must(gms_convert(s, i % 1000, 1, GMS_SHARED, 0, NULL));
}

static void op_policy(struct gms_state *s, uint64_t i)
{
	if (!i)
		instructions_must(gms_allocate(s, 0, 4 * PAGES_1G, NULL));
	instructions_flip(s, 1000, 16, 0);
	if (i % 16 == 0)
		instructions_sum += gms_maintain(s, 4);
}

/* Answers a fault, in memory that is allocated and bound. */
static void instructions_fault(struct gms_state *s, uint64_t i, enum gms_accessor accessor)
{
	struct gms_fault fault;
	unsigned int id;

	if (!i) {
		instructions_must(gms_allocate(s, 0, 2 * PAGES_1G, NULL));
		instructions_must(gms_bind(s, 0, 0, 2 * PAGES_1G, &id));
	}
	instructions_must(gms_fault_begin(s, i * 37 % (2 * PAGES_1G), accessor, &fault));
	gms_fault_end(s, &fault);
}

static void op_fault_guest(struct gms_state *s, uint64_t i)
{
	instructions_fault(s, i, GMS_GUEST);
}

static void op_fault_host(struct gms_state *s, uint64_t i)
{
	instructions_fault(s, i, GMS_HOST);
}

static void op_pin(struct gms_state *s, uint64_t i)
{
	instructions_must(gms_pin(s, 100, 1 + i % 2 * 600, NULL));
	gms_unpin(s, 100, 1 + i % 2 * 600);
}

static void op_hole(struct gms_state *s, uint64_t i)
{
	(void)i;
	instructions_must(gms_allocate(s, 0, 4096, NULL));
	instructions_must(gms_punch_hole(s, 100, 2000, NULL));
	instructions_must(gms_punch_hole(s, 0, 4096, NULL));
}

static void op_attr(struct gms_state *s, uint64_t i)
{
	unsigned int id = 0;

	if (!i)
		instructions_must(gms_attr_create(s, &id));
	instructions_must(gms_attr_set(s, 0, 10, 5, i % 2));
	instructions_must(gms_inhibit(s, 9, 3, GMS_ORDER_4K));
	instructions_must(gms_uninhibit(s, 9, 3));
}

static void op_listener(struct gms_state *s, uint64_t i)
{
	static const struct gms_listener_ops ops = {.struct_size = sizeof(ops),
						    .change = hook_change};
	unsigned int id;

	if (!i)
		instructions_must(gms_listener_register(s, &ops, NULL, 0, 4 * PAGES_1G, 512, &id));
	instructions_flip(s, 100, 1, 0);
	instructions_flip(s, 5000, 3000, 0);
}

static void op_query(struct gms_state *s, uint64_t i)
{
	const gms_pgoff_t at = i * 37 % 32768;
	struct gms_iter iter;
	struct gms_run run;

	if (!i)
		for (unsigned int k = 0; k < 100; k++)
			instructions_must(gms_convert(s, k * 300, 3, GMS_PRIVATE, 0, NULL));
	instructions_sum += gms_is_private(s, at) + gms_summary(s, at, GMS_ORDER_2M) +
			    gms_max_order(s, at) + gms_count(s, at, 100, GMS_PRIVATE) +
			    gms_range_is(s, at, 10, GMS_SHARED) + gms_first_pin(s, at, 10, NULL);
	gms_iter_init(&iter, s, at, 1000);
	while (gms_iter_next(&iter, &run))
		instructions_sum++;
}

static const struct {
	const char *name;
	unsigned int order; /* of the folios */
	bool hooks;
	const char *policy;
	void (*op)(struct gms_state *s, uint64_t i);
} instructions_ops[] = {
	{"convert_4k", 0, false, NULL, op_convert_4k},
	{"convert_far", 0, false, NULL, op_convert_far},
	{"convert_2m", 0, false, NULL, op_convert_2m},
	{"convert_4g", 0, false, NULL, op_convert_4g},
	{"convert_resumable", 0, false, NULL, op_resumable},
	{"convert_noop", 0, false, NULL, op_noop},
	{"convert_hooks", 0, true, NULL, op_convert_4k},
	{"policy_lazy", 9, true, "lazy", op_policy},
	{"policy_eager", 9, true, "eager", op_policy},
	{"policy_nonuniform", 18, true, "eager-nonuniform", op_policy},
	{"policy_adaptive", 18, true, "adaptive", op_policy},
	{"fault_guest", 0, false, NULL, op_fault_guest},
	{"fault_guest_2m", 9, false, NULL, op_fault_guest},
	{"fault_host", 0, false, NULL, op_fault_host},
	{"fault_host_2m", 9, false, NULL, op_fault_host},
	{"pin", 0, false, NULL, op_pin},
	{"pin_2m", 9, false, NULL, op_pin},
	{"hole", 0, false, NULL, op_hole},
	{"hole_2m", 9, true, NULL, op_hole},
	{"attr", 0, true, NULL, op_attr},
	{"listener", 0, false, NULL, op_listener},
	{"query", 0, false, NULL, op_query},
};

#define INSTRUCTIONS_NR_OPS (sizeof(instructions_ops) / sizeof(instructions_ops[0]))

int main(int argc, char **argv)
{
	const uint64_t nr = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;

	for (size_t k = 0; k < INSTRUCTIONS_NR_OPS; k++) {
		struct gms_state *s;

		if (argc == 2) /* --list */
			printf("%s\n", instructions_ops[k].name);
		if (argc != 3 || strcmp(argv[1], instructions_ops[k].name))
			continue;
		s = instructions_create(instructions_ops[k].order, instructions_ops[k].hooks,
					instructions_ops[k].policy);
		for (uint64_t i = 0; i < nr; i++)
			instructions_ops[k].op(s, i);
		return 0;
	}
	return argc != 2;
}
