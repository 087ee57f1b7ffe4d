// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * folio.c - the folios of a guest_memfd in the page cache: see folio.h
 *
 * References. A folio has one reference for each of its pages from the page cache, one for each
 * mapping of the host, and those of its users. A reference that is not explained by the page
 * cache and by mappings is a pin, if it stays. Others go soon:
 *
 *  - KVM has one from kvm_gmem_get_pfn() until it has mapped the page, or given up;
 *  - get_user_pages_fast() has one until it has seen that the page table changed;
 *  - a folio that was just added, mlocked or munlocked is on a list of its CPU, until that is
 *    drained.
 *
 * So the folio is looked at again, a few times, and then the lists are drained: that wakes a
 * worker on each CPU, and may take milliseconds if they are busy.
 */
#include "folio.h"

#include <linux/delay.h>
#include <linux/folio_batch.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include <gmemstate/types.h>

#define FOLIO_NR_PAGES (1UL << GMS_ORDER_2M)
#define FOLIO_LOOKS 8 /* of some 20 to 100 us */
#define FOLIO_LOOK_DRAINED 2

/* ---- allocating ---- */

/* @nid: where to allocate if there is no memory policy; NUMA_NO_NODE: by the policy of the task */
static struct folio *folio_new(const struct gms_gmem_folios *f, pgoff_t index, unsigned int order,
			       gfp_t more, int nid)
{
	gfp_t gfp = mapping_gfp_mask(f->mapping) | more;
	struct mempolicy *policy;
	struct folio *folio;

	if (order)
		gfp |= __GFP_NORETRY | __GFP_NOWARN;
	policy = mpol_shared_policy_lookup(f->mempolicy, index);
	if (policy || nid == NUMA_NO_NODE)
		folio = filemap_alloc_folio(gfp, order, policy);
	else
		folio = __folio_alloc_node(gfp | __GFP_THISNODE, order, nid);
	mpol_cond_put(policy);
	return folio;
}

static int folio_add(const struct gms_gmem_folios *f, pgoff_t index, unsigned int order)
{
	struct folio *folio = folio_new(f, index, order, __GFP_ZERO, NUMA_NO_NODE);
	int err;

	if (!folio)
		return -ENOMEM;
	err = filemap_add_folio(f->mapping, folio, index, mapping_gfp_mask(f->mapping));
	if (!err) {
		folio_mark_uptodate(folio);
		folio_unlock(folio);
	}
	folio_put(folio);
	return err;
}

int gms_gmem_folio_alloc(struct gms_gmem_folios *f, pgoff_t index, unsigned int order)
{
	int err = folio_add(f, index, order);
	unsigned long i;

	if (err != -ENOMEM || !order)
		return err;
	for (i = 0; i < 1UL << order; i++) {
		err = folio_add(f, index + i, 0);
		if (err)
			goto undo;
		cond_resched();
	}
	atomic64_inc(&f->fallbacks);
	return 0;
undo:
	if (i)
		truncate_inode_pages_range(f->mapping, (loff_t)index << PAGE_SHIFT,
					   ((loff_t)(index + i) << PAGE_SHIFT) - 1);
	return err;
}

/* ---- references ---- */

/*
 * Waits for the end of references that do not stay. The caller has @held references of its own.
 * Returns false if there are others. The answer is stable if the host has no mapping of the folio.
 */
static bool folio_settle(struct folio *folio, int held)
{
	int i;

	for (i = 0; i < FOLIO_LOOKS; i++) {
		if (folio_ref_count(folio) == folio_expected_ref_count(folio) + held)
			return true;
		if (i == FOLIO_LOOK_DRAINED)
			lru_add_drain_all();
		else
			usleep_range(20, 100);
	}
	return folio_ref_count(folio) == folio_expected_ref_count(folio) + held;
}

int gms_gmem_folio_check_pins(struct gms_gmem_folios *f, pgoff_t start, u64 nr_pages,
			      pgoff_t *pinned)
{
	const pgoff_t first = start, last = start + nr_pages - 1;
	struct folio_batch batch;
	int err = 0;

	folio_batch_init(&batch);
	while (!err && filemap_get_folios(f->mapping, &start, last, &batch)) {
		unsigned int i;

		for (i = 0; i < folio_batch_count(&batch) && !err; i++) {
			struct folio *folio = batch.folios[i];

			if (!folio_settle(folio, 1)) {
				*pinned = max(folio->index, first);
				err = -EAGAIN;
			}
		}
		folios_put(&batch);
		cond_resched();
	}
	return err;
}

/* ---- splitting ---- */

int gms_gmem_folio_split(struct gms_gmem_folios *f, pgoff_t index)
{
	int err, i;

	for (i = 0; i < FOLIO_LOOKS; i++) {
		struct folio *folio = filemap_lock_folio(f->mapping, index);

		if (WARN_ON_ONCE(IS_ERR(folio)))
			return PTR_ERR(folio);
		/* a block of order 9 that is made of pages has nothing to split: G4 of gmem.h */
		err = folio_test_large(folio) ? split_folio(folio) : 0;
		folio_unlock(folio);
		folio_put(folio);
		if (err != -EAGAIN)
			return err;
		/* Somebody who has a reference may be waiting for the lock. */
		usleep_range(20, 100);
	}
	atomic64_inc(&f->busy);
	return err;
}

/* ---- merging ---- */

/* The pages that become one folio. Those that were taken are locked, and we have a reference. */
struct folio_merge {
	struct folio *new;
	unsigned int taken;
	struct folio *old[FOLIO_NR_PAGES];
};

#define FOLIO_REFS 2 /* of a page that is taken: one of the page cache, and ours */

/*
 * Allocates and locks the folio of a merge, on the node of the block's first page, and for the
 * cgroup that pays for it.
 */
static struct folio *folio_new_merged(struct gms_gmem_folios *f, pgoff_t index, int nid,
				      struct mem_cgroup *memcg)
{
	struct mem_cgroup *active;
	struct folio *new;
	pgoff_t pinned;
	int err;

	if (!READ_ONCE(f->can_copy))
		return ERR_PTR(-EOPNOTSUPP);
	if (gms_gmem_folio_check_pins(f, index, FOLIO_NR_PAGES, &pinned))
		return ERR_PTR(-EBUSY);
	new = folio_new(f, index, GMS_ORDER_2M, 0, nid);
	if (!new)
		return ERR_PTR(-ENOMEM);
	active = set_active_memcg(memcg);
	err = mem_cgroup_charge(new, NULL, GFP_KERNEL);
	set_active_memcg(active);
	if (err) {
		folio_put(new);
		return ERR_PTR(err);
	}
	__folio_set_locked(new);
	return new;
}

/*
 * Prepares a merge, while the block is still mapped. A pin refuses it here, before anybody has
 * lost a mapping. Returns the new folio, locked; NULL if the page cache has one folio for the
 * block already; or an error.
 */
struct folio *gms_gmem_folio_merge_begin(struct gms_gmem_folios *f, pgoff_t index)
{
	struct folio *old = filemap_get_folio(f->mapping, index), *new = NULL;
	struct mem_cgroup *memcg;
	bool whole;
	int nid;

	if (WARN_ON_ONCE(IS_ERR(old)))
		return old;
	/* a worker may be merging, elsewhere and for nobody */
	whole = folio_test_large(old);
	nid = folio_nid(old);
	memcg = get_mem_cgroup_from_folio(old);
	folio_put(old);
	if (!whole)
		new = folio_new_merged(f, index, nid, memcg);
	mem_cgroup_put(memcg);
	return new;
}

static int folio_take(struct gms_gmem_folios *f, struct folio_merge *m, pgoff_t index)
{
	struct folio *folio = filemap_lock_folio(f->mapping, index);

	if (WARN_ON_ONCE(IS_ERR(folio)))
		return PTR_ERR(folio);
	if (folio_test_large(folio) || folio_test_hwpoison(folio) || !folio_settle(folio, 1)) {
		folio_unlock(folio);
		folio_put(folio);
		return -EBUSY;
	}
	m->old[m->taken++] = folio;
	return 0;
}

static void folio_give_back(struct folio_merge *m)
{
	while (m->taken) {
		struct folio *folio = m->old[--m->taken];

		folio_unlock(folio);
		folio_put(folio);
	}
}

/* Nobody writes to the pages: they are not mapped, and had no other reference when taken. */
static int folio_copy_pages(struct folio_merge *m)
{
	unsigned int i;

	for (i = 0; i < FOLIO_NR_PAGES; i++) {
		if (copy_mc_highpage(folio_page(m->new, i), &m->old[i]->page))
			return -EHWPOISON;
		cond_resched();
	}
	folio_mark_uptodate(m->new);
	return 0;
}

/* Freezes the references of all pages, or of none: who looks a page up then has to look again. */
static bool folio_freeze_all(struct folio_merge *m)
{
	unsigned int i;

	for (i = 0; i < FOLIO_NR_PAGES; i++)
		if (!folio_ref_freeze(m->old[i], FOLIO_REFS))
			break;
	if (i == FOLIO_NR_PAGES)
		return true;
	while (i--)
		folio_ref_unfreeze(m->old[i], FOLIO_REFS);
	return false;
}

/*
 * Puts the new folio into the page cache, over the pages. The nodes that the entry needs exist,
 * because the pages are below them. So the store allocates nothing. Returns 0 or -EBUSY.
 */
static int folio_replace(struct gms_gmem_folios *f, struct folio_merge *m, pgoff_t index)
{
	XA_STATE_ORDER(xas, &f->mapping->i_pages, index, GMS_ORDER_2M);
	unsigned int i;

	xas_lock_irq(&xas);
	if (!folio_freeze_all(m)) {
		xas_unlock_irq(&xas);
		return -EBUSY;
	}
	m->new->mapping = f->mapping;
	m->new->index = index;
	folio_ref_add(m->new, FOLIO_NR_PAGES);
	xas_store(&xas, m->new);
	WARN_ON_ONCE(xas_error(&xas));
	lruvec_stat_mod_folio(m->new, NR_FILE_PAGES, FOLIO_NR_PAGES);
	lruvec_stat_mod_folio(m->new, NR_FILE_THPS, FOLIO_NR_PAGES);
	for (i = 0; i < FOLIO_NR_PAGES; i++)
		lruvec_stat_mod_folio(m->old[i], NR_FILE_PAGES, -1);
	xas_unlock_irq(&xas);
	folio_add_lru(m->new);
	return 0;
}

static void folio_free_old(struct folio_merge *m)
{
	while (m->taken) {
		struct folio *folio = m->old[--m->taken];

		folio->mapping = NULL;
		folio_ref_unfreeze(folio, FOLIO_REFS);
		folio_unlock(folio);
		folio_put_refs(folio, FOLIO_REFS);
	}
}

/*
 * Merges by copying, because the pages of the block are anywhere. The caller holds the locks of
 * the state, so there is no fault in the block; has unmapped it from the host; and invalidates it
 * in KVM meanwhile.
 */
int gms_gmem_folio_merge_end(struct gms_gmem_folios *f, pgoff_t index, struct folio *new)
{
	struct folio_merge *m = kzalloc(sizeof(*m), GFP_KERNEL);
	int err = m ? 0 : -ENOMEM;

	if (err)
		goto put;
	m->new = new;
	while (!err && m->taken < FOLIO_NR_PAGES)
		err = folio_take(f, m, index + m->taken);
	if (!err)
		err = folio_copy_pages(m);
	if (!err)
		err = folio_replace(f, m, index);
	if (err) {
		folio_give_back(m);
	} else {
		folio_free_old(m);
		atomic64_inc(&f->copies);
	}
	kfree(m);
put:
	folio_unlock(new);
	folio_put(new);
	return err;
}
