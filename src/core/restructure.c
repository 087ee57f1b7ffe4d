// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * settle.c - what the policy wants, done
 *
 * A folio is settled when the policy, asked about it, would not have it smaller. A split is one
 * step, and then the policy is asked about what is there now: 1G goes to 2M first, and the 2M
 * at the index to 4K if that is what it takes. Only a split to 4K of all of a 1G (uniform) is
 * one step.
 */
#include "core/core.h"

/* The summary of a block as it will be once the pages of @ask are what they become. */
static enum gms_summary summary_after(const struct gms_state *s, const struct gms_ask *ask,
				      gms_pgoff_t index, unsigned int order)
{
	const enum gms_rtree_fill fill = (enum gms_rtree_fill)ask->to;
	const gms_pgoff_t from = gms_order_down(index, order), to = from + gms_order_pages(order);
	const bool before = ask->start > from, behind = ask->end < to && ask->end < s->nr_pages;

	if (ask->start >= to || ask->end <= from)
		return (enum gms_summary)gms_rtree_fill(s->private, index, order);
	/* most often a neighbour of the range tells */
	if ((before && gms_rtree_test(s->private, ask->start - 1) != (bool)fill) ||
	    (behind && gms_rtree_test(s->private, ask->end) != (bool)fill))
		return GMS_MIXED;
	if ((before && gms_rtree_fill_range(s->private, from, ask->start - from) != fill) ||
	    (behind && gms_rtree_fill_range(s->private, ask->end, to - ask->end) != fill))
		return GMS_MIXED;
	return (enum gms_summary)fill;
}

static unsigned int round_order(unsigned int order)
{
	return order >= GMS_ORDER_1G   ? GMS_ORDER_1G
	       : order >= GMS_ORDER_2M ? GMS_ORDER_2M
				       : GMS_ORDER_4K;
}

/* At the page and its blocks, as they will be. */
static void look(const struct gms_state *s, const struct gms_ask *ask, struct gms_policy_view *v)
{
	struct gms_rtree_look look;

	v->to = ask->to;
	if (ask->start != ask->end) {
		v->s2m = summary_after(s, ask, v->index, GMS_ORDER_2M);
		v->s1g = v->s2m == GMS_MIXED ? GMS_MIXED
					     : summary_after(s, ask, v->index, GMS_ORDER_1G);
		return;
	}
	look = ask->look ? *ask->look : gms_rtree_look(s->private, v->index);
	v->s2m = (enum gms_summary)look.fill_2m;
	v->s1g = (enum gms_summary)look.fill_1g;
	if (ask->event != GMS_EV_CONVERT)
		v->to = (enum gms_shareability)look.set;
}

struct gms_policy_verdict gms_policy_ask(const struct gms_state *s, const struct gms_ask *ask,
					 gms_pgoff_t index, struct gms_folio folio)
{
	struct gms_policy_verdict verdict = {.order = folio.order, .uniform = true};
	const struct gms_block *b = gms_block_at(&s->folios.blocks, index);
	struct gms_policy_view view;

	if (!gms_policy_minds(s, ask->event, ask->accessor))
		goto cap;
	view.event = ask->event;
	view.accessor = ask->accessor;
	view.index = index;
	view.folio_index = folio.index;
	view.folio_order = folio.order;
	look(s, ask, &view);
	view.pinned = gms_folio_pinned(&s->folios, folio);
	view.flips = b ? gms_load_relaxed(&b->flips) : 0;
	view.since = b ? gms_load_relaxed(&b->since) : 0;
	view.now = gms_now(s, index);
	if (view.now < view.since) /* a clock that steps back */
		view.now = view.since;
	s->policy.decide(s->policy_ctx, &view, &verdict);
	verdict.order = round_order(verdict.order);
cap:
	if (verdict.order > ask->cap) { /* more than the policy wants: no more than is needed */
		verdict.order = ask->cap;
		verdict.uniform = false;
	}
	return verdict;
}

/* One step towards the verdict, unless the folio has changed since. 0, GMS_BUSY, or an error. */
static int split_step(struct gms_state *s, const struct gms_ask *ask, gms_pgoff_t index,
		      struct gms_folio folio, struct gms_policy_verdict verdict)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const struct gms_folio now = gms_folio_lock(&s->folios, index);
	unsigned int to = GMS_ORDER_4K;
	int err = 0;

	if (now.index == folio.index && now.order == folio.order) {
		if (folio.order == GMS_ORDER_1G && !(verdict.uniform && !verdict.order))
			to = GMS_ORDER_2M;
		err = gms_folio_split_begin(&s->folios, folio);
		if (err == GMS_BUSY)
			gms_count_add(&s->counters, GMS_SPLITS_DEFERRED, 1);
		if (err)
			goto unlock;
		err = gms_folio_split_locked(&s->folios, folio, to, ask->journal);
		gms_folio_split_end(&s->folios, folio);
		if (!err)
			gms_event(s, index);
	}
unlock:
	gms_folio_unlock(&s->folios, now);
	return err;
}

int gms_settle(struct gms_state *s, const struct gms_ask *ask, gms_pgoff_t index,
	       struct gms_folio *folio, unsigned int *above)
{
	struct gms_policy_verdict verdict;
	int err = 0;

	*above = 0;
	if (!s->folios.order)
		return 0;
	for (;; *folio = gms_folio_at(&s->folios, index)) {
		verdict = gms_policy_ask(s, ask, index, *folio);
		if (verdict.order >= folio->order)
			break;
		err = gms_frozen(s);
		if (err && gms_folio_pinned(&s->folios, *folio))
			err = GMS_BUSY; /* it would not be split now, frozen or not */
		if (!err)
			err = split_step(s, ask, index, *folio, verdict);
		if (err)
			return err;
	}
	*above = verdict.order > folio->order ? verdict.order : 0;
	return 0;
}

/*
 * Merge at an index up to @order, or to what can be had. The end of what it looked at. *refused:
 * the 1G block that could not be merged last, which is not tried again for each of its 2M.
 */
static gms_pgoff_t merge_at(struct gms_state *s, gms_pgoff_t index, unsigned int order,
			    gms_pgoff_t *refused, uint64_t *merges)
	GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_folio folio = gms_folio_at(&s->folios, index);
	int err = -ENOENT;

	if (order > s->folios.order)
		order = s->folios.order;
	if (order == GMS_ORDER_1G && gms_order_down(index, order) == *refused)
		order = GMS_ORDER_2M;
	for (; order > folio.order; order = gms_order_below(order)) {
		err = gms_folio_merge(&s->folios, index, order);
		if (!err)
			break;
		if (order == GMS_ORDER_1G)
			*refused = gms_order_down(index, order);
	}
	if (!err) {
		++*merges;
		gms_event(s, index);
	}
	if (order < folio.order)
		order = folio.order;
	if (order < GMS_ORDER_2M)
		order = GMS_ORDER_2M; /* folios of order 0: the 2M that they are in */
	return gms_order_down(index, order) + gms_order_pages(order);
}

uint64_t gms_settle_up(struct gms_state *s, const struct gms_ask *ask, gms_pgoff_t start,
		       gms_pgoff_t end, struct gms_settled *settled)
{
	gms_pgoff_t *const at = &settled->next;
	uint64_t merges = 0;

	if (*at < start)
		*at = start;
	while (gms_folios_next(&s->folios, at, end)) {
		const struct gms_folio folio = gms_folio_at(&s->folios, *at);
		const unsigned int order = gms_policy_ask(s, ask, *at, folio).order;

		*at = merge_at(s, *at, order, &settled->refused, &merges);
	}
	return merges;
}
