/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/policy.h - when a folio is split, and when folios are merged
 *
 * A policy is a pure function. A query shows it the view: one page, the folio there, and an event.
 * It answers with the verdict: the order that the folio at that page should have. An order below
 * the folio's requests a split, and an order above it a merge. The engine does the rest.
 *
 * The engine queries the policy
 *
 *  - GMS_EV_ALLOCATE: when it has allocated a folio of order 9 or 18, at the first page of it; and
 *    if the folio is split then, at the first page of each part that is not of order 0;
 *  - GMS_EV_FAULT: at each fault in a folio of order 9 or 18. A pin counts as a host fault in each
 *    folio that it covers;
 *  - GMS_EV_CONVERT: for each folio of order 9 or 18 that a conversion changes, at the first
 *    changed page in it, and once for each 2M block in which it changes folios of order 0. If one
 *    of the verdicts requests a merge, the engine queries again for all of these after the change,
 *    and merges;
 *  - GMS_EV_PUNCH: for each folio of order 9 or 18 that a hole takes a part of;
 *  - GMS_EV_MAINTAIN: in gms_maintain(), for the folios of 1G blocks in which a folio is split, or
 *    was.
 *
 * After a split the engine queries again for the same page, until the verdict is not below the
 * order of the folio there. It merges at GMS_EV_CONVERT and GMS_EV_MAINTAIN only, and up to the
 * order of the backing. It does not split a pinned folio: the next fault queries the policy again.
 *
 * Usage: split a mixed 2M block when the host touches it, and leave everything else alone.
 *
 *	static void decide(void *ctx, const struct gms_policy_view *view,
 *			   struct gms_policy_verdict *verdict)
 *	{
 *		if (view->accessor == GMS_HOST && view->s2m == GMS_MIXED)
 *			verdict->order = GMS_ORDER_4K;
 *	}
 *
 *	const struct gms_policy_ops policy = {
 *		.struct_size = sizeof(policy),
 *		.name = "touch",
 *		.decide = decide,
 *		.events = 1U << GMS_EV_FAULT | GMS_POLICY_HOST_FAULTS,
 *	};
 *
 * The policies of the library differ in three ways: when they split, how much, and in which steps.
 *
 *	                   splits at      splits to 4K            a 1G goes to
 *	eager-rfc          once           the folio               4K
 *	eager              once           2M with a shared page   2M, then 4K
 *	eager-nonuniform   once           mixed 2M                2M, then 4K
 *	lazy-4k            host's touch   the folio               4K
 *	lazy, adaptive     host's touch   mixed 2M                2M, then 4K
 *
 * The HugeTLB patches for guest_memfd split and merge as eager-rfc does. Michael Roth proposed
 * lazy in the discussion of these patches on LKML, in July 2025.
 */
#ifndef GMEMSTATE_POLICY_H
#define GMEMSTATE_POLICY_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum gms_event - why the engine queries the policy
 * @GMS_EV_ALLOCATE: the folio has just been allocated
 * @GMS_EV_FAULT: the accessor faults the page, or pins it
 * @GMS_EV_CONVERT: the page is being converted
 * @GMS_EV_PUNCH: a part of the folio is being punched out
 * @GMS_EV_MAINTAIN: gms_maintain() runs
 */
enum gms_event { GMS_EV_ALLOCATE, GMS_EV_FAULT, GMS_EV_CONVERT, GMS_EV_PUNCH, GMS_EV_MAINTAIN };

/**
 * struct gms_policy_view - what a query shows the policy
 * @event: the event
 * @accessor: the side that faults the page, at GMS_EV_FAULT and at GMS_EV_ALLOCATE by a fault;
 *            else GMS_HOST
 * @to: at GMS_EV_CONVERT what the page is converted to; else the shareability of the page
 * @index: the index of the page
 * @folio_index: the index of the first page of the folio
 * @folio_order: the order of the folio: 0, 9 or 18
 * @s2m: the summary of the 2M block at @index, as it is after the event
 * @s1g: the summary of the 1G block at @index, as it is after the event
 * @pinned: whether a page of the folio is pinned
 * @flips: how many conversions and repairs have turned this 1G block, or a 2M block in it, from
 *         uniform to mixed or back
 * @now: nanoseconds since the object was created, by the clock of its options. Without a clock it
 *       is a count of allocations, conversions, repairs, holes, splits and merges. The count is
 *       exact for the shard of the page; of each other shard it may lack the last 15
 * @since: @now at the last flip; 0 if there was none. Not above @now
 * @backing_order: the order of the largest folio that the backing has at @index: 0, 9 or 18. It is
 *                 below the order of the backing in a last block that is incomplete
 * @rest_2m: for how long the 2M block at @index has been all private since its folio was split
 *           last, summed over all periods. In the unit of @now. 0 if it was never split, and for a
 *           policy that does not decide GMS_EV_MAINTAIN
 * @wait_2m: how large @rest_2m should be for a merge, by the best rule so far; UINT64_MAX: never
 *           merge. See gms_policy_adaptive()
 * @rest_1g: as @rest_2m, for the 1G block
 * @wait_1g: as @wait_2m, for the 1G block
 */
struct gms_policy_view {
	enum gms_event event;
	enum gms_accessor accessor;
	enum gms_shareability to;
	gms_pgoff_t index, folio_index;
	unsigned int folio_order;
	enum gms_summary s2m, s1g;
	bool pinned;
	uint32_t flips;
	uint64_t now, since;
	unsigned int backing_order;
	uint64_t rest_2m, wait_2m, rest_1g, wait_1g;
};

/**
 * struct gms_policy_verdict - what the policy answers
 * @order: the order that the folio at the index should have: 0, 9 or 18. Another value is rounded
 *         down to one of these. If it is the order that the folio has, the folio stays as it is
 * @uniform: what a split makes of the rest of the folio. true: folios of @order; false: the
 *           largest folios that are possible
 * @exact: what a merge does if a folio of @order cannot be made, or is above @backing_order of the
 *         view. true: nothing; false: it makes the largest smaller folio that is possible
 */
struct gms_policy_verdict {
	unsigned int order;
	bool uniform;
	bool exact;
};

/** GMS_POLICY_HOST_FAULTS - a bit of @events: leave out the faults of the guest */
#define GMS_POLICY_HOST_FAULTS (1U << 31)

/**
 * struct gms_policy_ops - a policy
 * @struct_size: sizeof(struct gms_policy_ops). The fields that a smaller struct lacks count as 0.
 *               A larger struct is accepted if all bytes that this library does not know are 0
 * @name: a name for reports, not NULL. The string must outlive the objects that use the policy
 * @decide: stores a verdict; not NULL. Before the call the verdict holds the order of the folio,
 *          true and false. The engine calls with locks held, and from several threads at the same
 *          time: the function must neither block nor call the library. It should depend on nothing
 *          but @ctx and @view. @ctx is the policy_ctx of struct gms_state_opts
 * @events: a mask of the events that the policy decides, a bit (1U << event) for each; 0: all
 *          events. With GMS_POLICY_HOST_FAULTS, faults of the guest are left out. At an event that
 *          the policy does not decide, folios stay as they are
 *
 * The struct is copied when an object is created.
 */
struct gms_policy_ops {
	size_t struct_size;
	const char *name;
	void (*decide)(void *ctx, const struct gms_policy_view *view,
		       struct gms_policy_verdict *verdict);
	unsigned int events;
};

/** GMS_POLICY_OPS_INIT - a policy with @struct_size set, and all other fields 0 or NULL */
/* clang-format off */
#define GMS_POLICY_OPS_INIT \
	{ sizeof(struct gms_policy_ops), NULL, NULL, 0 }
/* clang-format on */

/**
 * gms_policy_eager_rfc() - split all of a huge folio to 4K at once if it is not all private
 *
 * If a huge folio is allocated in a block that is not all private, or if one of its pages
 * becomes shared, all of the folio is split to 4K at once, in one step. A conversion to private
 * merges to the order that the backing has there, and to no other: with a backing of 1G, a 2M
 * block that is all private stays split until all of the 1G is. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_eager_rfc(void);

/**
 * gms_policy_eager() - split a huge folio at once where it is not all private
 *
 * If a huge folio is allocated in a block that is not all private, or if one of its pages
 * becomes shared, the folio is split at once: a 1G to 2M, and each 2M with a shared page to 4K. A
 * conversion to private merges the largest block that is all private after it. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_eager(void);

/**
 * gms_policy_eager_nonuniform() - split a huge folio at once, where it is mixed
 *
 * A 1G folio in a mixed block is split to 2M, and to 4K in those 2M blocks that are mixed. A
 * conversion merges the largest block that is uniform after it. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_eager_nonuniform(void);

/**
 * gms_policy_lazy_4k() - split all of a folio to 4K when the host first touches it
 *
 * Conversions and guest faults split nothing. A host fault splits all of the folio at that place
 * to 4K, in one step. Only a hole and gms_state_destroy() merge folios. It splits as much as
 * eager-rfc, and when lazy does, so it separates what the two differ in. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_lazy_4k(void);

/**
 * gms_policy_lazy() - split when the host first touches a mixed block
 *
 * Conversions and guest faults split nothing. A host fault in a mixed block splits the folio at
 * that place as far as needed: to 2M if the 2M block is uniform, else to 4K. Only a hole and
 * gms_state_destroy() merge folios. Takes no context. This is the default policy.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_lazy(void);

/**
 * gms_policy_adaptive() - split as lazy does, and merge when that pays
 *
 * The host forces splits, so the policy chooses only when gms_maintain() merges. It merges a
 * block that has been all private for long enough since its last split, summed over all periods.
 * How long that is follows from the guest so far: of seven rules, which wait 0, 0.1, 0.3, 1, 3
 * and 10 times merge_wait_2m (or merge_wait_1g) of struct gms_state_opts, or for ever, the policy
 * takes the one that would have cost least in the blocks that were ever split. It starts with 1.
 * That rule costs at most twice what the best choice in hindsight costs, besides the rent until
 * the next call of gms_maintain(). The bound is that of 2M blocks, or of 1G blocks, by themselves:
 * a merge of a 1G that comes before its 2M blocks have waited merges these, too, and the sum has
 * no bound then. For the choice between the seven there is none, either. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_adaptive(void);

/**
 * gms_policy_by_name() - find a policy of this library
 * @name: "eager-rfc", "eager", "eager-nonuniform", "lazy-4k", "lazy" or "adaptive"
 *
 * Context: Any. Pure function.
 * Return: the policy; NULL: the library has none of that name.
 */
GMS_API const struct gms_policy_ops *gms_policy_by_name(const char *name);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_POLICY_H */
