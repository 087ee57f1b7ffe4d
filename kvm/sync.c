// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sync.c - memory becomes what a state object says
 *
 * Four passes over the state's runs: hide what is private, tell KVM, show what is shared, punch
 * out what was left. With memslots KVM is told at the end of the second: as runs come and go
 * the slots might not suffice half-way, though they do before and after.
 */
#include "kvm_priv.h"

enum pass { HIDE, TELL, SHOW, CLEAN };

static int run_pass(struct gms_kvm *kvm, const struct gms_run *run, enum pass pass)
{
	const bool private = run->shareability == GMS_PRIVATE;
	const gms_pgoff_t end = run->start + run->nr_pages;

	switch (pass) {
	case HIDE:
		return private ? gms_kvm_host_set(kvm, run->start, end, true) : 0;
	case TELL:
		return gms_kvm_guest_set(kvm, run->start, end, run->shareability, false, NULL);
	case SHOW:
		return private ? 0 : gms_kvm_host_set(kvm, run->start, end, false);
	default:
		gms_kvm_host_clean(kvm, run->start, end);
		return 0;
	}
}

static int walk(struct gms_kvm *kvm, const struct gms_state *state, enum pass pass)
{
	struct gms_iter iter;
	struct gms_run run;
	int err = 0;

	gms_iter_init(&iter, state, 0, kvm->opts.nr_pages);
	while (!err && gms_iter_next(&iter, &run))
		err = run_pass(kvm, &run, pass);
	return err;
}

/* Will there be enough slots? */
static bool slots_suffice(const struct gms_kvm *kvm, const struct gms_state *state)
{
	uint64_t nr = 0;

	if (kvm->way != GMS_KVM_MEMSLOTS)
		return true;
	for (const struct gms_kvm_map *map = kvm->maps; map; map = map->next) {
		struct gms_iter iter;
		struct gms_run run;

		gms_iter_init(&iter, state, map->start, map->end - map->start);
		while (gms_iter_next(&iter, &run))
			nr++;
	}
	return nr <= kvm->opts.nr_slots;
}

/* What has been recorded is cut into slots also where not all could be. */
static int tell(struct gms_kvm *kvm, const struct gms_state *state)
{
	int err, cut;

	gms_kvm_stop_vcpus(kvm);
	kvm->deferred = kvm->way == GMS_KVM_MEMSLOTS;
	err = walk(kvm, state, TELL);
	kvm->deferred = false;
	cut = gms_kvm_recut_broken(kvm);
	gms_kvm_resume_vcpus(kvm);
	return err ? err : cut;
}

static int sync_locked(struct gms_kvm *kvm, const struct gms_state *state)
{
	int err;

	err = gms_kvm_sweep(kvm);
	if (err)
		return err;
	if (!slots_suffice(kvm, state))
		return -ENOSPC;
	err = walk(kvm, state, HIDE);
	if (!err)
		err = tell(kvm, state);
	if (!err)
		err = walk(kvm, state, SHOW);
	if (err)
		return err;
	kvm->torn = false; /* all of it was mapped anew */
	return walk(kvm, state, CLEAN);
}

int gms_kvm_sync(struct gms_kvm *kvm, const struct gms_state *state)
{
	int err;

	if (gms_state_nr_pages(state) != kvm->opts.nr_pages)
		return -EINVAL;
	pthread_mutex_lock(&kvm->lock);
	err = sync_locked(kvm, state);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}
