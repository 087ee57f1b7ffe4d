// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * slots.c - memslots: the table of those that exist, and re-cutting them (S1 to S4 of slots.h)
 *
 * Example, by memslots: one run is converted to shared.
 *
 *	before	|   shared   |  private  |   shared   |   private    |
 *	convert               [ to shared ]
 *	after	|   shared                            |   private    |
 *		 three deleted, one created             left alone
 */
#include "slots.h"

#include "uapi.h"

#include <string.h>

/* ---- the table ---- */

/* Returns the position of the first slot that starts at or after @at. */
static size_t slots_find(const struct gms_kvm *kvm, gms_pgoff_t at)
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

static void slots_insert(struct gms_kvm *kvm, size_t i, struct gms_kvm_slot slot)
{
	memmove(&kvm->slots[i + 1], &kvm->slots[i], (kvm->nr_slots - i) * sizeof(slot));
	kvm->slots[i] = slot;
	kvm->nr_slots++;
}

static void slots_remove(struct gms_kvm *kvm, size_t i)
{
	kvm->nr_slots--;
	kvm->free_ids[kvm->opts.nr_slots - kvm->nr_slots - 1] = kvm->slots[i].id;
	memmove(&kvm->slots[i], &kvm->slots[i + 1], (kvm->nr_slots - i) * sizeof(kvm->slots[i]));
}

/* ---- the slots that a map calls for ---- */

/*
 * Sets *slot to the slot that a map calls for from @at on, cut at @end. Returns false if it calls
 * for none.
 */
static bool slots_wanted(const struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t at,
			 gms_pgoff_t end, struct gms_kvm_slot *slot)
{
	struct gms_rtree_run run;

	if (map->gone || at >= end)
		return false;
	slot->start = at;
	slot->end = end;
	slot->private = false;
	if (kvm->mode == GMS_KVM_MEMSLOTS && gms_rtree_next(kvm->private, at, end, &run)) {
		slot->end = at + run.nr_pages;
		slot->private = run.set;
	}
	return true;
}

static bool slots_equal(const struct gms_kvm_slot *a, const struct gms_kvm_slot *b)
{
	return a->start == b->start && a->end == b->end && a->private == b->private;
}

/* Returns true if a slot is one of those that a map calls for in [start, end). */
static bool slots_is_wanted(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			    const struct gms_kvm_slot *slot, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_kvm_slot want;

	if (!slots_wanted(kvm, map, slot->start, end, &want) || !slots_equal(slot, &want))
		return false;
	if (slot->start == start)
		return true;
	return kvm->mode == GMS_KVM_MEMSLOTS &&
	       gms_rtree_test(kvm->private, slot->start - 1) != slot->private;
}

uint64_t gms_kvm_slots_count(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			     gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_kvm_slot slot;
	uint64_t nr = 0;

	for (; slots_wanted(kvm, map, start, end, &slot); start = slot.end)
		nr++;
	return nr;
}

/* Returns true if a map has exactly the slots that it calls for. */
static bool slots_intact(const struct gms_kvm *kvm, const struct gms_kvm_map *map)
{
	size_t i = slots_find(kvm, map->start);
	struct gms_kvm_slot want;

	for (gms_pgoff_t at = map->start; slots_wanted(kvm, map, at, map->end, &want);
	     at = want.end)
		if (i == kvm->nr_slots || !slots_equal(&kvm->slots[i++], &want))
			return false;
	return i == kvm->nr_slots || kvm->slots[i].start >= map->end;
}

/* ---- re-cutting ---- */

/* Creates or deletes a memslot of KVM. */
static int slots_set_region(struct gms_kvm *kvm, struct kvm_userspace_memory_region2 *region)
{
	const int err = gms_kvm_ioctl(kvm, kvm->opts.vm_fd, KVM_SET_USER_MEMORY_REGION2, region);

	return err ? gms_kvm_because(err, "KVM refused a memslot") : 0;
}

/* Deletes the slot at position @i. */
static int slots_delete(struct gms_kvm *kvm, size_t i)
{
	struct kvm_userspace_memory_region2 region = {.slot = kvm->slots[i].id};
	int err;

	err = slots_set_region(kvm, &region);
	if (!err)
		slots_remove(kvm, i);
	return err;
}

/* Creates a slot, and inserts it at position @i. Returns 0 or -errno. */
static int slots_create(struct gms_kvm *kvm, const struct gms_kvm_map *map, size_t i,
			struct gms_kvm_slot slot)
{
	const struct gms_kvm_file *file = slot.private || kvm->mode == GMS_KVM_ATTRIBUTES
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

	/* slots that could not be deleted still have their numbers */
	if (kvm->nr_slots == kvm->opts.nr_slots)
		return gms_kvm_because(-ENOSPC, GMS_KVM_WHY_SLOTS);
	slot.id = kvm->free_ids[kvm->opts.nr_slots - kvm->nr_slots - 1];
	region.slot = slot.id;
	err = slots_set_region(kvm, &region);
	if (!err)
		slots_insert(kvm, i, slot);
	return err;
}

/* Deletes the slots in [start, end) that the map does not call for. */
static int slots_clear(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
		       gms_pgoff_t end)
{
	int err = 0;

	for (size_t i = slots_find(kvm, start);
	     !err && i < kvm->nr_slots && kvm->slots[i].start < end;) {
		if (slots_is_wanted(kvm, map, &kvm->slots[i], start, end))
			i++;
		else
			err = slots_delete(kvm, i);
	}
	return err;
}

/* Creates the missing slots of [start, end). */
static int slots_fill(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
		      gms_pgoff_t end)
{
	size_t i = slots_find(kvm, start);
	struct gms_kvm_slot want;
	int err = 0;

	for (; !err && slots_wanted(kvm, map, start, end, &want); start = want.end, i++)
		if (i == kvm->nr_slots || !slots_equal(&kvm->slots[i], &want))
			err = slots_create(kvm, map, i, want);
	return err;
}

int gms_kvm_slots_recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			gms_pgoff_t end)
{
	size_t i = slots_find(kvm, start);
	int err;

	/* extend the range over the slots that adjoin it, and over addresses that have no slot */
	start = i && kvm->slots[i - 1].start >= map->start ? kvm->slots[i - 1].start : map->start;
	while (i < kvm->nr_slots && kvm->slots[i].end <= end)
		i++;
	end = i < kvm->nr_slots && kvm->slots[i].end <= map->end ? kvm->slots[i].end : map->end;

	err = slots_clear(kvm, map, start, end);
	if (!err)
		err = slots_fill(kvm, map, start, end);
	if (err)
		map->broken = true;
	else if (map->broken)
		map->broken = !slots_intact(kvm, map);
	return err;
}

int gms_kvm_slots_recut_broken(struct gms_kvm *kvm)
{
	struct gms_kvm_map *map;
	int err = 0;

	for (map = kvm->maps; !err && map; map = map->next)
		if (map->broken)
			err = slots_clear(kvm, map, map->start, map->end);
	for (map = kvm->maps; !err && map; map = map->next) {
		if (!map->broken)
			continue;
		err = slots_fill(kvm, map, map->start, map->end);
		map->broken = err;
	}
	return err;
}

/* ---- accounting ---- */

/* Returns the conversion of the calling thread; NULL: it has none. */
static struct gms_kvm_txn *slots_txn(struct gms_kvm *kvm)
{
	for (size_t i = 0; i < GMS_KVM_NR_TXNS; i++)
		if (kvm->txns[i].open && pthread_equal(kvm->txns[i].thread, pthread_self()))
			return &kvm->txns[i];
	return NULL;
}

void gms_kvm_txn_begin(struct gms_kvm *kvm)
{
	struct gms_kvm_txn *txn = slots_txn(kvm);

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
	struct gms_kvm_txn *txn = slots_txn(kvm);

	if (txn)
		txn->open--;
}

bool gms_kvm_slots_left(struct gms_kvm *kvm, int64_t more)
{
	const struct gms_kvm_txn *mine = slots_txn(kvm);
	int64_t left = (int64_t)kvm->opts.nr_slots - (int64_t)kvm->nr_wanted;

	for (size_t i = 0; i < GMS_KVM_NR_TXNS; i++)
		if (kvm->txns[i].open && &kvm->txns[i] != mine)
			left -= kvm->txns[i].peak - kvm->txns[i].now;
	return more <= 0 || more <= left;
}

void gms_kvm_slots_add(struct gms_kvm *kvm, int64_t more)
{
	struct gms_kvm_txn *txn = slots_txn(kvm);

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
	if (kvm->mode == GMS_KVM_MEMSLOTS && kvm->opts.stop_vcpus)
		kvm->opts.stop_vcpus(kvm->opts.ctx);
}

void gms_kvm_resume_vcpus(struct gms_kvm *kvm)
{
	if (kvm->mode == GMS_KVM_MEMSLOTS && kvm->opts.resume_vcpus)
		kvm->opts.resume_vcpus(kvm->opts.ctx);
}
