// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * slots.c - memslots: which there are, which there should be
 *
 *  S1  Slots are kept in the order of their index. They do not overlap, and each lies in one map.
 *  S2  A map that is not broken has a slot for each of its runs of equal pages, with memslots;
 *      one for all of it, else. One that is gone has none.
 *  S3  KVM can neither resize a slot that has a guest_memfd nor give it another one: it is
 *      deleted, and made anew. Those that are right already are left alone:
 *
 *	slots	|   shared   |  private  |   shared   |   private    |
 *	convert               [this one to shared]
 *	slots	|   shared                            |   private    |
 *		 deleted: 3                 made: 1       left alone
 */
#include "slots.h"

#include "uapi.h"

#include <string.h>

/* ---- the table ---- */

/* The first slot that starts at @at or after it. */
static size_t find(const struct gms_kvm *kvm, gms_pgoff_t at)
{
	size_t low = 0, high = kvm->nr_slots;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (kvm->slots[mid].start < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert(struct gms_kvm *kvm, size_t i, struct gms_kvm_slot slot)
{
	memmove(&kvm->slots[i + 1], &kvm->slots[i], (kvm->nr_slots - i) * sizeof(slot));
	kvm->slots[i] = slot;
	kvm->nr_slots++;
}

static void take_out(struct gms_kvm *kvm, size_t i)
{
	kvm->nr_slots--;
	kvm->free_ids[kvm->opts.nr_slots - kvm->nr_slots - 1] = kvm->slots[i].id;
	memmove(&kvm->slots[i], &kvm->slots[i + 1], (kvm->nr_slots - i) * sizeof(kvm->slots[i]));
}

/* ---- what should be ---- */

/* The slot that a map should have from @at on, cut at @end. false: none. */
static bool wanted(const struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t at,
		   gms_pgoff_t end, struct gms_kvm_slot *slot)
{
	struct gms_rtree_run run;

	if (map->gone || at >= end)
		return false;
	slot->start = at;
	slot->end = end;
	slot->private = false;
	if (kvm->way == GMS_KVM_MEMSLOTS && gms_rtree_next(kvm->private, at, end, &run)) {
		slot->end = at + run.nr_pages;
		slot->private = run.set;
	}
	return true;
}

static bool same(const struct gms_kvm_slot *a, const struct gms_kvm_slot *b)
{
	return a->start == b->start && a->end == b->end && a->private == b->private;
}

/* Is a slot one of those that the range should have? */
static bool is_wanted(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
		      const struct gms_kvm_slot *slot, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_kvm_slot want;

	if (!wanted(kvm, map, slot->start, end, &want) || !same(slot, &want))
		return false;
	if (slot->start == start)
		return true;
	return kvm->way == GMS_KVM_MEMSLOTS &&
	       gms_rtree_test(kvm->private, slot->start - 1) != slot->private;
}

uint64_t gms_kvm_count_wanted(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			      gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_kvm_slot slot;
	uint64_t nr = 0;

	for (; wanted(kvm, map, start, end, &slot); start = slot.end)
		nr++;
	return nr;
}

static bool intact(const struct gms_kvm *kvm, const struct gms_kvm_map *map)
{
	size_t i = find(kvm, map->start);
	struct gms_kvm_slot want;

	for (gms_pgoff_t at = map->start; wanted(kvm, map, at, map->end, &want); at = want.end)
		if (i == kvm->nr_slots || !same(&kvm->slots[i++], &want))
			return false;
	return i == kvm->nr_slots || kvm->slots[i].start >= map->end;
}

/* ---- making it so ---- */

static int delete_slot(struct gms_kvm *kvm, size_t i)
{
	struct kvm_userspace_memory_region2 region = {.slot = kvm->slots[i].id};
	int err;

	err = gms_kvm_ioctl(kvm, kvm->opts.vm_fd, KVM_SET_USER_MEMORY_REGION2, &region);
	if (!err)
		take_out(kvm, i);
	return err;
}

static int make_slot(struct gms_kvm *kvm, const struct gms_kvm_map *map, size_t i,
		     struct gms_kvm_slot slot)
{
	const struct gms_kvm_file *file = slot.private || kvm->way == GMS_KVM_ATTRIBUTES
						  ? &kvm->private_file
						  : &kvm->shared_file;
	struct kvm_userspace_memory_region2 region = {
		.flags = KVM_MEM_GUEST_MEMFD | map->slot_flags,
		.guest_phys_addr = gms_kvm_bytes(map->gfn + slot.start - map->start),
		.memory_size = gms_kvm_bytes(slot.end - slot.start),
		.userspace_addr = (uintptr_t)kvm->window + gms_kvm_bytes(slot.start),
		.guest_memfd = (unsigned int)file->fd,
		.guest_memfd_offset = file->offset + gms_kvm_bytes(slot.start),
	};
	int err;

	if (kvm->nr_slots == kvm->opts.nr_slots)
		return -ENOSPC; /* some could not be deleted */
	slot.id = kvm->free_ids[kvm->opts.nr_slots - kvm->nr_slots - 1];
	region.slot = slot.id;
	err = gms_kvm_ioctl(kvm, kvm->opts.vm_fd, KVM_SET_USER_MEMORY_REGION2, &region);
	if (!err)
		insert(kvm, i, slot);
	return err;
}

/* Delete the slots of a range that should not be. */
static int clear(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
		 gms_pgoff_t end)
{
	int err = 0;

	for (size_t i = find(kvm, start); !err && i < kvm->nr_slots && kvm->slots[i].start < end;) {
		if (is_wanted(kvm, map, &kvm->slots[i], start, end))
			i++;
		else
			err = delete_slot(kvm, i);
	}
	return err;
}

/* Make those that are missing. */
static int fill(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
		gms_pgoff_t end)
{
	size_t i = find(kvm, start);
	struct gms_kvm_slot want;
	int err = 0;

	for (; !err && wanted(kvm, map, start, end, &want); start = want.end, i++)
		if (i == kvm->nr_slots || !same(&kvm->slots[i], &want))
			err = make_slot(kvm, map, i, want);
	return err;
}

int gms_kvm_recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end)
{
	size_t i = find(kvm, start);
	int err;

	/* out to the far ends of the neighbours, across what is missing */
	start = i && kvm->slots[i - 1].start >= map->start ? kvm->slots[i - 1].start : map->start;
	while (i < kvm->nr_slots && kvm->slots[i].end <= end)
		i++;
	end = i < kvm->nr_slots && kvm->slots[i].end <= map->end ? kvm->slots[i].end : map->end;

	err = clear(kvm, map, start, end);
	if (!err)
		err = fill(kvm, map, start, end);
	if (err)
		map->broken = true;
	else if (map->broken)
		map->broken = !intact(kvm, map);
	return err;
}

int gms_kvm_recut_broken(struct gms_kvm *kvm)
{
	struct gms_kvm_map *map;
	int err = 0;

	for (map = kvm->maps; !err && map; map = map->next)
		if (map->broken)
			err = clear(kvm, map, map->start, map->end);
	for (map = kvm->maps; !err && map; map = map->next) {
		if (!map->broken)
			continue;
		err = fill(kvm, map, map->start, map->end);
		map->broken = err;
	}
	return err;
}

/* ---- how many there are ---- */

static struct gms_kvm_txn *my_txn(struct gms_kvm *kvm)
{
	for (size_t i = 0; i < GMS_KVM_NR_TXNS; i++)
		if (kvm->txns[i].open && pthread_equal(kvm->txns[i].thread, pthread_self()))
			return &kvm->txns[i];
	return NULL;
}

void gms_kvm_txn_begin(struct gms_kvm *kvm)
{
	struct gms_kvm_txn *txn = my_txn(kvm);

	for (size_t i = 0; !txn && i < GMS_KVM_NR_TXNS; i++) {
		if (kvm->txns[i].open)
			continue;
		txn = &kvm->txns[i];
		txn->thread = pthread_self();
		txn->now = txn->peak = 0;
	}
	if (txn)
		txn->open++;
}

void gms_kvm_txn_end(struct gms_kvm *kvm)
{
	struct gms_kvm_txn *txn = my_txn(kvm);

	if (txn)
		txn->open--;
}

bool gms_kvm_slots_left(struct gms_kvm *kvm, int64_t more)
{
	const struct gms_kvm_txn *mine = my_txn(kvm);
	int64_t left = (int64_t)kvm->opts.nr_slots - (int64_t)kvm->nr_wanted;

	for (size_t i = 0; i < GMS_KVM_NR_TXNS; i++)
		if (kvm->txns[i].open && &kvm->txns[i] != mine)
			left -= kvm->txns[i].peak - kvm->txns[i].now;
	return more <= 0 || more <= left;
}

void gms_kvm_slots_add(struct gms_kvm *kvm, int64_t more)
{
	struct gms_kvm_txn *txn = my_txn(kvm);

	kvm->nr_wanted = (uint64_t)((int64_t)kvm->nr_wanted + more);
	if (!txn)
		return;
	txn->now += more;
	if (txn->now > txn->peak)
		txn->peak = txn->now;
}

/* ---- vCPUs ---- */

void gms_kvm_stop_vcpus(struct gms_kvm *kvm)
{
	if (kvm->way == GMS_KVM_MEMSLOTS && kvm->opts.stop_vcpus)
		kvm->opts.stop_vcpus(kvm->opts.ctx);
}

void gms_kvm_resume_vcpus(struct gms_kvm *kvm)
{
	if (kvm->way == GMS_KVM_MEMSLOTS && kvm->opts.resume_vcpus)
		kvm->opts.resume_vcpus(kvm->opts.ctx);
}
