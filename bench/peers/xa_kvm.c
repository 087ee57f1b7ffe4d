/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xa_kvm.c - peer: the kernel's XArray, page by page, as KVM keeps memory attributes
 *
 * A private page has an entry, a shared page has none. A store does what KVM_SET_MEMORY_ATTRIBUTES
 * does, without KVM's mutex: it checks whether the range has the attribute already, then reserves
 * an entry for each page, then stores each entry. To make a guest of 1T private would take some
 * 2.5 GB and 20 s. The cost of a range depends on its pages only, so rows with large ranges run in
 * a guest of 16G.
 */
#include "kshim.h"

#include "shared.h"

#include "lib/xarray.c"

#define PEER_NAME "xa-kvm"
#define PEER_SYMBOL bench_peer_xa_kvm
#define PEER_SIZE_MAX BENCH_16G
#define PEER_RANGE_BITS BENCH_16G
#define PEER_RANGE_BATCH 2
#define PEER_CONCURRENT

#define XA_KVM_PRIVATE xa_mk_value(8)

typedef struct {
	struct xarray xa;
} peer_obj;

struct kmem_cache *radix_tree_node_cachep;

void radix_tree_node_rcu_free(struct rcu_head *head)
{
	kmem_cache_free(radix_tree_node_cachep, container_of(head, struct xa_node, rcu_head));
}

static void xa_kvm_construct(void *node)
{
	memset(node, 0, sizeof(struct xa_node));
	INIT_LIST_HEAD(&((struct xa_node *)node)->private_list);
}

static void xa_kvm_store(peer_obj *o, uint64_t start, uint64_t nr, void *entry);

static bench_noinline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	peer_obj *o = bench_alloc(sizeof(*o), 64);

	if (!radix_tree_node_cachep)
		radix_tree_node_cachep =
			kmem_cache_create("", sizeof(struct xa_node), 8, 0, xa_kvm_construct);
	xa_init(&o->xa);
	if (set)
		xa_kvm_store(o, 0, nr_pages, XA_KVM_PRIVATE);
	return o;
}

static bench_noinline void peer_destroy(peer_obj *o)
{
	xa_destroy(&o->xa);
	bench_free(o, sizeof(*o), 64);
}

static bench_noinline bool peer_test(peer_obj *o, uint64_t i)
{
	return xa_load(&o->xa, i);
}

/* Returns true if all pages have the entry already. */
static bool xa_kvm_range_has(peer_obj *o, uint64_t start, uint64_t end, void *want)
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

static void xa_kvm_store(peer_obj *o, uint64_t start, uint64_t nr, void *entry)
{
	uint64_t i;

	if (xa_kvm_range_has(o, start, start + nr, entry))
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

static bench_noinline void peer_set(peer_obj *o, uint64_t start, uint64_t nr)
{
	xa_kvm_store(o, start, nr, XA_KVM_PRIVATE);
}

static bench_noinline void peer_clear(peer_obj *o, uint64_t start, uint64_t nr)
{
	xa_kvm_store(o, start, nr, NULL);
}

#include "rows.h"
