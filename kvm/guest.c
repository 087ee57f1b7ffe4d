// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * guest.c - whether the guest sees a page as private or as shared (G1 to G3 of guest.h)
 *
 * A range is cut into pieces, each in one map or in none. A piece is cut into runs, and the runs
 * that are not yet what the caller wants are changed. For each of them:
 *
 *	prepare the records                   failure: nothing has changed
 *	punch out the side that will be seen, where it is stale
 *	make KVM change the run               failure: make KVM change it back
 *	commit the records: the other side is stale now
 *
 * If a call of KVM fails, it may have changed a part of the run. So a second call changes the
 * whole run back. If that fails, too, the run is unsure or, by memslots, the map is broken. The
 * next change of an unsure run calls KVM whatever private says, and the next change in a broken
 * map re-cuts its slots.
 */
#include "guest.h"

#include "host.h"
#include "maps.h"
#include "slots.h"
#include "uapi.h"

/* The arguments of gms_kvm_guest_set() that all steps need. */
struct guest_change {
	enum gms_shareability to;
	bool keep;
	gms_pgoff_t *failed;
};

/* ---- calls of KVM ---- */

static int guest_set_in_place(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
			      enum gms_shareability to, gms_pgoff_t *failed)
{
	struct kvm_memory_attributes2 attributes = {
		.offset = kvm->shared_file.offset + gms_kvm_bytes(start),
		.size = gms_kvm_bytes(end - start),
		.attributes = to == GMS_PRIVATE ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};
	gms_pgoff_t page;
	int err;

	err = gms_kvm_ioctl(kvm, kvm->shared_file.fd, KVM_SET_MEMORY_ATTRIBUTES2, &attributes);
	page = (attributes.error_offset - kvm->shared_file.offset) >> GMS_PAGE_SHIFT;
	if (err == -EAGAIN && failed && page >= start && page < end)
		*failed = page;
	if (err)
		gms_reason_set(err == -EAGAIN ? "KVM found a page in use"
					      : "KVM refused KVM_SET_MEMORY_ATTRIBUTES2");
	return err;
}

/* Sets the attributes of a run, in place or by attributes. If @map is NULL, no map has the run. */
static int guest_set_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map,
				gms_pgoff_t start, gms_pgoff_t end, enum gms_shareability to,
				gms_pgoff_t *failed)
{
	if (kvm->mode == GMS_KVM_IN_PLACE)
		return guest_set_in_place(kvm, start, end, to, failed);
	if (kvm->mode == GMS_KVM_ATTRIBUTES && map)
		return gms_kvm_maps_set_attributes(kvm, map, start, end, to);
	return 0;
}

static int guest_prepare(struct gms_rtree *tree, gms_pgoff_t start, gms_pgoff_t end)
{
	return gms_rtree_prepare(tree, start, end - start, NULL);
}

/* Commits a range that is prepared. */
static void guest_commit(struct gms_rtree *tree, gms_pgoff_t start, gms_pgoff_t end, bool set)
{
	gms_rtree_commit(tree, start, end - start, set, NULL);
}

/* ---- memslots ---- */

/*
 * Re-cuts the slots of a range as private says, which is committed already. If that fails, reverts
 * private and re-cuts the slots again. @more: how many slots the map calls for more than before.
 */
static int guest_recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
		       gms_pgoff_t end, struct gms_rtree_reserve *reserve, int64_t more)
{
	int err;

	gms_kvm_stop_vcpus(kvm);
	err = gms_kvm_slots_recut(kvm, map, start, end);
	if (err) {
		gms_rtree_revert(kvm->private, reserve);
		gms_kvm_slots_recut(kvm, map, start, end);
	} else {
		gms_kvm_slots_add(kvm, more);
	}
	gms_kvm_resume_vcpus(kvm);
	return err;
}

/* Returns how many slots a map calls for in a range with the page before it and the page after. */
static int64_t guest_count_near(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
				gms_pgoff_t start, gms_pgoff_t end)
{
	if (start > map->start)
		start--;
	if (end < map->end)
		end++;
	return (int64_t)gms_kvm_slots_count(kvm, map, start, end);
}

/* Changes a run of a map by memslots. If deferred is set, leaves the slots to gms_kvm_sync(). */
static int guest_convert_slots(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			       gms_pgoff_t end, const struct guest_change *change,
			       struct gms_rtree_reserve *reserve)
{
	const int64_t before = guest_count_near(kvm, map, start, end);
	int64_t more;

	gms_rtree_commit(kvm->private, start, end - start, change->to == GMS_PRIVATE, reserve);
	more = guest_count_near(kvm, map, start, end) - before;
	if (!kvm->deferred)
		return guest_recut(kvm, map, start, end, reserve, more);
	gms_kvm_slots_add(kvm, more);
	map->broken = true;
	return 0;
}

/* ---- runs ---- */

/* Makes KVM change a run, and commits the run in private and unsure, where it is prepared. */
static int guest_convert(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			 gms_pgoff_t end, const struct guest_change *change,
			 struct gms_rtree_reserve *reserve)
{
	const enum gms_shareability from = gms_kvm_other(change->to);
	int err, back_err;

	if (map && kvm->mode == GMS_KVM_MEMSLOTS)
		return guest_convert_slots(kvm, map, start, end, change, reserve);
	err = guest_set_attributes(kvm, map, start, end, change->to, change->failed);
	if (err) {
		back_err = guest_set_attributes(kvm, map, start, end, from, NULL);
		guest_commit(kvm->unsure, start, end, back_err);
		return err;
	}
	gms_rtree_commit(kvm->private, start, end - start, change->to == GMS_PRIVATE, reserve);
	guest_commit(kvm->unsure, start, end, false);
	return 0;
}

/* Empties the side that is about to be seen, where it is stale (K3). */
static int guest_empty(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		       enum gms_shareability to)
{
	struct gms_rtree_run run;
	int err = 0;

	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->stale, at, end, &run);
	     at += run.nr_pages)
		if (run.set)
			err = gms_kvm_host_punch(kvm, run.start, run.start + run.nr_pages, to);
	return err;
}

/* Changes a run, none of whose pages is @change->to. */
static int guest_set_run(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			 gms_pgoff_t end, const struct guest_change *change)
{
	const bool two_sides = kvm->mode != GMS_KVM_IN_PLACE;
	struct gms_rtree_reserve reserve;
	int err;

	err = gms_rtree_prepare(kvm->private, start, end - start, &reserve);
	if (err)
		return err;
	err = guest_prepare(kvm->unsure, start, end);
	if (!err && two_sides)
		err = guest_prepare(kvm->stale, start, end);
	if (!err && two_sides && !change->keep)
		err = guest_empty(kvm, start, end, change->to);
	if (!err)
		err = guest_convert(kvm, map, start, end, change, &reserve);
	if (!err && two_sides)
		guest_commit(kvm->stale, start, end, true);
	gms_rtree_release(kvm->private, &reserve);
	return err;
}

/* Makes KVM see a run of unsure pages as @is, which is what private says. */
static int guest_confirm_run(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			     gms_pgoff_t end, enum gms_shareability is, gms_pgoff_t *failed)
{
	const bool two_sides = kvm->mode != GMS_KVM_IN_PLACE;
	int err;

	err = guest_prepare(kvm->unsure, start, end);
	if (!err && two_sides)
		err = guest_prepare(kvm->stale, start, end);
	if (!err)
		err = guest_set_attributes(kvm, map, start, end, is, failed);
	if (err)
		return err;
	guest_commit(kvm->unsure, start, end, false);
	if (two_sides) /* the guest may have written to the other side */
		guest_commit(kvm->stale, start, end, true);
	return 0;
}

/*
 * Confirms those unsure pages of a piece that are @change->to already. Confirms the other unsure
 * pages, too, if the side that they change to will be emptied: the guest must not see it (K4).
 */
static int guest_confirm(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			 gms_pgoff_t end, const struct guest_change *change)
{
	const bool all = kvm->mode != GMS_KVM_IN_PLACE && !change->keep;
	struct gms_rtree_run run, unsure;
	int err = 0;

	for (; !err && gms_rtree_next(kvm->unsure, start, end, &unsure); start += unsure.nr_pages) {
		const gms_pgoff_t unsure_end = unsure.start + unsure.nr_pages;

		for (gms_pgoff_t at = unsure.start;
		     !err && unsure.set && gms_rtree_next(kvm->private, at, unsure_end, &run);
		     at += run.nr_pages)
			if (all || run.set == (change->to == GMS_PRIVATE))
				err = guest_confirm_run(
					kvm, map, run.start, run.start + run.nr_pages,
					run.set ? GMS_PRIVATE : GMS_SHARED, change->failed);
	}
	return err;
}

/* Re-cuts the slots of a piece whose map is broken. */
static int guest_repair_slots(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			      gms_pgoff_t end)
{
	int err;

	if (!map || !map->broken || kvm->deferred)
		return 0;
	gms_kvm_stop_vcpus(kvm);
	err = gms_kvm_slots_recut(kvm, map, start, end);
	gms_kvm_resume_vcpus(kvm);
	return err;
}

/* Changes a piece. @map is NULL for an unmapped piece. */
static int guest_set_piece(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			   gms_pgoff_t end, const struct guest_change *change)
{
	struct gms_rtree_run run;
	int err = 0;

	if (!change->keep) /* a side will be emptied: the slots must not show it (K4) */
		err = guest_repair_slots(kvm, map, start, end);
	if (!err)
		err = guest_confirm(kvm, map, start, end, change);
	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->private, at, end, &run);
	     at += run.nr_pages)
		if (run.set != (change->to == GMS_PRIVATE))
			err = guest_set_run(kvm, map, run.start, run.start + run.nr_pages, change);
	return err ? err : guest_repair_slots(kvm, map, start, end);
}

int gms_kvm_guest_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		      enum gms_shareability to, bool keep, gms_pgoff_t *failed)
{
	const struct guest_change change = {.to = to, .keep = keep, .failed = failed};
	int err = 0;

	while (!err && start < end) {
		gms_pgoff_t piece_end = end;
		struct gms_kvm_map *map = gms_kvm_maps_find(kvm, start, &piece_end);

		err = guest_set_piece(kvm, map, start, piece_end, &change);
		start = piece_end;
	}
	return err;
}

/* ---- enough slots ---- */

/* Returns what guest_count_near() would return if each page of the range were @private. */
static int64_t guest_count_uniform(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
				   gms_pgoff_t start, gms_pgoff_t end, bool private)
{
	int64_t nr = 1;

	nr += start > map->start && gms_rtree_test(kvm->private, start - 1) != private;
	nr += end < map->end && gms_rtree_test(kvm->private, end) != private;
	return nr;
}

bool gms_kvm_guest_fits(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
			enum gms_shareability to)
{
	int64_t more = 0;

	if (kvm->mode != GMS_KVM_MEMSLOTS)
		return true;
	while (start < end && gms_kvm_slots_left(kvm, more)) {
		gms_pgoff_t piece_end = end;
		const struct gms_kvm_map *map = gms_kvm_maps_find(kvm, start, &piece_end);

		if (map)
			more += guest_count_uniform(kvm, map, start, piece_end, to == GMS_PRIVATE) -
				guest_count_near(kvm, map, start, piece_end);
		start = piece_end;
	}
	return gms_kvm_slots_left(kvm, more);
}

/* ---- unsure pages and stale sides ---- */

int gms_kvm_guest_prepare(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	return guest_prepare(kvm->unsure, start, end);
}

void gms_kvm_guest_mark_unsure(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	if (!guest_prepare(kvm->unsure, start, end))
		guest_commit(kvm->unsure, start, end, true);
}

/* Sets *run to the next run in [at, end) that is all private or all shared, and not unsure. */
static bool guest_next_sure(const struct gms_kvm *kvm, gms_pgoff_t at, gms_pgoff_t end,
			    struct gms_rtree_run *run)
{
	struct gms_rtree_run unsure;

	for (; gms_rtree_next(kvm->unsure, at, end, &unsure); at += unsure.nr_pages)
		if (!unsure.set)
			return gms_rtree_next(kvm->private, at, at + unsure.nr_pages, run);
	return false;
}

bool gms_kvm_guest_next_shared(const struct gms_kvm *kvm, gms_pgoff_t at, gms_pgoff_t end,
			       struct gms_rtree_run *run)
{
	for (; guest_next_sure(kvm, at, end, run); at = run->start + run->nr_pages)
		if (!run->set)
			return true;
	return false;
}

/* Punches out the unused side of a run. All pages of the run are stale and @private. */
static void guest_punch_run(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool private)
{
	if (guest_prepare(kvm->stale, start, end))
		return;
	if (!gms_kvm_host_punch(kvm, start, end, private ? GMS_SHARED : GMS_PRIVATE))
		guest_commit(kvm->stale, start, end, false);
}

static void guest_punch_piece(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run stale, run;

	for (; guest_next_sure(kvm, start, end, &run); start = run.start + run.nr_pages) {
		const gms_pgoff_t run_end = run.start + run.nr_pages;

		for (gms_pgoff_t at = run.start; gms_rtree_next(kvm->stale, at, run_end, &stale);
		     at += stale.nr_pages)
			if (stale.set)
				guest_punch_run(kvm, stale.start, stale.start + stale.nr_pages,
						run.set);
	}
}

void gms_kvm_guest_punch_stale(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	if (kvm->mode == GMS_KVM_IN_PLACE)
		return;
	while (start < end) {
		gms_pgoff_t piece_end = end;
		const struct gms_kvm_map *map = gms_kvm_maps_find(kvm, start, &piece_end);

		if (!map || !map->broken)
			guest_punch_piece(kvm, start, piece_end);
		start = piece_end;
	}
}
