// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * guest.c - what the guest sees: private or shared, in each of the three ways
 *
 * A range is taken apart into pieces that are mapped to one gfn range, or not mapped, and within
 * these into runs that differ from what is asked for. For each run:
 *
 *	reserve what the records need           fails: nothing has changed
 *	punch the side that will be shown, where it is stale
 *	tell KVM                                fails: tell KVM what was
 *	record it; the other side is stale
 *
 * A call that fails may have done a part. So all of the run is set to what it was by another call;
 * where that fails, too, the run is unsure. A run that is unsure is told again, whatever the
 * record says. By memslots it is the map that is broken, and the table of slots says where.
 */
#include "guest.h"

#include "host.h"
#include "maps.h"
#include "slots.h"
#include "uapi.h"

/* What is asked for. */
struct change {
	enum gms_shareability to;
	bool keep;
	gms_pgoff_t *failed;
};

/* ---- telling KVM ---- */

static int convert_in_place(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
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
	return err;
}

/* In place and by attributes. @map: NULL where the run is not mapped. */
static int tell(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
		gms_pgoff_t end, enum gms_shareability to, gms_pgoff_t *failed)
{
	if (kvm->way == GMS_KVM_IN_PLACE)
		return convert_in_place(kvm, start, end, to, failed);
	if (kvm->way == GMS_KVM_ATTRIBUTES && map)
		return gms_kvm_set_attributes(kvm, map, start, end, to);
	return 0;
}

/* Of a run that was prepared. */
static void record(struct gms_rtree *tree, gms_pgoff_t start, gms_pgoff_t end, bool set)
{
	gms_rtree_commit(tree, start, end - start, set, NULL);
}

static int prepare(struct gms_rtree *tree, gms_pgoff_t start, gms_pgoff_t end)
{
	return gms_rtree_prepare(tree, start, end - start, NULL);
}

/* ---- memslots ---- */

/* The records say what is wanted; where the slots cannot follow, they say again what was. */
static int recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end,
		 struct gms_rtree_reserve *reserve, int64_t more)
{
	int err;

	gms_kvm_stop_vcpus(kvm);
	err = gms_kvm_recut(kvm, map, start, end);
	if (err) {
		gms_rtree_revert(kvm->private, reserve);
		gms_kvm_recut(kvm, map, start, end);
	} else {
		gms_kvm_slots_add(kvm, more);
	}
	gms_kvm_resume_vcpus(kvm);
	return err;
}

/* Slots that a map calls for between the neighbours of a range. */
static int64_t count_near(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			  gms_pgoff_t start, gms_pgoff_t end)
{
	if (start > map->start)
		start--;
	if (end < map->end)
		end++;
	return (int64_t)gms_kvm_count_wanted(kvm, map, start, end);
}

static int convert_slots(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			 gms_pgoff_t end, const struct change *change,
			 struct gms_rtree_reserve *reserve)
{
	const int64_t before = count_near(kvm, map, start, end);
	int64_t more;

	gms_rtree_commit(kvm->private, start, end - start, change->to == GMS_PRIVATE, reserve);
	more = count_near(kvm, map, start, end) - before;
	if (!kvm->deferred)
		return recut(kvm, map, start, end, reserve, more);
	gms_kvm_slots_add(kvm, more);
	map->broken = true;
	return 0;
}

/* ---- runs ---- */

static int convert(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end,
		   const struct change *change, struct gms_rtree_reserve *reserve)
{
	int err;

	if (map && kvm->way == GMS_KVM_MEMSLOTS)
		return convert_slots(kvm, map, start, end, change, reserve);
	err = tell(kvm, map, start, end, change->to, change->failed);
	if (err) {
		const enum gms_shareability was = gms_kvm_other(change->to);

		record(kvm->unsure, start, end, tell(kvm, map, start, end, was, NULL));
		return err;
	}
	gms_rtree_commit(kvm->private, start, end - start, change->to == GMS_PRIVATE, reserve);
	record(kvm->unsure, start, end, false);
	return 0;
}

/* K3: the side that is about to be shown is empty. */
static int purge(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, enum gms_shareability to)
{
	struct gms_rtree_run run;
	int err = 0;

	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->stale, at, end, &run);
	     at += run.nr_pages)
		if (run.set)
			err = gms_kvm_punch(kvm, run.start, run.start + run.nr_pages, to);
	return err;
}

/* A run of pages that are to change, all of them. */
static int set_run(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end,
		   const struct change *change)
{
	const bool two_sides = kvm->way != GMS_KVM_IN_PLACE;
	struct gms_rtree_reserve reserve;
	int err;

	err = gms_rtree_prepare(kvm->private, start, end - start, &reserve);
	if (err)
		return err;
	err = prepare(kvm->unsure, start, end);
	if (!err && two_sides)
		err = prepare(kvm->stale, start, end);
	if (!err && two_sides && !change->keep)
		err = purge(kvm, start, end, change->to);
	if (!err)
		err = convert(kvm, map, start, end, change, &reserve);
	if (!err && two_sides)
		record(kvm->stale, start, end, true);
	gms_rtree_release(kvm->private, &reserve);
	return err;
}

/* A run of unsure pages, of which the record says the same: it becomes true. */
static int settle_run(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
		      gms_pgoff_t end, enum gms_shareability to, gms_pgoff_t *failed)
{
	const bool two_sides = kvm->way != GMS_KVM_IN_PLACE;
	int err;

	err = prepare(kvm->unsure, start, end);
	if (!err && two_sides)
		err = prepare(kvm->stale, start, end);
	if (!err)
		err = tell(kvm, map, start, end, to, failed);
	if (err)
		return err;
	record(kvm->unsure, start, end, false);
	if (two_sides) /* the guest may have seen the other one */
		record(kvm->stale, start, end, true);
	return 0;
}

/*
 * Unsure pages of a piece become sure where they are not to change. So do those that will change
 * and be emptied: what may be seen is not punched (K4).
 */
static int settle(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end,
		  const struct change *change)
{
	const bool all = kvm->way != GMS_KVM_IN_PLACE && !change->keep;
	struct gms_rtree_run run, unsure;
	int err = 0;

	for (; !err && gms_rtree_next(kvm->unsure, start, end, &unsure); start += unsure.nr_pages) {
		const gms_pgoff_t unsure_end = unsure.start + unsure.nr_pages;

		for (gms_pgoff_t at = unsure.start;
		     !err && unsure.set && gms_rtree_next(kvm->private, at, unsure_end, &run);
		     at += run.nr_pages)
			if (all || run.set == (change->to == GMS_PRIVATE))
				err = settle_run(kvm, map, run.start, run.start + run.nr_pages,
						 run.set ? GMS_PRIVATE : GMS_SHARED,
						 change->failed);
	}
	return err;
}

/* Memslots of a piece become what the record says, where they are not. */
static int mend(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end)
{
	int err;

	if (!map || !map->broken || kvm->deferred)
		return 0;
	gms_kvm_stop_vcpus(kvm);
	err = gms_kvm_recut(kvm, map, start, end);
	gms_kvm_resume_vcpus(kvm);
	return err;
}

/* A piece: of one map, or of none. */
static int set_piece(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
		     gms_pgoff_t end, const struct change *change)
{
	struct gms_rtree_run run;
	int err = 0;

	if (!change->keep) /* a side will be punched: first it is known which one is seen (K4) */
		err = mend(kvm, map, start, end);
	if (!err)
		err = settle(kvm, map, start, end, change);
	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->private, at, end, &run);
	     at += run.nr_pages)
		if (run.set != (change->to == GMS_PRIVATE))
			err = set_run(kvm, map, run.start, run.start + run.nr_pages, change);
	return err ? err : mend(kvm, map, start, end);
}

int gms_kvm_guest_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		      enum gms_shareability to, bool keep, gms_pgoff_t *failed)
{
	const struct change change = {.to = to, .keep = keep, .failed = failed};
	int err = 0;

	while (!err && start < end) {
		gms_pgoff_t piece_end = end;
		struct gms_kvm_map *map = gms_kvm_piece(kvm, start, &piece_end);

		err = set_piece(kvm, map, start, piece_end, &change);
		start = piece_end;
	}
	return err;
}

/* ---- room ---- */

/* Slots that a map calls for near a range that is all of one kind. */
static int64_t count_uniform(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			     gms_pgoff_t start, gms_pgoff_t end, bool private)
{
	int64_t nr = 1;

	nr += start > map->start && gms_rtree_test(kvm->private, start - 1) != private;
	nr += end < map->end && gms_rtree_test(kvm->private, end) != private;
	return nr;
}

bool gms_kvm_guest_room(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
			enum gms_shareability to)
{
	int64_t more = 0;

	if (kvm->way != GMS_KVM_MEMSLOTS)
		return true;
	while (start < end && gms_kvm_slots_left(kvm, more)) {
		gms_pgoff_t piece_end = end;
		const struct gms_kvm_map *map = gms_kvm_piece(kvm, start, &piece_end);

		if (map)
			more += count_uniform(kvm, map, start, piece_end, to == GMS_PRIVATE) -
				count_near(kvm, map, start, piece_end);
		start = piece_end;
	}
	return gms_kvm_slots_left(kvm, more);
}

/* ---- what is in doubt, and what is not ---- */

int gms_kvm_guest_prepare(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	return prepare(kvm->unsure, start, end);
}

void gms_kvm_guest_doubt(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	if (!prepare(kvm->unsure, start, end))
		record(kvm->unsure, start, end, true);
}

/* The next run from @at on that is all private or all shared, for sure. */
static bool next_sure(const struct gms_kvm *kvm, gms_pgoff_t at, gms_pgoff_t end,
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
	for (; next_sure(kvm, at, end, run); at = run->start + run->nr_pages)
		if (!run->set)
			return true;
	return false;
}

/* A run of stale pages, all of them private or all of them shared. */
static void clean_run(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool private)
{
	if (prepare(kvm->stale, start, end))
		return;
	if (!gms_kvm_punch(kvm, start, end, private ? GMS_SHARED : GMS_PRIVATE))
		record(kvm->stale, start, end, false);
}

static void clean_piece(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run stale, run;

	for (; next_sure(kvm, start, end, &run); start = run.start + run.nr_pages) {
		const gms_pgoff_t run_end = run.start + run.nr_pages;

		for (gms_pgoff_t at = run.start; gms_rtree_next(kvm->stale, at, run_end, &stale);
		     at += stale.nr_pages)
			if (stale.set)
				clean_run(kvm, stale.start, stale.start + stale.nr_pages, run.set);
	}
}

void gms_kvm_guest_clean(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	if (kvm->way == GMS_KVM_IN_PLACE)
		return;
	while (start < end) {
		gms_pgoff_t piece_end = end;
		const struct gms_kvm_map *map = gms_kvm_piece(kvm, start, &piece_end);

		if (!map || !map->broken)
			clean_piece(kvm, start, piece_end);
		start = piece_end;
	}
}
