/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xa_kvm.c - peer: the kernel's XArray, page by page, as KVM keeps memory attributes
 *
 * One entry a private page, none for a shared one. A change looks first whether the range
 * has the attribute already, then reserves an entry for each page, then stores each: what
 * KVM_SET_MEMORY_ATTRIBUTES does. KVM's mutex around that is left out. A 1T guest would
 * take some 2.5 GB and 20 s to make private, and a range costs by its pages alone: large
 * ranges run in a guest of 16G.
 */
#include "kshim.h"

#include "shared.h"

#include "lib/xarray.c"

#define PEER_NAME "xa-kvm"
#define PEER_SYMBOL bench_peer_xa_kvm
#define P_SIZE_MAX BENCH_16G
#define P_RANGE_BITS BENCH_16G
#define P_RANGE_BATCH 2
#define P_CONCURRENT

#define KVM_PRIVATE xa_mk_value(8)

typedef struct {
	struct xarray xa;
} p_obj;

struct kmem_cache *radix_tree_node_cachep;

void radix_tree_node_rcu_free(struct rcu_head *head)
{
	kmem_cache_free(radix_tree_node_cachep, container_of(head, struct xa_node, rcu_head));
}

static void construct_node(void *node)
{
	memset(node, 0, sizeof(struct xa_node));
	INIT_LIST_HEAD(&((struct xa_node *)node)->private_list);
}

static void store(p_obj *o, uint64_t start, uint64_t nr, void *entry);

static bench_noinline p_obj *p_create(uint64_t nr_pages, bool set)
{
	p_obj *o = bench_alloc(sizeof(*o), 64);

	if (!radix_tree_node_cachep)
		radix_tree_node_cachep =
			kmem_cache_create("", sizeof(struct xa_node), 8, 0, construct_node);
	xa_init(&o->xa);
	if (set)
		store(o, 0, nr_pages, KVM_PRIVATE);
	return o;
}

static bench_noinline void p_destroy(p_obj *o)
{
	xa_destroy(&o->xa);
	bench_free(o, sizeof(*o), 64);
}

static bench_noinline bool p_test(p_obj *o, uint64_t i)
{
	return xa_load(&o->xa, i);
}

/* Do all pages have the entry already? */
static bool range_has(p_obj *o, uint64_t start, uint64_t end, void *want)
{
	XA_STATE(xas, &o->xa, start);
	bool has = true;

	if (end == start + 1)
		return xa_load(&o->xa, start) == want;
	rcu_read_lock();
	for (uint64_t i = start; has && i < end; i++) {
		void *entry;

		do {
			entry = want ? xas_next(&xas) : xas_next_entry(&xas, end - 1);
		} while (xas_retry(&xas, entry));
		if (!entry) {
			has = !want;
			break;
		}
		has = want && xas.xa_index == i && entry == want;
	}
	rcu_read_unlock();
	return has;
}

static void store(p_obj *o, uint64_t start, uint64_t nr, void *entry)
{
	uint64_t i;

	if (range_has(o, start, start + nr, entry))
		return;
	for (i = start; i < start + nr; i++) {
		if (xa_reserve(&o->xa, i, GFP_KERNEL))
			abort();
	}
	for (i = start; i < start + nr; i++) {
		if (xa_err(xa_store(&o->xa, i, entry, GFP_KERNEL)))
			abort();
	}
}

static bench_noinline void p_set(p_obj *o, uint64_t start, uint64_t nr)
{
	store(o, start, nr, KVM_PRIVATE);
}

static bench_noinline void p_clear(p_obj *o, uint64_t start, uint64_t nr)
{
	store(o, start, nr, NULL);
}

#include "rows.h"
