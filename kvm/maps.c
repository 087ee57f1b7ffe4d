// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * maps.c - maps: which pages the guest sees at which gfn (A1 to A3 of maps.h)
 *
 * A VM has few maps, so a list is enough.
 */
#include "maps.h"

#include "slots.h"
#include "uapi.h"

#define MAPS_MAX_GFN (1ULL << (64 - GMS_PAGE_SHIFT))

struct gms_kvm_map *gms_kvm_maps_find(const struct gms_kvm *kvm, gms_pgoff_t start,
				      gms_pgoff_t *end)
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

/* Takes a map off the list, and frees it. */
static void maps_remove(struct gms_kvm *kvm, struct gms_kvm_map *map)
{
	struct gms_kvm_map **link = &kvm->maps;

	while (*link != map)
		link = &(*link)->next;
	*link = map->next;
	kvm->allocator.free(kvm->allocator.ctx, map, sizeof(*map), sizeof(void *));
}

int gms_kvm_maps_set_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map,
				gms_pgoff_t start, gms_pgoff_t end, enum gms_shareability to)
{
	struct kvm_memory_attributes attributes = {
		.address = gms_kvm_bytes(map->gfn + start - map->start),
		.size = gms_kvm_bytes(end - start),
		.attributes = to == GMS_PRIVATE ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	const int err = gms_kvm_ioctl(kvm, kvm->opts.vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &attributes);

	return err ? gms_kvm_because(err, "KVM refused KVM_SET_MEMORY_ATTRIBUTES") : 0;
}

/*
 * By attributes, makes all pages of a map shared in KVM. A failure does no harm: the next map of
 * these gfns sets the attributes of all its pages.
 */
static void maps_clear_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map)
{
	if (kvm->mode == GMS_KVM_ATTRIBUTES)
		gms_kvm_maps_set_attributes(kvm, map, map->start, map->end, GMS_SHARED);
}

/* Re-cuts all slots of a map. */
static int maps_recut(struct gms_kvm *kvm, struct gms_kvm_map *map)
{
	return gms_kvm_slots_recut(kvm, map, map->start, map->end);
}

int gms_kvm_maps_sweep(struct gms_kvm *kvm)
{
	struct gms_kvm_map *map, *next;
	int err, first = 0;

	for (map = kvm->maps; map; map = next) {
		next = map->next;
		if (!map->gone)
			continue;
		err = maps_recut(kvm, map);
		if (!err) {
			maps_clear_attributes(kvm, map);
			maps_remove(kvm, map);
		}
		first = first ? first : err;
	}
	return first;
}

int gms_kvm_maps_fini(struct gms_kvm *kvm)
{
	for (struct gms_kvm_map *map = kvm->maps; map; map = map->next)
		map->gone = true;
	return gms_kvm_maps_sweep(kvm);
}

/* By attributes, sets KVM's attributes of a new map to what private says. */
static int maps_init_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map)
{
	struct gms_rtree_run run;
	int err = 0;

	if (kvm->mode != GMS_KVM_ATTRIBUTES)
		return 0;
	for (gms_pgoff_t at = map->start; !err && gms_rtree_next(kvm->private, at, map->end, &run);
	     at += run.nr_pages)
		err = gms_kvm_maps_set_attributes(kvm, map, run.start, run.start + run.nr_pages,
						  run.set ? GMS_PRIVATE : GMS_SHARED);
	return err;
}

/* Returns true if a map on the list has a page or a gfn that @other has, too. */
static bool maps_overlap(const struct gms_kvm *kvm, const struct gms_kvm_map *other)
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

/* Puts a copy of @like on the list. Returns 0 or -ENOMEM. */
static int maps_insert(struct gms_kvm *kvm, const struct gms_kvm_map *like,
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

static int maps_map_locked(struct gms_kvm *kvm, const struct gms_kvm_map *like)
{
	struct gms_kvm_map *map;
	int64_t nr_slots;
	int err;

	err = gms_kvm_maps_sweep(kvm);
	if (err)
		return err;
	if (maps_overlap(kvm, like))
		return -EEXIST;
	err = maps_insert(kvm, like, &map);
	if (err)
		return err;
	nr_slots = (int64_t)gms_kvm_slots_count(kvm, map, map->start, map->end);
	if (!gms_kvm_slots_left(kvm, nr_slots)) {
		maps_remove(kvm, map);
		return gms_kvm_because(-ENOSPC, GMS_KVM_WHY_SLOTS);
	}
	err = maps_init_attributes(kvm, map);
	if (!err)
		err = maps_recut(kvm, map);
	if (!err) {
		gms_kvm_slots_add(kvm, nr_slots);
		return 0;
	}
	map->gone = true;
	gms_kvm_maps_sweep(kvm);
	return err;
}

static int maps_unmap_locked(struct gms_kvm *kvm, uint64_t gfn)
{
	struct gms_kvm_map *map;
	int64_t nr_slots;
	int err;

	err = gms_kvm_maps_sweep(kvm);
	if (err)
		return err;
	for (map = kvm->maps; map && map->gfn != gfn; map = map->next)
		;
	if (!map)
		return -ENOENT;
	nr_slots = (int64_t)gms_kvm_slots_count(kvm, map, map->start, map->end);
	map->gone = true;
	err = maps_recut(kvm, map);
	if (err) {
		map->gone = false;
		maps_recut(kvm, map); /* if this fails, too, the map is broken */
		return err;
	}
	maps_clear_attributes(kvm, map);
	gms_kvm_slots_add(kvm, -nr_slots);
	maps_remove(kvm, map);
	return 0;
}

int gms_kvm_map_flags(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages,
		      uint32_t slot_flags)
{
	const struct gms_kvm_map like = {
		.gfn = gfn, .start = start, .end = start + nr_pages, .slot_flags = slot_flags};
	const uint64_t size = kvm->opts.nr_pages;
	int err;

	if (!nr_pages || start >= size || nr_pages > size - start || gfn >= MAPS_MAX_GFN ||
	    nr_pages > MAPS_MAX_GFN - gfn ||
	    slot_flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return gms_kvm_because(
			-EINVAL, "the range, the gfns or the flags of the memslot are not valid");
	gms_reason_set(NULL);
	pthread_mutex_lock(&kvm->lock);
	err = maps_map_locked(kvm, &like);
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

	gms_reason_set(NULL);
	pthread_mutex_lock(&kvm->lock);
	err = maps_unmap_locked(kvm, gfn);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}
