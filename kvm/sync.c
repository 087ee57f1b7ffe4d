// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sync.c - memory becomes what a state object says
 *
 * Passes over the state's runs: hide what is private, tell KVM, show what is shared, punch
 * out what was left. Hiding comes before all that may fail, so that a failure leaves nothing
 * visible that is private; in place KVM hides what it is told is private. With memslots KVM is
 * told at the end of the second pass: as runs come and go the slots might not suffice half-way,
 * though they do before and after.
 *
 * Quarantined pages are hidden, and otherwise left as they are. The object's locks are held,
 * shared, so no conversion is half done.
 */
#include "guest.h"
#include "host.h"
#include "maps.h"
#include "slots.h"

enum pass { HIDE, TELL, SHOW, CLEAN };

struct sync {
	struct gms_kvm *kvm;
	const struct gms_state *state;
	gms_pgoff_t first, last; /* quarantined pages lie in [first, last) */
};

/* Pages that are all private or all shared, and all quarantined or all not. */
struct run {
	gms_pgoff_t start, end;
	bool private, quarantined;
};

struct walk {
	struct gms_iter iter;
	gms_pgoff_t end; /* of the run of the state that @next lies in */
	gms_pgoff_t next;
	bool private;
};

static void find_quarantined(struct sync *sync)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	gms_pgoff_t page = 0;

	gms_stats_read(sync->state, &stats);
	if (!stats.quarantined_pages)
		return;
	while (page < sync->kvm->opts.nr_pages && !gms_is_quarantined(sync->state, page))
		page++;
	sync->first = page;
	for (; stats.quarantined_pages && page < sync->kvm->opts.nr_pages; page++)
		stats.quarantined_pages -= gms_is_quarantined(sync->state, page);
	sync->last = page;
}

static void walk_init(const struct sync *sync, struct walk *walk, gms_pgoff_t start,
		      gms_pgoff_t end)
{
	gms_iter_init(&walk->iter, sync->state, start, end - start);
	walk->next = walk->end = start;
}

/* Cuts a run where the first page is that is quarantined, or is not, other than the run's first. */
static void cut(const struct sync *sync, struct run *run)
{
	const gms_pgoff_t end = run->end < sync->last ? run->end : sync->last;

	if (run->start >= end)
		return;
	if (run->start < sync->first) {
		run->end = sync->first < run->end ? sync->first : run->end;
		return;
	}
	run->quarantined = gms_is_quarantined(sync->state, run->start);
	for (gms_pgoff_t at = run->start + 1; at < end; at++) {
		if (gms_is_quarantined(sync->state, at) == run->quarantined)
			continue;
		run->end = at;
		return;
	}
	run->end = end; /* the page before @last is quarantined */
}

static bool walk_next(const struct sync *sync, struct walk *walk, struct run *run)
{
	struct gms_run all;

	if (walk->next == walk->end) {
		if (!gms_iter_next(&walk->iter, &all))
			return false;
		walk->next = all.start;
		walk->end = all.start + all.nr_pages;
		walk->private = all.shareability == GMS_PRIVATE;
	}
	*run = (struct run) {walk->next, walk->end, walk->private, false};
	cut(sync, run);
	walk->next = run->end;
	return true;
}

/* In place nothing is told of a quarantined page. */
static int hide(struct gms_kvm *kvm, const struct run *run)
{
	if (!run->private && !run->quarantined)
		return 0;
	if (kvm->way != GMS_KVM_IN_PLACE)
		return gms_kvm_host_set(kvm, run->start, run->end, true);
	if (run->quarantined)
		return 0;
	return gms_kvm_guest_set(kvm, run->start, run->end, GMS_PRIVATE, false, NULL);
}

static int run_pass(struct gms_kvm *kvm, const struct run *run, enum pass pass)
{
	if (pass == HIDE)
		return hide(kvm, run);
	if (run->quarantined)
		return 0;
	switch (pass) {
	case TELL:
		return gms_kvm_guest_set(kvm, run->start, run->end,
					 run->private ? GMS_PRIVATE : GMS_SHARED, false, NULL);
	case SHOW:
		return run->private ? 0 : gms_kvm_host_set(kvm, run->start, run->end, false);
	default:
		gms_kvm_guest_clean(kvm, run->start, run->end);
		return 0;
	}
}

/* Hides all that it can. The other passes end where one run fails. */
static int pass(const struct sync *sync, enum pass pass)
{
	struct walk walk;
	struct run run;
	int first = 0;

	walk_init(sync, &walk, 0, sync->kvm->opts.nr_pages);
	while ((!first || pass == HIDE) && walk_next(sync, &walk, &run)) {
		const int err = run_pass(sync->kvm, &run, pass);

		first = first ? first : err;
	}
	return first;
}

/* Slots that a map will call for: by the state, and by the record where it is quarantined. */
static uint64_t count_slots(const struct sync *sync, const struct gms_kvm_map *map)
{
	struct gms_rtree_run kept;
	struct walk walk;
	struct run run;
	uint64_t nr = 0;
	bool last = false;

	walk_init(sync, &walk, map->start, map->end);
	while (walk_next(sync, &walk, &run)) {
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

static bool slots_suffice(const struct sync *sync)
{
	const struct gms_kvm *kvm = sync->kvm;
	uint64_t nr = 0;

	if (kvm->way != GMS_KVM_MEMSLOTS)
		return true;
	for (const struct gms_kvm_map *map = kvm->maps; map; map = map->next)
		nr += count_slots(sync, map);
	return nr <= kvm->opts.nr_slots;
}

/* Memslots become what the records say: then what nobody sees by these may be punched (K4). */
static int mend(struct gms_kvm *kvm)
{
	int err;

	gms_kvm_stop_vcpus(kvm);
	err = gms_kvm_sweep(kvm);
	if (!err)
		err = gms_kvm_recut_broken(kvm);
	gms_kvm_resume_vcpus(kvm);
	return err;
}

/* What has been recorded is cut into slots also where not all could be. */
static int tell(const struct sync *sync)
{
	struct gms_kvm *kvm = sync->kvm;
	int err, cut;

	gms_kvm_stop_vcpus(kvm);
	kvm->deferred = kvm->way == GMS_KVM_MEMSLOTS;
	err = pass(sync, TELL);
	kvm->deferred = false;
	cut = gms_kvm_recut_broken(kvm);
	gms_kvm_resume_vcpus(kvm);
	return err ? err : cut;
}

static int sync_locked(struct sync *sync)
{
	int err;

	find_quarantined(sync);
	err = pass(sync, HIDE);
	if (!err)
		err = mend(sync->kvm);
	if (!err && !slots_suffice(sync))
		err = -ENOSPC;
	if (!err)
		err = tell(sync);
	if (!err)
		err = pass(sync, SHOW);
	if (err)
		return err;
	sync->kvm->torn = false; /* all of it was mapped anew */
	return pass(sync, CLEAN);
}

int gms_kvm_sync(struct gms_kvm *kvm, const struct gms_state *state)
{
	/* const for the caller: what the object says does not change; its locks do */
	struct gms_state *locked = (struct gms_state *)state;
	struct sync sync = {.kvm = kvm, .state = state};
	const uint64_t nr_pages = kvm->opts.nr_pages;
	int err;

	if (gms_state_nr_pages(state) != nr_pages)
		return -EINVAL;
	err = gms_lock_shared(locked, 0, nr_pages);
	if (err)
		return err;
	pthread_mutex_lock(&kvm->lock);
	err = sync_locked(&sync);
	pthread_mutex_unlock(&kvm->lock);
	gms_unlock_shared(locked, 0, nr_pages);
	return err;
}
