/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - a program outside the project, which uses the installed library
 *
 * This file is valid C11 and valid C++17. It calls some functions of each header, and checks their
 * answers. Other tests check the library in full.
 */
#include <gmemstate/alloc.h>
#include <gmemstate/backend.h>
#include <gmemstate/binding.h>
#include <gmemstate/fault.h>
#include <gmemstate/listener.h>
#include <gmemstate/order.h>
#include <gmemstate/policy.h>
#include <gmemstate/rtree.h>
#include <gmemstate/snapshot.h>
#include <gmemstate/state.h>
#include <gmemstate/types.h>
#ifdef WITH_KVM
#include <gmemstate/kvm.h>
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_PAGES (2ULL << GMS_ORDER_1G)
#define IN_2M (1ULL << GMS_ORDER_2M)

static int failures;

static void consumer_check(int fine, const char *what, int line)
{
	if (!fine) {
		printf("line %d: %s\n", line, what);
		failures++;
	}
}
#define CHECK(condition) consumer_check(condition, #condition, __LINE__)

/* ---- types.h, alloc.h, order.h, rtree.h ---- */

static void *consumer_alloc(void *ctx, size_t size, size_t align)
{
	++*(size_t *)ctx;
	return aligned_alloc(align, (size + align - 1) / align * align);
}

static void consumer_free(void *ctx, void *ptr, size_t size, size_t align)
{
	(void)size;
	(void)align;
	--*(size_t *)ctx;
	free(ptr);
}

static void consumer_use_rtree(void)
{
	size_t taken = 0;
	struct gms_allocator allocator = {sizeof(allocator), consumer_alloc, consumer_free, &taken};
	struct gms_rtree *tree = NULL;
	struct gms_rtree_run run;
	gms_pgoff_t start = 0;
	uint64_t nr_pages = 0;

	CHECK(gms_range_from_bytes(1, 4096, &start, &nr_pages) == -EINVAL);
	CHECK(gms_range_from_bytes(2ULL << 20, 4096, &start, &nr_pages) == 0);
	CHECK(start == IN_2M && nr_pages == 1);
	CHECK(gms_order_down(start + 1, GMS_ORDER_2M) == start);

	CHECK(gms_rtree_create(NR_PAGES, GMS_RTREE_NONE, &allocator, &tree) == 0);
	CHECK(taken > 0 && gms_rtree_set(tree, start, nr_pages) == 0);
	CHECK(gms_rtree_fill(tree, start, GMS_ORDER_2M) == GMS_RTREE_MIXED);
	CHECK(gms_rtree_next(tree, start, NR_PAGES, &run) && run.set && run.nr_pages == 1);
	gms_rtree_destroy(tree);
	CHECK(taken == 0);
}

/* ---- policy.h, backend.h ---- */

static unsigned int queries, applied;

static void consumer_decide(void *ctx, const struct gms_policy_view *view,
			    struct gms_policy_verdict *verdict)
{
	(void)ctx;
	queries++;
	verdict->order = view->folio_order;
	verdict->uniform = false;
}

static int consumer_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
			  gms_pgoff_t *failed)
{
	(void)ctx;
	(void)start;
	(void)to;
	(void)failed;
	applied += (unsigned int)nr_pages;
	return 0;
}

static struct gms_state *consumer_make(void)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_policy_ops policy = GMS_POLICY_OPS_INIT;
	struct gms_backend_ops backend = GMS_BACKEND_OPS_INIT;
	struct gms_state *state = NULL;

	policy.name = "as it is";
	policy.decide = consumer_decide;
	backend.apply = consumer_apply;
	opts.nr_pages = NR_PAGES;
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = &policy;
	opts.backend = &backend;
	CHECK(gms_policy_by_name("lazy") == gms_policy_lazy());
	CHECK(gms_state_create(&opts, &state) == 0);
	return state;
}

/* ---- state.h, fault.h ---- */

static void consumer_use_state(struct gms_state *state)
{
	struct gms_allocator allocator = GMS_ALLOCATOR_INIT;
	struct gms_stats stats = GMS_STATS_INIT;
	struct gms_iter iter;
	struct gms_run run;
	uint64_t seq = gms_seq_read(state, 0);

	CHECK(gms_allocate(state, 0, IN_2M, NULL) == 0);
	CHECK(gms_convert(state, 3, 1, GMS_SHARED, 0, NULL) == 0);
	CHECK(gms_seq_retry(state, 0, seq) && applied == 1 && queries > 0);
	CHECK(gms_is_private(state, 2) && !gms_is_private(state, 3));
	CHECK(gms_summary(state, 0, GMS_ORDER_2M) == GMS_MIXED);
	CHECK(gms_max_order(state, 1ULL << GMS_ORDER_1G) == GMS_ORDER_1G);
	CHECK(gms_count(state, 0, NR_PAGES, GMS_SHARED) == 1);
	gms_iter_init(&iter, state, 0, NR_PAGES);
	CHECK(gms_iter_next(&iter, &run) && run.nr_pages == 3 && run.shareability == GMS_PRIVATE);
	CHECK(allocator.struct_size == sizeof(allocator));
	gms_stats_read(state, &stats);
	CHECK(stats.conversions == 1 && stats.folios_allocated == 1);
}

static void consumer_use_fault(struct gms_state *state)
{
	gms_pgoff_t where = 0;
	struct gms_fault fault;

	CHECK(gms_fault_begin(state, 2, GMS_HOST, &fault) == -EACCES);
	CHECK(gms_fault_begin(state, 2, GMS_GUEST, &fault) == 0);
	CHECK(fault.folio_order == GMS_ORDER_2M && fault.max_order == 0 && !fault.prepared);
	CHECK(gms_fault_prepare(state, &fault) == 0);
	gms_fault_end(state, &fault);
	CHECK(gms_pin(state, 3, 1, NULL) == 0);
	CHECK(gms_convert(state, 0, IN_2M, GMS_PRIVATE, 0, &where) == -EAGAIN && where == 3);
	gms_unpin(state, 3, 1);
}

/* ---- listener.h, binding.h, snapshot.h ---- */

static int consumer_change(void *ctx, const struct gms_run *runs, size_t count,
			   enum gms_shareability to, size_t *done)
{
	uint64_t *held = (uint64_t *)ctx;

	(void)done;
	for (size_t i = 0; i < count; i++)
		*held += to == GMS_SHARED ? runs[i].nr_pages : -runs[i].nr_pages;
	return 0;
}

static void consumer_use_listener(struct gms_state *state)
{
	struct gms_listener_ops ops = GMS_LISTENER_OPS_INIT;
	uint64_t held = 0;
	unsigned int id = 0;

	CHECK(gms_listener_register(state, &ops, &held, 0, NR_PAGES, 1, &id) == -EINVAL);
	CHECK(!strcmp(gms_reason(), "the listener has no change"));
	ops.flags = GMS_LISTENER_CAN_SPLIT;
	ops.change = consumer_change;
	CHECK(gms_listener_register(state, &ops, &held, 0, NR_PAGES, 1, &id) == 0 && held == 1);
	CHECK(gms_convert(state, IN_2M, IN_2M, GMS_SHARED, 0, NULL) == 0 && held == IN_2M + 1);
	CHECK(gms_convert(state, IN_2M, 5, GMS_PRIVATE, 0, NULL) == 0 && held == IN_2M - 4);
	CHECK(gms_listener_unregister(state, id) == 0 && held == 0);
}

static void consumer_use_binding(struct gms_state *state)
{
	struct gms_fault fault;
	gms_pgoff_t index = 0;
	unsigned int id = 0, order = 0;

	CHECK(gms_bind(state, 1ULL << 20, 0, NR_PAGES, &id) == 0);
	CHECK(gms_gfn_to_index(state, (1ULL << 20) + 7, &index) == 0 && index == 7);
	CHECK(gms_gfn_max_order(state, (1ULL << 20) + 3 * IN_2M, &order) == 0);
	CHECK(order == GMS_ORDER_2M);
	CHECK(gms_fault_begin_gfn(state, (1ULL << 20) - 1, GMS_GUEST, &fault) == -ENOENT);
	CHECK(gms_unbind(state, id) == 0);
}

static void consumer_use_snapshot(struct gms_state *state)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *copy = NULL;
	const char *reason = "";
	size_t size = 0;
	void *buf;

	CHECK(gms_freeze(state) == 0);
	CHECK(gms_convert(state, 0, 1, GMS_SHARED, 0, NULL) == -EPERM);
	CHECK(gms_snapshot_save(state, NULL, 0, &size) == 0 && size > 0);
	buf = malloc(size);
	CHECK(buf && gms_snapshot_save(state, buf, size, NULL) == 0);
	CHECK(gms_thaw(state) == 0);
	CHECK(gms_snapshot_load(buf, size - 1, &opts, &copy) == -EBADMSG);
	CHECK(gms_snapshot_load(buf, size, &opts, &copy) == 0);
	CHECK(gms_count(copy, 0, NR_PAGES, GMS_SHARED) == IN_2M - 4);
	CHECK(gms_state_verify(copy, &reason));
	gms_state_destroy(copy);
	free(buf);
}

/* ---- kvm.h ---- */

#ifdef WITH_KVM
/* Uses the functions that need no VM. */
static void consumer_use_kvm(void)
{
	struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;
	struct gms_kvm *kvm = NULL;

	opts.nr_pages = NR_PAGES;
	opts.nr_slots = 1;
	CHECK(gms_kvm_ways(-1) == 0);
	CHECK(!strcmp(gms_kvm_way_name(GMS_KVM_MEMSLOTS), "memslots"));
	CHECK(gms_kvm_backend()->struct_size >= sizeof(size_t) && gms_kvm_backend()->apply);
	CHECK(gms_kvm_create(&opts, &kvm) < 0 && !kvm);
}
#else
static void consumer_use_kvm(void)
{
}
#endif

int main(void)
{
	struct gms_state *state;

	consumer_use_rtree();
	state = consumer_make();
	consumer_use_state(state);
	consumer_use_fault(state);
	consumer_use_listener(state);
	consumer_use_binding(state);
	consumer_use_snapshot(state);
	gms_state_destroy(state);
	consumer_use_kvm();
	puts(failures ? "not fine" : "fine");
	return failures != 0;
}
