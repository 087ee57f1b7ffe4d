// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * maps.c - what the guest sees where
 *
 * Few of them: a list, in the order of their index, is enough. A page is in one map at most, and
 * so is a gfn. A map whose slots cannot all be deleted is gone to the caller; it stays in
 * the list until they can, as KVM would refuse others in their place.
 */
#include "maps.h"

#include "slots.h"
#include "uapi.h"

#define MAX_GFN (1ULL << (64 - GMS_PAGE_SHIFT))

struct gms_kvm_map *gms_kvm_piece(const struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t *end)
{
	struct gms_kvm_map *map = kvm->maps;

	while (map && (map->gone || map->end <= start))
		map = map->next;
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

static void forget(struct gms_kvm *kvm, struct gms_kvm_map *map)
{
	struct gms_kvm_map **link = &kvm->maps;

	while (*link != map)
		link = &(*link)->next;
	*link = map->next;
	kvm->allocator.free(kvm->allocator.ctx, map, sizeof(*map), sizeof(void *));
}

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

/* Where this fails it does not matter: whoever maps there next sets all of them. */
static void clear_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map)
{
	if (kvm->way == GMS_KVM_ATTRIBUTES)
		gms_kvm_set_attributes(kvm, map, map->start, map->end, GMS_SHARED);
}

static int all_slots(struct gms_kvm *kvm, struct gms_kvm_map *map)
{
	return gms_kvm_recut(kvm, map, map->start, map->end);
}

int gms_kvm_sweep(struct gms_kvm *kvm)
{
	struct gms_kvm_map *map, *next;
	int err, first = 0;

	for (map = kvm->maps; map; map = next) {
		next = map->next;
		if (!map->gone)
			continue;
		err = all_slots(kvm, map);
		if (!err) {
			clear_attributes(kvm, map);
			forget(kvm, map);
		}
		first = first ? first : err;
	}
	return first;
}

int gms_kvm_maps_fini(struct gms_kvm *kvm)
{
	for (struct gms_kvm_map *map = kvm->maps; map; map = map->next)
		map->gone = true;
	return gms_kvm_sweep(kvm);
}

/* With attributes: those of the VM are what the records say of a map. */
static int tell_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map)
{
	struct gms_rtree_run run;
	int err = 0;

	if (kvm->way != GMS_KVM_ATTRIBUTES)
		return 0;
	for (gms_pgoff_t at = map->start; !err && gms_rtree_next(kvm->private, at, map->end, &run);
	     at += run.nr_pages)
		err = gms_kvm_set_attributes(kvm, map, run.start, run.start + run.nr_pages,
					     run.set ? GMS_PRIVATE : GMS_SHARED);
	return err;
}

static bool overlaps(const struct gms_kvm *kvm, const struct gms_kvm_map *other)
{
	const uint64_t nr_pages = other->end - other->start;

	for (const struct gms_kvm_map *map = kvm->maps; map; map = map->next) {
		if (other->start < map->end && map->start < other->end)
			return true;
		if (other->gfn < map->gfn + (map->end - map->start) &&
		    map->gfn < other->gfn + nr_pages)
			return true;
	}
	return false;
}

static int insert(struct gms_kvm *kvm, const struct gms_kvm_map *like,
		  struct gms_kvm_map **inserted)
{
	struct gms_kvm_map **link = &kvm->maps, *map;

	map = kvm->allocator.alloc(kvm->allocator.ctx, sizeof(*map), sizeof(void *));
	if (!map)
		return -ENOMEM;
	while (*link && (*link)->start < like->start)
		link = &(*link)->next;
	*map = *like;
	map->next = *link;
	*link = *inserted = map;
	return 0;
}

static int map_locked(struct gms_kvm *kvm, const struct gms_kvm_map *like)
{
	struct gms_kvm_map *map;
	int64_t nr_slots;
	int err;

	err = gms_kvm_sweep(kvm);
	if (err)
		return err;
	if (overlaps(kvm, like))
		return -EEXIST;
	err = insert(kvm, like, &map);
	if (err)
		return err;
	nr_slots = (int64_t)gms_kvm_count_wanted(kvm, map, map->start, map->end);
	if (!gms_kvm_slots_left(kvm, nr_slots)) {
		forget(kvm, map);
		return -ENOSPC;
	}
	err = tell_attributes(kvm, map);
	if (!err)
		err = all_slots(kvm, map);
	if (!err) {
		gms_kvm_slots_add(kvm, nr_slots);
		return 0;
	}
	map->gone = true;
	gms_kvm_sweep(kvm);
	return err;
}

static int unmap_locked(struct gms_kvm *kvm, uint64_t gfn)
{
	struct gms_kvm_map *map;
	int64_t nr_slots;
	int err;

	err = gms_kvm_sweep(kvm);
	if (err)
		return err;
	for (map = kvm->maps; map && map->gfn != gfn; map = map->next)
		;
	if (!map)
		return -ENOENT;
	nr_slots = (int64_t)gms_kvm_count_wanted(kvm, map, map->start, map->end);
	map->gone = true;
	err = all_slots(kvm, map);
	if (err) {
		map->gone = false;
		all_slots(kvm, map); /* else it is broken, and known to be */
		return err;
	}
	clear_attributes(kvm, map);
	gms_kvm_slots_add(kvm, -nr_slots);
	forget(kvm, map);
	return 0;
}

int gms_kvm_map_flags(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages,
		      uint32_t slot_flags)
{
	const struct gms_kvm_map like = {
		.gfn = gfn, .start = start, .end = start + nr_pages, .slot_flags = slot_flags};
	const uint64_t size = kvm->opts.nr_pages;
	int err;

	if (!nr_pages || start >= size || nr_pages > size - start || gfn >= MAX_GFN ||
	    nr_pages > MAX_GFN - gfn || slot_flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	pthread_mutex_lock(&kvm->lock);
	err = map_locked(kvm, &like);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

int gms_kvm_map(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages)
{
	return gms_kvm_map_flags(kvm, gfn, start, nr_pages, 0);
}

int gms_kvm_unmap(struct gms_kvm *kvm, uint64_t gfn)
{
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = unmap_locked(kvm, gfn);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}
