// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy.c - the policies that come with the library
 *
 * Each policy is a function of the view alone. The verdict holds the order of the folio before the
 * call, so a policy that stores no order leaves the folio as it is. The policies differ in the
 * blocks that they do not back with a huge folio, and in the events at which they split and merge:
 *
 *	                   no huge folio in   splits at                   merges at
 *	eager-rfc          not all private    all events but maintenance  conversion, exactly
 *	eager              not all private    all events but maintenance  conversion
 *	eager-nonuniform   mixed              all events but maintenance  conversion
 *	lazy-4k            touched by host    host fault                  never
 *	lazy               mixed              host fault                  never
 *	adaptive           mixed              host fault                  maintenance, when it pays
 *
 * Cost. A query takes a few comparisons, and reads nothing but the view.
 */
#include <gmemstate/policy.h>

#include "platform.h"

/* Returns the order of the largest block at the index that is all private, but at most @max. */
static unsigned int policy_private_order(const struct gms_policy_view *v, unsigned int max)
{
	if (max >= GMS_ORDER_1G && v->s1g == GMS_ALL_PRIVATE)
		return GMS_ORDER_1G;
	return max >= GMS_ORDER_2M && v->s2m == GMS_ALL_PRIVATE ? GMS_ORDER_2M : GMS_ORDER_4K;
}

/* Returns the order of the largest block at the index that is uniform, but at most @max. */
static unsigned int policy_uniform_order(const struct gms_policy_view *v, unsigned int max)
{
	if (max >= GMS_ORDER_1G && v->s1g != GMS_MIXED)
		return GMS_ORDER_1G;
	return max >= GMS_ORDER_2M && v->s2m != GMS_MIXED ? GMS_ORDER_2M : GMS_ORDER_4K;
}

/* Returns the largest order that an eager policy may decide on: only a conversion merges. */
static unsigned int policy_eager_max(const struct gms_policy_view *v)
{
	return v->event == GMS_EV_CONVERT ? GMS_ORDER_1G : v->folio_order;
}

static void policy_eager_rfc(void *ctx, const struct gms_policy_view *v,
			     struct gms_policy_verdict *verdict)
{
	(void)ctx;
	verdict->uniform = true;
	verdict->exact = true;
	if (v->event == GMS_EV_MAINTAIN)
		return;
	if (policy_private_order(v, v->folio_order) < v->folio_order)
		verdict->order = GMS_ORDER_4K;
	else if (v->event == GMS_EV_CONVERT &&
		 policy_private_order(v, v->backing_order) == v->backing_order)
		verdict->order = v->backing_order;
}

static void policy_eager(void *ctx, const struct gms_policy_view *v,
			 struct gms_policy_verdict *verdict)
{
	(void)ctx;
	verdict->uniform = false;
	if (v->event != GMS_EV_MAINTAIN)
		verdict->order = policy_private_order(v, policy_eager_max(v));
}

static void policy_eager_nonuniform(void *ctx, const struct gms_policy_view *v,
				    struct gms_policy_verdict *verdict)
{
	(void)ctx;
	verdict->uniform = false;
	if (v->event != GMS_EV_MAINTAIN)
		verdict->order = policy_uniform_order(v, policy_eager_max(v));
}

static void policy_lazy_4k(void *ctx, const struct gms_policy_view *v,
			   struct gms_policy_verdict *verdict)
{
	(void)ctx;
	verdict->uniform = true;
	if (v->event == GMS_EV_FAULT && v->accessor == GMS_HOST)
		verdict->order = GMS_ORDER_4K;
}

static void policy_lazy(void *ctx, const struct gms_policy_view *v,
			struct gms_policy_verdict *verdict)
{
	(void)ctx;
	verdict->uniform = false;
	if (v->event == GMS_EV_FAULT && v->accessor == GMS_HOST)
		verdict->order = policy_uniform_order(v, v->folio_order);
}

/* Returns true if a block has been all private for as long as the best rule waits. */
static bool policy_has_waited(enum gms_summary summary, uint64_t rest, uint64_t wait)
{
	return summary == GMS_ALL_PRIVATE && wait != UINT64_MAX && rest >= wait;
}

static void policy_adaptive(void *ctx, const struct gms_policy_view *v,
			    struct gms_policy_verdict *verdict)
{
	const bool merge_2m = policy_has_waited(v->s2m, v->rest_2m, v->wait_2m);

	policy_lazy(ctx, v, verdict);
	if (v->event != GMS_EV_MAINTAIN)
		return;
	if (merge_2m && v->folio_order < GMS_ORDER_2M)
		verdict->order = GMS_ORDER_2M;
	if (policy_has_waited(v->s1g, v->rest_1g, v->wait_1g))
		verdict->order = GMS_ORDER_1G;
	/* if the 1G cannot be merged, its 2M blocks still have to wait */
	verdict->exact = !merge_2m;
}

/* Defines gms_policy_<symbol>(), for the function policy_<symbol>(). */
#define POLICY_DEFINE(symbol, text, mask)                      \
	const struct gms_policy_ops *gms_policy_##symbol(void) \
	{                                                      \
		static const struct gms_policy_ops ops = {     \
			.struct_size = sizeof(ops),            \
			.name = text,                          \
			.decide = policy_##symbol,             \
			.events = mask,                        \
		};                                             \
                                                               \
		return &ops;                                   \
	}

#define POLICY_EVENTS_BUT_MAINTENANCE \
	(1U << GMS_EV_ALLOCATE | 1U << GMS_EV_FAULT | 1U << GMS_EV_CONVERT | 1U << GMS_EV_PUNCH)

POLICY_DEFINE(eager_rfc, "eager-rfc", POLICY_EVENTS_BUT_MAINTENANCE)
POLICY_DEFINE(eager, "eager", POLICY_EVENTS_BUT_MAINTENANCE)
POLICY_DEFINE(eager_nonuniform, "eager-nonuniform", POLICY_EVENTS_BUT_MAINTENANCE)
POLICY_DEFINE(lazy_4k, "lazy-4k", GMS_POLICY_HOST_FAULTS | 1U << GMS_EV_FAULT)
POLICY_DEFINE(lazy, "lazy", GMS_POLICY_HOST_FAULTS | 1U << GMS_EV_FAULT)
POLICY_DEFINE(adaptive, "adaptive",
	      GMS_POLICY_HOST_FAULTS | 1U << GMS_EV_FAULT | 1U << GMS_EV_MAINTAIN)

const struct gms_policy_ops *gms_policy_by_name(const char *name)
{
	const struct gms_policy_ops *const all[] = {
		gms_policy_eager_rfc(), gms_policy_eager(), gms_policy_eager_nonuniform(),
		gms_policy_lazy_4k(),   gms_policy_lazy(),  gms_policy_adaptive(),
	};

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!gms_strcmp(name, all[i]->name))
			return all[i];
	return NULL;
}
