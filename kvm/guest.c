// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * guest.c - what the guest sees: private or shared, in each of the three ways
 *
 * A range is taken apart into pieces that are mapped to one gfn range, or not mapped, and within
 * these into runs that differ from what is asked for. For each run:
 *
 *	reserve what the records need           fails: nothing has changed
 *	punch the side that will be shown, where it is stale
 *	record it; tell KVM                     fails: the record is reverted, and KVM told so
 *	the other side is stale
 *
 * KVM changes attributes all or nothing, so only memslots have a half-way: what can then not
 * be put back is a map that is broken, and the table of slots says where.
 */
#include "kvm_priv.h"
#include "uapi.h"

/* What is asked for. */
struct change {
	enum gms_shareability to;
	bool keep;
	gms_pgoff_t *failed;
};

int gms_kvm_set_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
			   gms_pgoff_t end, enum gms_shareability to)
{
	struct kvm_memory_attributes attributes = {
		.address = gms_kvm_bytes(map->gfn + start - map->start),
		.size = gms_kvm_bytes(end - start),
		.attributes = to == GMS_PRIVATE ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return gms_kvm_ioctl(kvm, kvm->opts.vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &attributes);
}

static int convert_in_place(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
			    const struct change *change)
{
	struct kvm_memory_attributes2 attributes = {
		.offset = gms_kvm_bytes(start),
		.size = gms_kvm_bytes(end - start),
		.attributes = change->to == GMS_PRIVATE ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};
	gms_pgoff_t page;
	int err;

	err = gms_kvm_ioctl(kvm, kvm->shared_fd, KVM_SET_MEMORY_ATTRIBUTES2, &attributes);
	page = attributes.error_offset >> GMS_PAGE_SHIFT;
	if (err == -EAGAIN && change->failed && page >= start && page < end)
		*change->failed = page;
	return err;
}

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

static int convert(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end,
		   const struct change *change, struct gms_rtree_reserve *reserve)
{
	int err = 0;

	if (map && kvm->way == GMS_KVM_MEMSLOTS)
		return convert_slots(kvm, map, start, end, change, reserve);
	if (kvm->way == GMS_KVM_IN_PLACE)
		err = convert_in_place(kvm, start, end, change);
	else if (map)
		err = gms_kvm_set_attributes(kvm, map, start, end, change->to);
	if (!err)
		gms_rtree_commit(kvm->private, start, end - start, change->to == GMS_PRIVATE,
				 reserve);
	return err;
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
	struct gms_rtree_reserve reserve, stale;
	int err;

	err = gms_rtree_prepare(kvm->private, start, end - start, &reserve);
	if (err)
		return err;
	if (two_sides)
		err = gms_rtree_prepare(kvm->stale, start, end - start, &stale);
	if (err)
		goto no_stale;
	if (two_sides && !change->keep)
		err = purge(kvm, start, end, change->to);
	if (!err)
		err = convert(kvm, map, start, end, change, &reserve);
	if (two_sides) {
		if (!err)
			gms_rtree_commit(kvm->stale, start, end - start, true, &stale);
		gms_rtree_release(kvm->stale, &stale);
	}
no_stale:
	gms_rtree_release(kvm->private, &reserve);
	return err;
}

/* A piece: of one map, or of none. */
static int set_piece(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
		     gms_pgoff_t end, const struct change *change)
{
	struct gms_rtree_run run;
	int err = 0;

	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->private, at, end, &run);
	     at += run.nr_pages)
		if (run.set != (change->to == GMS_PRIVATE))
			err = set_run(kvm, map, run.start, run.start + run.nr_pages, change);
	if (!err && map && map->broken && !kvm->deferred) {
		gms_kvm_stop_vcpus(kvm);
		err = gms_kvm_recut(kvm, map, start, end);
		gms_kvm_resume_vcpus(kvm);
	}
	return err;
}

/* The map that a piece which begins at @start lies in, or NULL, and where the piece ends. */
static struct gms_kvm_map *piece(const struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t *end)
{
	struct gms_kvm_map *map = gms_kvm_map_after(kvm, start);

	if (!map)
		return NULL;
	if (map->start > start) {
		if (map->start < *end)
			*end = map->start;
		return NULL;
	}
	if (map->end < *end)
		*end = map->end;
	return map;
}

int gms_kvm_guest_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		      enum gms_shareability to, bool keep, gms_pgoff_t *failed)
{
	const struct change change = {.to = to, .keep = keep, .failed = failed};
	int err = 0;

	while (!err && start < end) {
		gms_pgoff_t piece_end = end;
		struct gms_kvm_map *map = piece(kvm, start, &piece_end);

		err = set_piece(kvm, map, start, piece_end, &change);
		start = piece_end;
	}
	return err;
}

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
		const struct gms_kvm_map *map = piece(kvm, start, &piece_end);

		if (map)
			more += count_uniform(kvm, map, start, piece_end, to == GMS_PRIVATE) -
				count_near(kvm, map, start, piece_end);
		start = piece_end;
	}
	return gms_kvm_slots_left(kvm, more);
}
