// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sync.c - makes all of the memory what a state object says
 *
 * Four passes over the state's runs:
 *
 *	SYNC_HIDE	hides private and quarantined pages from the host
 *	SYNC_GUEST	makes the guest see each page as what it is
 *	SYNC_SHOW	shows shared pages to the host
 *	SYNC_PUNCH	punches the unused sides out
 *
 * Hiding comes before everything that may fail, so that a failure leaves no private page visible.
 * In place, KVM hides a page when the page becomes private, so the first pass makes pages private.
 * By memslots, the second pass only commits the records, and all slots are re-cut at its end: in
 * the middle of the pass there may be more runs than slots, even if the slots suffice at its end.
 *
 * Quarantined pages are hidden (but not in place), and otherwise not changed (K4). The locks of
 * the state object are held shared, so no conversion is in progress. gms_kvm.lock is taken inside
 * them.
 */
#include "guest.h"
#include "host.h"
#include "maps.h"
#include "slots.h"

enum sync_pass { SYNC_HIDE, SYNC_GUEST, SYNC_SHOW, SYNC_PUNCH };

struct sync {
	struct gms_kvm *kvm;
	const struct gms_state *state;
	gms_pgoff_t start, end; /* all quarantined pages lie in [start, end) */
};

/* Pages that are all private or all shared, and all quarantined or all not. */
struct sync_run {
	gms_pgoff_t start, end;
	bool private, quarantined;
};

struct sync_walk {
	struct gms_iter iter;
	gms_pgoff_t next; /* the first page of the next run */
	gms_pgoff_t end; /* the end of the state's run that has page next */
	bool private; /* whether that run is private */
};

static void sync_find_quarantined(struct sync *sync)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	gms_pgoff_t page = 0;

	gms_stats_read(sync->state, &stats);
	if (!stats.quarantined_pages)
		return;
	while (page < sync->kvm->opts.nr_pages && !gms_is_quarantined(sync->state, page))
		page++;
	sync->start = page;
	for (; stats.quarantined_pages && page < sync->kvm->opts.nr_pages; page++)
		stats.quarantined_pages -= gms_is_quarantined(sync->state, page);
	sync->end = page;
}

static void sync_walk_init(const struct sync *sync, struct sync_walk *walk, gms_pgoff_t start,
			   gms_pgoff_t end)
{
	gms_iter_init(&walk->iter, sync->state, start, end - start);
	walk->next = walk->end = start;
}

/* Stores whether the first page of a run is quarantined. Cuts the run where that changes. */
static void sync_cut(const struct sync *sync, struct sync_run *run)
{
	const gms_pgoff_t end = run->end < sync->end ? run->end : sync->end;

	if (run->start >= end)
		return;
	if (run->start < sync->start) {
		run->end = sync->start < run->end ? sync->start : run->end;
		return;
	}
	run->quarantined = gms_is_quarantined(sync->state, run->start);
	for (gms_pgoff_t at = run->start + 1; at < end; at++) {
		if (gms_is_quarantined(sync->state, at) == run->quarantined)
			continue;
		run->end = at;
		return;
	}
	/* if this cuts the run, then at sync->end: the rest of the run is not quarantined */
	run->end = end;
}

static bool sync_walk_next(const struct sync *sync, struct sync_walk *walk, struct sync_run *run)
{
	struct gms_run all;

	if (walk->next == walk->end) {
		if (!gms_iter_next(&walk->iter, &all))
			return false;
		walk->next = all.start;
		walk->end = all.start + all.nr_pages;
		walk->private = all.shareability == GMS_PRIVATE;
	}
	*run = (struct sync_run) {walk->next, walk->end, walk->private, false};
	sync_cut(sync, run);
	walk->next = run->end;
	return true;
}

/* Hides a run if it is private or quarantined. In place, leaves quarantined pages alone. */
static int sync_hide(struct gms_kvm *kvm, const struct sync_run *run)
{
	if (!run->private && !run->quarantined)
		return 0;
	if (kvm->mode != GMS_KVM_IN_PLACE)
		return gms_kvm_host_set(kvm, run->start, run->end, true);
	if (run->quarantined)
		return 0;
	return gms_kvm_guest_set(kvm, run->start, run->end, GMS_PRIVATE, false, NULL);
}

static int sync_one_run(struct gms_kvm *kvm, const struct sync_run *run, enum sync_pass pass)
{
	if (pass == SYNC_HIDE)
		return sync_hide(kvm, run);
	if (run->quarantined)
		return 0;
	switch (pass) {
	case SYNC_GUEST:
		return gms_kvm_guest_set(kvm, run->start, run->end,
					 run->private ? GMS_PRIVATE : GMS_SHARED, false, NULL);
	case SYNC_SHOW:
		return run->private ? 0 : gms_kvm_host_set(kvm, run->start, run->end, false);
	default:
		gms_kvm_guest_punch_stale(kvm, run->start, run->end);
		return 0;
	}
}

/*
 * Makes one pass. After a failure SYNC_HIDE goes on, to hide as much as possible, and the other
 * passes stop. Returns 0, or the first error.
 */
static int sync_all_runs(const struct sync *sync, enum sync_pass pass)
{
	struct sync_walk walk;
	struct sync_run run;
	int first = 0;

	sync_walk_init(sync, &walk, 0, sync->kvm->opts.nr_pages);
	while ((!first || pass == SYNC_HIDE) && sync_walk_next(sync, &walk, &run)) {
		const int err = sync_one_run(sync->kvm, &run, pass);

		first = first ? first : err;
	}
	return first;
}

/*
 * Returns how many slots a map will call for after the sync. Quarantined pages stay what private
 * says, and all others become what the state says.
 */
static uint64_t sync_count_slots(const struct sync *sync, const struct gms_kvm_map *map)
{
	struct gms_rtree_run kept;
	struct sync_walk walk;
	struct sync_run run;
	uint64_t nr = 0;
	bool last = false;

	sync_walk_init(sync, &walk, map->start, map->end);
	while (sync_walk_next(sync, &walk, &run)) {
		if (!run.quarantined) {
			nr += !nr || run.private != last;
			last = run.private;
			continue;
		}
		for (gms_pgoff_t at = run.start;
		     gms_rtree_next(sync->kvm->private, at, run.end, &kept); at += kept.nr_pages) {
			nr += !nr || kept.set != last;
			last = kept.set;
		}
	}
	return nr;
}

static bool sync_slots_suffice(const struct sync *sync)
{
	const struct gms_kvm *kvm = sync->kvm;
	uint64_t nr = 0;

	if (kvm->mode != GMS_KVM_MEMSLOTS)
		return true;
	for (const struct gms_kvm_map *map = kvm->maps; map; map = map->next)
		nr += sync_count_slots(sync, map);
	return nr <= kvm->opts.nr_slots;
}

/* Repairs maps that are gone or broken: later passes may punch only where slots are right (K4). */
static int sync_repair_slots(struct gms_kvm *kvm)
{
	int err;

	gms_kvm_stop_vcpus(kvm);
	err = gms_kvm_maps_sweep(kvm);
	if (!err)
		err = gms_kvm_slots_recut_broken(kvm);
	gms_kvm_resume_vcpus(kvm);
	return err;
}

/* Makes the second pass. If it fails, still re-cuts the slots for the runs that it recorded. */
static int sync_guest(const struct sync *sync)
{
	struct gms_kvm *kvm = sync->kvm;
	int err, recut_err;

	gms_kvm_stop_vcpus(kvm);
	kvm->deferred = kvm->mode == GMS_KVM_MEMSLOTS;
	err = sync_all_runs(sync, SYNC_GUEST);
	kvm->deferred = false;
	recut_err = gms_kvm_slots_recut_broken(kvm);
	gms_kvm_resume_vcpus(kvm);
	return err ? err : recut_err;
}

static int sync_locked(struct sync *sync)
{
	int err;

	sync_find_quarantined(sync);
	err = sync_all_runs(sync, SYNC_HIDE);
	if (!err)
		err = sync_repair_slots(sync->kvm);
	if (!err && !sync_slots_suffice(sync))
		err = gms_kvm_because(-ENOSPC, GMS_KVM_WHY_SLOTS);
	if (!err)
		err = sync_guest(sync);
	if (!err)
		err = sync_all_runs(sync, SYNC_SHOW);
	if (err)
		return err;
	sync->kvm->torn = false; /* the passes have mapped every address anew */
	return sync_all_runs(sync, SYNC_PUNCH);
}

int gms_kvm_sync(struct gms_kvm *kvm, const struct gms_state *state)
{
	/* drops const: this changes locks of the object, and nothing that the caller can query */
	struct gms_state *locked = (struct gms_state *)state;
	struct sync sync = {.kvm = kvm, .state = state};
	const uint64_t nr_pages = kvm->opts.nr_pages;
	int err;

	if (gms_state_nr_pages(state) != nr_pages)
		return gms_kvm_because(-EINVAL, "the object has another size than the memory");
	err = gms_lock_shared(locked, 0, nr_pages);
	if (err)
		return err;
	pthread_mutex_lock(&kvm->lock);
	err = sync_locked(&sync);
	pthread_mutex_unlock(&kvm->lock);
	gms_unlock_shared(locked, 0, nr_pages);
	return err;
}
