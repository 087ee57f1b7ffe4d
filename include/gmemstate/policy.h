/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/policy.h - when a folio is split, and when it is merged again
 *
 * A policy is a pure function: it is shown one place and what is happening there, and says
 * of which order the folio at that place should be. The engine does the rest. It asks
 *
 *  - when it allocated a folio of order 9 or 18 (GMS_EV_ALLOCATE);
 *  - at each fault in a folio of order 9 or 18, and for each such folio that is pinned,
 *    as if the host had touched it (GMS_EV_FAULT);
 *  - for each folio of order 9 or 18 that a conversion changes, at the first changed page in
 *    it, and once for each 2M block in which it changes folios of order 0 (GMS_EV_CONVERT). If
 *    it would have one of them larger it is asked again, after the change, about all of them;
 *  - for each folio of order 9 or 18 of which a hole takes a part (GMS_EV_PUNCH);
 *  - for blocks that are split, when gms_maintain() is called (GMS_EV_MAINTAIN).
 *
 * An order below the folio's asks for a split, one above it for a merge; the engine asks
 * again about the place after a split. Merging is done on CONVERT and MAINTAIN, up to the
 * order of the backing. A folio that is pinned is not split: the policy is asked again at the
 * next fault.
 *
 * A policy with a mask of events is asked about these events and no others.
 *
 * Where a policy comes from: eager is what the HugeTLB patches for guest_memfd do; lazy was
 * proposed by Michael Roth in the discussion of those patches on LKML, in July 2025.
 */
#ifndef GMEMSTATE_POLICY_H
#define GMEMSTATE_POLICY_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum gms_event - what makes the engine ask
 * @GMS_EV_ALLOCATE: the folio has just been allocated
 * @GMS_EV_FAULT: the accessor is touching the page
 * @GMS_EV_CONVERT: the page is being converted
 * @GMS_EV_PUNCH: part of the folio is being punched out
 * @GMS_EV_MAINTAIN: gms_maintain() was called
 */
enum gms_event { GMS_EV_ALLOCATE, GMS_EV_FAULT, GMS_EV_CONVERT, GMS_EV_PUNCH, GMS_EV_MAINTAIN };

/**
 * struct gms_policy_view - all that a policy is told
 * @event: what happens
 * @accessor: who touches the page (GMS_EV_FAULT, and GMS_EV_ALLOCATE by a fault); else GMS_HOST
 * @to: what the page is converted to (GMS_EV_CONVERT); else what it is
 * @index: of the page
 * @folio_index: first page of the folio
 * @folio_order: of the folio: 0, 9 or 18
 * @s2m: of the 2M block at @index, as it is after the event
 * @s1g: of the 1G block at @index, as it is after the event
 * @pinned: whether a page of the folio is pinned
 * @flips: how often conversions and repairs changed this 1G block, or a 2M block in it, between
 *         uniform and mixed
 * @now: nanoseconds since the object was created, by its clock; without a clock, a count of
 *       what has changed since (allocations, conversions, holes, splits and merges)
 * @since: @now at the last of @flips; 0 where there was none
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
};

/**
 * struct gms_policy_verdict - what a policy says
 * @order: that the folio at the index should have: 0, 9 or 18; another is rounded down to one
 *         of these. The folio's own order: leave it
 * @uniform: what becomes of the rest of a folio that is split. true: all of it is split to
 *           @order; false: it stays as large as it can
 */
struct gms_policy_verdict {
	unsigned int order;
	bool uniform;
};

/** GMS_POLICY_HOST_FAULTS - in @events: of faults the policy decides only those of the host */
#define GMS_POLICY_HOST_FAULTS (1U << 31)

/**
 * struct gms_policy_ops - a policy
 * @struct_size: sizeof(struct gms_policy_ops). In a smaller one what is missing is 0; a larger
 *               one is accepted where all that this library does not know is 0
 * @name: for reports; must outlive the objects that use it
 * @decide: fills in the verdict, which holds the folio's own order and true before. Called
 *          with locks held, and from several threads at once: it must neither block nor call
 *          the library, and should depend on nothing but @ctx and the view
 * @events: a mask of (1U << event) that the policy wants to decide, and GMS_POLICY_HOST_FAULTS; 0:
 *          all events. At other events a folio is left as it is
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

/**
 * gms_policy_eager() - split as soon as a huge folio is not all private
 *
 * A huge folio that is allocated in a block that is not all private, or in which a page
 * becomes shared, is split to 4K at once, all of it. A conversion to private merges the
 * largest block that is all private after it. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_eager(void);

/**
 * gms_policy_eager_nonuniform() - split at once, but only what is mixed
 *
 * A 1G folio in a mixed block is split to 2M, and to 4K where the 2M block is mixed; a
 * conversion merges the largest block that is uniform after it. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_eager_nonuniform(void);

/**
 * gms_policy_lazy() - split when the host first touches a mixed block
 *
 * Conversions and guest faults split nothing. A host fault in a folio of a mixed block splits
 * that folio as far as needed: 1G to 2M where the 2M block is all shared, else that place
 * to 4K. Nothing is merged but by punching a hole. Takes no context. This is the default.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_lazy(void);

/**
 * gms_policy_adaptive() - as lazy, and merge what has come to rest
 *
 * On gms_maintain() a block that is uniform is merged when it has been so for at least twice
 * as long as this 1G block went between two flips on the average: a block that ping-pongs
 * stays split, one that came to rest is merged, whatever the unit of time. Takes no context.
 *
 * Context: Any. Pure function.
 * Return: the policy.
 */
GMS_API const struct gms_policy_ops *gms_policy_adaptive(void);

/**
 * gms_policy_by_name() - a policy of this library
 * @name: "eager", "eager-nonuniform", "lazy" or "adaptive"
 *
 * Context: Any. Pure function.
 * Return: the policy, or NULL where there is none of that name.
 */
GMS_API const struct gms_policy_ops *gms_policy_by_name(const char *name);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_POLICY_H */
