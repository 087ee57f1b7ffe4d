// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * restructure.c - splitting and merging folios as the policy decides: see restructure.h
 */
#include "restructure.h"

#include "entry.h"
#include "history.h"

/* ---- policy queries ---- */

/* Returns the summary that a block will have after the conversion that the query is about. */
static enum gms_summary restructure_summary(const struct gms_state *s,
					    const struct gms_policy_query *query, gms_pgoff_t index,
					    unsigned int order)
{
	const enum gms_rtree_fill fill = (enum gms_rtree_fill)query->to;
	const gms_pgoff_t from = gms_order_down(index, order), to = gms_order_up(index, order);
	const bool before = query->start > from,
		   behind = query->end < to && query->end < s->nr_pages;

	if (query->start >= to || query->end <= from)
		return (enum gms_summary)gms_rtree_fill(s->private, index, order);
	/* In most mixed blocks a neighbour of the range differs from it. */
	if ((before && gms_rtree_test(s->private, query->start - 1) != (bool)fill) ||
	    (behind && gms_rtree_test(s->private, query->end) != (bool)fill))
		return GMS_MIXED;
	if ((before && gms_rtree_fill_range(s->private, from, query->start - from) != fill) ||
	    (behind && gms_rtree_fill_range(s->private, query->end, to - query->end) != fill))
		return GMS_MIXED;
	return (enum gms_summary)fill;
}

/* Returns the largest valid order that is not above @order, which a policy has chosen freely. */
static unsigned int restructure_round(unsigned int order)
{
	return order >= GMS_ORDER_1G   ? GMS_ORDER_1G
	       : order >= GMS_ORDER_2M ? GMS_ORDER_2M
				       : GMS_ORDER_4K;
}

/* Fills in the members to, s2m and s1g of a view. Summaries are those after the event. */
static void restructure_view_blocks(const struct gms_state *s, const struct gms_policy_query *query,
				    struct gms_policy_view *v)
{
	struct gms_rtree_look look;

	v->to = query->to;
	if (query->start != query->end) {
		v->s2m = restructure_summary(s, query, v->index, GMS_ORDER_2M);
		v->s1g = v->s2m == GMS_MIXED
				 ? GMS_MIXED
				 : restructure_summary(s, query, v->index, GMS_ORDER_1G);
		return;
	}
	look = query->look ? *query->look : gms_rtree_look(s->private, v->index);
	v->s2m = (enum gms_summary)look.fill_2m;
	v->s1g = (enum gms_summary)look.fill_1g;
	if (query->event != GMS_EV_CONVERT)
		v->to = (enum gms_shareability)look.set;
}

/*
 * Queries the policy about the folio at an index, if the policy decides about the event; else the
 * folio keeps its order. Returns the verdict, whose order is valid and at most query->cap.
 */
static struct gms_policy_verdict restructure_decide(const struct gms_state *s,
						    const struct gms_policy_query *query,
						    gms_pgoff_t index, struct gms_folio folio)
{
	struct gms_policy_verdict verdict = {.order = folio.order, .uniform = true};
	struct gms_policy_view view;

	if (!gms_policy_wants(s, query->event, query->accessor))
		goto cap;
	view.event = query->event;
	view.accessor = query->accessor;
	view.index = index;
	view.folio_index = folio.index;
	view.folio_order = folio.order;
	restructure_view_blocks(s, query, &view);
	view.pinned = gms_folio_pinned(&s->folios, folio);
	view.backing_order = gms_folios_backing_order(&s->folios, index);
	gms_history_view(s, index, &view);
	gms_rents_view(s, index, &view);
	s->policy.decide(s->policy_ctx, &view, &verdict);
	verdict.order = restructure_round(verdict.order);
cap:
	if (verdict.order > query->cap) { /* the hole needs this split, and no more than this */
		verdict.order = query->cap;
		verdict.uniform = false;
	}
	return verdict;
}

/* ---- splitting ---- */

/*
 * Splits a folio one step towards the verdict, unless another thread has split it meanwhile.
 * *folio is what is at the index afterwards.
 */
static int restructure_split_step(struct gms_state *s, const struct gms_policy_query *query,
				  gms_pgoff_t index, struct gms_policy_verdict verdict,
				  struct gms_folio *folio) GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	unsigned int to = GMS_ORDER_4K;
	struct gms_folio now;
	int err;

	if (folio->order == GMS_ORDER_1G && !(verdict.uniform && !verdict.order))
		to = GMS_ORDER_2M;
	/* A split that a pin puts off needs no record, and no memory. */
	if (gms_folio_pinned(&s->folios, *folio)) {
		gms_count_add(&s->counters, GMS_SPLITS_DEFERRED, 1);
		return GMS_BUSY;
	}
	err = gms_rents_make(s, *folio, to);
	if (err)
		return err;
	now = gms_folio_lock(&s->folios, index);
	if (now.index != folio->index || now.order != folio->order) {
		*folio = now;
		goto unlock;
	}
	err = gms_folio_split_begin(&s->folios, now);
	if (err == GMS_BUSY)
		gms_count_add(&s->counters, GMS_SPLITS_DEFERRED, 1);
	if (err)
		goto unlock;
	err = gms_folio_split_locked(&s->folios, now, to, query->journal);
	gms_folio_split_end(&s->folios, now);
	if (err)
		goto unlock;
	*folio = gms_folio_at(&s->folios, index);
	gms_history_tick(s, index);
	gms_rents_split(s, now, to);
unlock:
	gms_folio_unlock(&s->folios, now);
	return err;
}

int gms_restructure_split(struct gms_state *s, const struct gms_policy_query *query,
			  gms_pgoff_t index, struct gms_folio *folio, unsigned int *above)
{
	struct gms_policy_verdict verdict;
	int err = 0;

	*above = 0;
	if (!s->folios.order)
		return 0;
	for (;;) {
		verdict = restructure_decide(s, query, index, *folio);
		if (verdict.order >= folio->order)
			break;
		err = gms_check_frozen(s);
		if (err && gms_folio_pinned(&s->folios, *folio))
			err = GMS_BUSY; /* a pin defers the split of a frozen object, too */
		if (!err)
			err = restructure_split_step(s, query, index, verdict, folio);
		if (err)
			return err;
	}
	*above = verdict.order > folio->order ? verdict.order : 0;
	return 0;
}

int gms_restructure_split_ranges(struct gms_state *s, const struct gms_policy_query *query,
				 const struct gms_ranges *ranges, bool *merge, gms_pgoff_t *at)
{
	struct gms_ranges_walk walk = {0};
	/* Kept from range to range, so that a folio that several ranges touch is visited once. */
	gms_pgoff_t index = 0;

	while (gms_ranges_next(ranges, &walk)) {
		if (index < walk.range.start)
			index = walk.range.start;
		while (gms_folios_next_allocated(&s->folios, &index, walk.range.end)) {
			struct gms_folio folio = gms_folio_at(&s->folios, index);
			unsigned int above;
			int err;

			gms_cond_resched();
			err = gms_restructure_split(s, query, index, &folio, &above);
			if (err && err != GMS_BUSY) {
				*at = index;
				return err;
			}
			*merge |= above;
			index = folio.order ? gms_folio_end(folio)
					    : gms_order_up(index, GMS_ORDER_2M);
		}
	}
	return 0;
}

/* ---- merging ---- */

struct restructure_merge {
	gms_pgoff_t at; /* all pages before this one were looked at */
	gms_pgoff_t refused; /* the start of the last 1G block that could not be merged */
	uint64_t merges;
};

/*
 * Merges the block of the verdict's order at m->at, or, unless the verdict is exact, the largest
 * smaller block there that can be merged. Then moves m->at behind that block; if nothing was
 * merged, behind the folio or its 2M block. A 1G block that could not be merged is not tried again
 * for each of its 2M blocks.
 */
static void restructure_merge_at(struct gms_state *s, struct restructure_merge *m,
				 struct gms_folio folio, struct gms_policy_verdict verdict)
	GMS_REQUIRES(gms_invalidate_lock)
{
	const unsigned int most = gms_folios_backing_order(&s->folios, m->at);
	const bool tried = gms_order_down(m->at, GMS_ORDER_1G) == m->refused;
	unsigned int made = folio.order;

	for (unsigned int order = verdict.order; order > folio.order && made == folio.order;
	     order = verdict.exact ? GMS_ORDER_4K : gms_order_below(order)) {
		if (order > most || (tried && order == GMS_ORDER_1G))
			continue;
		if (!gms_folio_merge(&s->folios, m->at, order))
			made = order;
		else if (order == GMS_ORDER_1G)
			m->refused = gms_order_down(m->at, order);
	}
	if (made > folio.order) {
		m->merges++;
		gms_history_tick(s, m->at);
	}
	/* all folios of order 0 in a 2M block are one step */
	m->at = gms_order_up(m->at, made < GMS_ORDER_2M ? GMS_ORDER_2M : made);
}

uint64_t gms_restructure_merge_ranges(struct gms_state *s, const struct gms_policy_query *query,
				      const struct gms_ranges *ranges)
{
	struct restructure_merge m = {.refused = UINT64_MAX};
	struct gms_ranges_walk walk = {0};

	while (gms_ranges_next(ranges, &walk)) {
		if (m.at < walk.range.start)
			m.at = walk.range.start;
		while (gms_folios_next_allocated(&s->folios, &m.at, walk.range.end)) {
			const struct gms_folio folio = gms_folio_at(&s->folios, m.at);
			const struct gms_policy_verdict verdict =
				restructure_decide(s, query, m.at, folio);

			gms_cond_resched();
			restructure_merge_at(s, &m, folio, verdict);
		}
	}
	return m.merges;
}
