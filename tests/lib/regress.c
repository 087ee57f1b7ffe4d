// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * regress.c - helpers for regression tests: see regress.h
 */
#include "regress.h"

/* ---- a policy with one wish ---- */

static void decide(void *ctx, const struct gms_policy_view *view,
		   struct gms_policy_verdict *verdict)
{
	struct wish *wish = ctx;

	if (view->event != wish->event || view->accessor != wish->accessor)
		return;
	wish->queries++;
	verdict->order = wish->order;
	verdict->uniform = wish->uniform;
}

void wish_init(struct rig *rig, const struct rig_opts *opts, struct wish *wish)
{
	static const struct gms_policy_ops policy = {
		.struct_size = sizeof(policy),
		.name = "wish",
		.decide = decide,
	};
	struct rig_opts with = *opts;

	with.policy = &policy;
	with.policy_ctx = wish;
	rig_init(rig, &with);
}

/* ---- mirrors on one rig ---- */

void mirrors_init(struct mirrors *all, const struct rig_opts *opts)
{
	memset(&all->plan, 0, sizeof(all->plan));
	all->nr = 0;
	rig_init(&all->rig, opts);
}

void mirrors_add(struct mirrors *all, unsigned int count, uint64_t nr_pages, uint64_t granule,
		 unsigned int flags)
{
	for (; count; count--) {
		struct mirror *m = &all->mirror[all->nr++];

		assert_true(all->nr <= MIRRORS);
		mirror_init(m, &all->rig, &all->plan, 0, nr_pages, granule, flags);
		assert_int_equal(mirror_register(m), 0);
	}
}

void mirrors_check(struct mirrors *all)
{
	plan_refuse_none(&all->plan);
	for (unsigned int i = 0; i < all->nr; i++)
		mirror_check(&all->mirror[i]);
	rig_check(&all->rig);
}

void mirrors_forget(struct mirrors *all)
{
	for (unsigned int i = 0; i < all->nr; i++)
		mirror_forget(&all->mirror[i]);
	rig_forget(&all->rig);
}

void mirrors_fini(struct mirrors *all)
{
	mirrors_check(all);
	for (unsigned int i = 0; i < all->nr; i++) {
		struct mirror *m = &all->mirror[i];

		if (m->live)
			assert_int_equal(mirror_unregister(m), 0);
		mirror_fini(m);
	}
	assert_int_equal(rig_stats(&all->rig).listeners, 0);
	assert_int_equal(rig_stats(&all->rig).surplus_unpins, 0);
	rig_fini(&all->rig);
}

void mirrors_quarantine(struct mirrors *all, enum gms_shareability to)
{
	sim_refuse(all->rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -EIO);
	rig_convert_fails(&all->rig, 10, 3, to, 0, -EIO, 10);
	for (gms_pgoff_t i = 10; i < 13; i++)
		assert_true(gms_is_quarantined(all->rig.state, i));
}

uint64_t mirror_held(const struct mirror *mirror, uint64_t start, uint64_t nr_pages)
{
	return oracle_count(&mirror->held, start, nr_pages);
}

uint64_t mirror_runs(const struct mirror *mirror, enum gms_shareability to)
{
	uint64_t count = 0;

	assert_true(mirror->nr_events <= MIRROR_EVENTS);
	for (uint64_t i = 0; i < mirror->nr_events; i++)
		count += mirror->events[i].to == to;
	return count;
}

/* ---- a writer beside a reader ---- */

void beside_run(void (*writer)(struct worker *), void (*reader)(struct worker *), uint64_t rounds)
{
	struct worker workers[] = {{.run = writer, .rounds = rounds},
				   {.run = reader, .rounds = rounds}};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct beside beside;
	struct gms_fault fault;

	opts.nr_pages = T_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = GMS_ORDER_1G;
	opts.policy = gms_policy_eager_rfc();
	assert_int_equal(gms_state_create(&opts, &beside.state), 0);
	assert_int_equal(gms_fault_begin(beside.state, 0, GMS_GUEST, &fault), 0);
	assert_int_equal(gms_fault_prepare(beside.state, &fault), 0);
	gms_fault_end(beside.state, &fault);
	atomic_init(&beside.stopped, false);
	workers[0].shared = workers[1].shared = &beside;
	workers_run(workers, ARRAY_SIZE(workers));
	gms_state_destroy(beside.state);
}
