// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ledger.c - checks the answers of readers against the stores that were made at the time
 */
#include "ledger.h"
#include "test.h"

/* If more stores run during a query, all fills are allowed, because a check would take long. */
#define MANY 12

void ledger_init(struct ledger *ledger, uint64_t nr_pages, bool full, uint64_t room)
{
	twin_init(&ledger->twin, nr_pages, full);
	ledger->entries = calloc(room, sizeof(*ledger->entries));
	assert_non_null(ledger->entries);
	ledger->room = room;
	atomic_store(&ledger->begun, 0);
	atomic_store(&ledger->ended, 0);
}

void ledger_fini(struct ledger *ledger)
{
	const uint64_t ended = atomic_load(&ledger->ended);

	assert_int_equal(atomic_load(&ledger->begun), ended);
	for (uint64_t i = 0; i < ended; i++) {
		const struct entry *entry = &ledger->entries[i];

		if (!entry->reverted)
			oracle_store(&ledger->twin.oracle, entry->start, entry->nr_pages,
				     entry->set);
	}
	assert_fine(twin_check(&ledger->twin));
	twin_fini(&ledger->twin);
	free(ledger->entries);
}

bool ledger_has_room(const struct ledger *ledger)
{
	return atomic_load_explicit(&ledger->begun, memory_order_relaxed) < ledger->room;
}

void ledger_begin(struct ledger *ledger, const struct entry *entry)
{
	const uint64_t begun = atomic_load_explicit(&ledger->begun, memory_order_relaxed);

	ledger->entries[begun] = *entry;
	/* A reader that sees a store of the tree, by an acquire, sees this entry too. */
	atomic_store_explicit(&ledger->begun, begun + 1, memory_order_release);
}

void ledger_end(struct ledger *ledger)
{
	const uint64_t begun = atomic_load_explicit(&ledger->begun, memory_order_relaxed);

	atomic_store_explicit(&ledger->ended, begun, memory_order_release);
}

void ledger_store(struct ledger *ledger, const struct entry *entry)
{
	struct gms_rtree *tree = ledger->twin.tree;
	struct gms_rtree_reserve reserve;
	int rc = gms_rtree_prepare(tree, entry->start, entry->nr_pages, &reserve);

	if (rc)
		exit(2);
	ledger_begin(ledger, entry);
	gms_rtree_commit(tree, entry->start, entry->nr_pages, entry->set, &reserve);
	if (entry->reverted)
		gms_rtree_revert(tree, &reserve);
	gms_rtree_release(tree, &reserve);
	ledger_end(ledger);
}

void view_init(struct view *view, const struct ledger *ledger)
{
	view->ledger = ledger;
	oracle_init(&view->oracle, ledger->twin.oracle.nr_pages, false);
	oracle_copy(&view->oracle, &ledger->twin.oracle);
	oracle_init(&view->scratch, ledger->twin.oracle.nr_pages, false);
	view->at = 0;
	view->answers = view->reported = 0;
}

void view_fini(struct view *view)
{
	oracle_fini(&view->oracle);
	oracle_fini(&view->scratch);
}

void view_catch_up(struct view *view)
{
	const uint64_t ended = atomic_load_explicit(&view->ledger->ended, memory_order_acquire);

	for (; view->at < ended; view->at++) {
		const struct entry *entry = &view->ledger->entries[view->at];

		if (!entry->reverted)
			oracle_store(&view->oracle, entry->start, entry->nr_pages, entry->set);
	}
}

uint64_t ledger_begun(const struct ledger *ledger)
{
	return atomic_load_explicit(&ledger->begun, memory_order_acquire);
}

bool view_allows(const struct view *view, uint64_t begun, uint64_t index, bool set)
{
	if (oracle_test(&view->oracle, index) == set)
		return true;
	for (uint64_t i = view->at; i < begun; i++) {
		const struct entry *entry = &view->ledger->entries[i];

		if (entry->set == set && index - entry->start < entry->nr_pages)
			return true;
	}
	return false;
}

unsigned int view_fills(struct view *view, uint64_t begun, uint64_t index, unsigned int order)
{
	const uint64_t start = index >> order << order, nr_pages = 1ULL << order;
	const uint64_t existing = view->oracle.nr_pages - start;
	struct oracle *now = &view->scratch;
	unsigned int fills = 1U << oracle_fill(&view->oracle, index, order);

	if (view->at == begun)
		return fills;
	if (begun - view->at > MANY)
		return 7;
	oracle_copy_range(now, &view->oracle, start, nr_pages < existing ? nr_pages : existing);
	for (uint64_t i = view->at; i < begun; i++) {
		const struct entry *entry = &view->ledger->entries[i];
		const uint64_t from = entry->start > start ? entry->start : start;
		uint64_t end = entry->start + entry->nr_pages;

		end = end < start + nr_pages ? end : start + nr_pages;
		if (from >= end)
			continue;
		oracle_store(now, from, end - from, entry->set);
		fills |= 1U << oracle_fill(now, index, order);
		if (!entry->reverted)
			continue;
		/* the revert leaves the array and the earlier stores that stayed */
		oracle_copy_range(now, &view->oracle, start,
				  nr_pages < existing ? nr_pages : existing);
		for (uint64_t k = view->at; k < i; k++)
			if (!view->ledger->entries[k].reverted)
				oracle_store(now, view->ledger->entries[k].start,
					     view->ledger->entries[k].nr_pages,
					     view->ledger->entries[k].set);
	}
	return fills;
}

/* Returns the end of the largest store that could have given the page the value @set. */
static uint64_t end_of_stores(const struct view *view, uint64_t begun, uint64_t index, bool set)
{
	uint64_t end = index;

	for (uint64_t i = view->at; i < begun; i++) {
		const struct entry *entry = &view->ledger->entries[i];

		if (entry->set == set && index - entry->start < entry->nr_pages &&
		    entry->start + entry->nr_pages > end)
			end = entry->start + entry->nr_pages;
	}
	return end;
}

uint64_t view_first_wrong(const struct view *view, uint64_t begun, const struct gms_rtree_run *run)
{
	const uint64_t end = run->start + run->nr_pages;
	struct gms_rtree_run part;
	uint64_t at = run->start;

	while (oracle_next(&view->oracle, at, end, &part)) {
		const uint64_t reach = part.set == run->set
					       ? at + part.nr_pages
					       : end_of_stores(view, begun, at, run->set);

		if (reach == at)
			return at;
		at = reach;
	}
	return UINT64_MAX;
}
