// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 04_own_policy.c - a policy of the program's own, and a backend that splits and merges
 *
 * The policy splits as lazy does. It merges a block as soon as a conversion leaves the block
 * uniform, but not in a 1G block that has flipped too often: a flip is a change between uniform
 * and mixed. The policy's context holds the limit.
 *
 * The backend has two of the hooks. The library treats a missing hook as one that succeeds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gmemstate/order.h>
#include <gmemstate/state.h>

/* The policy's context. Several threads query a policy at once, so decide() only reads this. */
struct patience {
	uint32_t flips; /* the largest number of flips of a 1G block that is still merged */
};

/* Decides about a folio: an order above the folio's requests a merge, one below it a split. */
static void decide(void *ctx, const struct gms_policy_view *view,
		   struct gms_policy_verdict *verdict)
{
	const struct patience *patience = ctx;

	gms_policy_lazy()->decide(NULL, view, verdict);
	if (view->event != GMS_EV_CONVERT || view->flips > patience->flips)
		return;
	if (view->s1g != GMS_MIXED)
		verdict->order = GMS_ORDER_1G;
	else if (view->s2m != GMS_MIXED && view->folio_order == GMS_ORDER_4K)
		verdict->order = GMS_ORDER_2M;
}

/* The backend's context. Hooks for different folios run at once: a real backend takes a lock. */
struct machine {
	unsigned int splits, merges;
};

static int folio_split(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	struct machine *machine = ctx;

	machine->splits++;
	printf("    split 2^%u pages at %#" PRIx64 " to 2^%u\n", from, index, to);
	return 0;
}

/* Merges folios. After an error the folios would stay split, and the conversion would succeed. */
static int folio_merge(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	struct machine *machine = ctx;

	machine->merges++;
	printf("    merge 2^%u pages at %#" PRIx64 " to 2^%u\n", from, index, to);
	return 0;
}

/* Reads a page as the host, which takes a fault. */
static int host_reads(struct gms_state *state, gms_pgoff_t index)
{
	struct gms_fault fault;
	int rc;

	rc = gms_fault_begin(state, index, GMS_HOST, &fault);
	if (!rc)
		gms_fault_end(state, &fault);
	return rc;
}

/* Repeats: the guest shares a page, the host reads it, the guest makes it private again. */
static int bounce(struct gms_state *state, gms_pgoff_t index)
{
	int rc = 0;

	for (int round = 1; round <= 3 && !rc; round++) {
		printf("  round %d\n", round);
		rc = gms_convert(state, index, 1, GMS_SHARED, 0, NULL);
		if (!rc)
			rc = host_reads(state, index);
		if (!rc)
			rc = gms_convert(state, index, 1, GMS_PRIVATE, 0, NULL);
		printf("    the folio is one of 2^%u pages\n", gms_folio_order(state, index));
	}
	return rc;
}

static int run(uint32_t flips)
{
	struct machine machine = {0, 0};
	struct patience patience = {flips};
	const struct gms_backend_ops backend = {
		.struct_size = sizeof(backend),
		.folio_split = folio_split,
		.folio_merge = folio_merge,
	};
	const struct gms_policy_ops policy = {
		.struct_size = sizeof(policy),
		.name = "patient",
		.decide = decide,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	int rc;

	opts.nr_pages = gms_order_pages(GMS_ORDER_1G);
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = GMS_ORDER_1G;
	opts.policy = &policy; /* policy and backend are copied, their contexts are not */
	opts.policy_ctx = &patience;
	opts.backend = &backend;
	opts.backend_ctx = &machine;
	rc = gms_state_create(&opts, &state);
	if (rc)
		return rc;
	printf("Patience for %" PRIu32 " flips:\n", flips);
	rc = bounce(state, 0x12345);
	printf("  the guest ends\n"); /* split folios are merged and freed */
	gms_state_destroy(state);
	printf("  %u splits, %u merges\n", machine.splits, machine.merges);
	return rc;
}

int main(void)
{
	int rc;

	rc = run(2);
	if (!rc)
		rc = run(100);
	if (rc)
		fprintf(stderr, "04_own_policy: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
