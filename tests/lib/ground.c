// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ground.c - an object with one of each thing, and every call that takes one of its locks
 */
#include "ground.h"

#define NO_ID UINT32_MAX
#define SPLIT_AT (3 * T_2M) /* a folio that is split, and that gms_maintain() merges */
#define PINNED (5 * T_2M)
#define NR_PINS 4000U

/* ---- the calls ---- */

static int call_convert(struct ground *g, gms_pgoff_t at, unsigned int flags)
{
	gms_pgoff_t err_index = 0x77;
	int ret = gms_convert(g->rig.state, at, 1, GMS_PRIVATE, flags, &err_index);

	if (err_index != (ret ? at : 0x77))
		return -ERANGE;
	return ret ? ret : gms_convert(g->rig.state, at, 1, GMS_SHARED, flags, NULL);
}

static int call_convert_atomic(struct ground *g, gms_pgoff_t at)
{
	return call_convert(g, at, 0);
}

static int call_convert_resumable(struct ground *g, gms_pgoff_t at)
{
	return call_convert(g, at, GMS_CONVERT_RESUMABLE);
}

static int call_punch_hole(struct ground *g, gms_pgoff_t at)
{
	gms_pgoff_t err_index = 0x77;
	int ret = gms_punch_hole(g->rig.state, at, 1, &err_index);

	return err_index == (ret ? at : 0x77) ? ret : -ERANGE;
}

static int call_allocate(struct ground *g, gms_pgoff_t at)
{
	gms_pgoff_t err_index = 0x77;
	int ret = gms_allocate(g->rig.state, at, 1, &err_index);

	return err_index == (ret ? at : 0x77) ? ret : -ERANGE;
}

static int call_pin(struct ground *g, gms_pgoff_t at)
{
	gms_pgoff_t err_index = 0x77;
	int ret = gms_pin(g->rig.state, at, 1, &err_index);

	if (!ret)
		gms_unpin(g->rig.state, at, 1);
	return err_index == (ret ? at : 0x77) ? ret : -ERANGE;
}

static int call_fault(struct ground *g, gms_pgoff_t at, enum gms_accessor accessor)
{
	struct gms_fault fault;
	int ret = gms_fault_begin(g->rig.state, at, accessor, &fault);

	if (!ret)
		gms_fault_end(g->rig.state, &fault);
	return ret;
}

static int call_fault_host(struct ground *g, gms_pgoff_t at)
{
	return call_fault(g, at, GMS_HOST);
}

static int call_fault_guest(struct ground *g, gms_pgoff_t at)
{
	return call_fault(g, at, GMS_GUEST);
}

static int call_fault_gfn(struct ground *g, gms_pgoff_t at)
{
	struct gms_fault fault;
	int ret = gms_fault_begin_gfn(g->rig.state, GROUND_GFN + at, GMS_GUEST, &fault);

	if (!ret)
		gms_fault_end(g->rig.state, &fault);
	return ret;
}

static int call_lock_shared(struct ground *g, gms_pgoff_t at)
{
	int ret = gms_lock_shared(g->rig.state, at, 1);

	if (!ret)
		gms_unlock_shared(g->rig.state, at, 1);
	return ret;
}

static int call_attr_create(struct ground *g, gms_pgoff_t at)
{
	unsigned int id = NO_ID;
	int ret = gms_attr_create(g->rig.state, &id);

	(void)at;
	if ((id == NO_ID) != (ret != 0))
		return -ERANGE;
	if (ret == -ENOSPC && g->attrs == GMS_MAX_ATTRS)
		return 0; /* the call took the lock, and found the table full */
	g->attrs += !ret;
	return ret;
}

static int call_attr_set(struct ground *g, gms_pgoff_t at)
{
	int ret = gms_attr_set(g->rig.state, g->attr, at, 1, true);

	return ret ? ret : gms_attr_set(g->rig.state, g->attr, at, 1, false);
}

static int call_inhibit(struct ground *g, gms_pgoff_t at)
{
	return gms_inhibit(g->rig.state, at, 1, GMS_ORDER_4K);
}

static int call_uninhibit(struct ground *g, gms_pgoff_t at)
{
	return gms_uninhibit(g->rig.state, at, 1);
}

/* The page is not quarantined. The call finds that out under the locks, and returns -EINVAL. */
static int call_repair(struct ground *g, gms_pgoff_t at)
{
	int ret = gms_repair(g->rig.state, at, 1, GMS_SHARED);

	return ret == -EINVAL ? 0 : ret ? ret : -ERANGE;
}

static int call_bind(struct ground *g, gms_pgoff_t at)
{
	unsigned int id = NO_ID;
	int ret = gms_bind(g->rig.state, 1, GROUND_UNBOUND, 1, &id);

	(void)at;
	if ((id == NO_ID) != (ret != 0))
		return -ERANGE;
	return ret ? ret : gms_unbind(g->rig.state, id);
}

static int call_unbind(struct ground *g, gms_pgoff_t at)
{
	int ret = gms_unbind(g->rig.state, g->binding);

	(void)at;
	return ret ? ret : gms_bind(g->rig.state, GROUND_GFN, 0, GROUND_UNBOUND, &g->binding);
}

static int call_listener_register(struct ground *g, gms_pgoff_t at)
{
	unsigned int id = NO_ID;
	int ret = ground_listen(g, GROUND_UNBOUND, T_2M, &id);

	(void)at;
	if ((id == NO_ID) != (ret != 0))
		return -ERANGE;
	return ret ? ret : gms_listener_unregister(g->rig.state, id);
}

static int call_listener_unregister(struct ground *g, gms_pgoff_t at)
{
	int ret = gms_listener_unregister(g->rig.state, g->listener);

	(void)at;
	return ret ? ret : ground_listen(g, GROUND_UNBOUND, T_2M, &g->listener);
}

static int call_freeze(struct ground *g, gms_pgoff_t at)
{
	int ret = gms_freeze(g->rig.state);

	(void)at;
	return ret ? ret : gms_thaw(g->rig.state);
}

static int call_thaw(struct ground *g, gms_pgoff_t at)
{
	(void)at;
	return gms_thaw(g->rig.state);
}

static int call_snapshot_save(struct ground *g, gms_pgoff_t at)
{
	size_t needed = 0x77;
	int ret = gms_snapshot_save(g->rig.state, NULL, 0, &needed);

	(void)at;
	return (needed == 0x77) == (ret != 0) ? ret : -ERANGE;
}

/* gms_state_verify() and gms_maintain() return no error, so their results show a refusal. */
static int call_verify(struct ground *g, gms_pgoff_t at)
{
	const char *reason = NULL;

	(void)at;
	if (gms_state_verify(g->rig.state, &reason))
		return 0;
	return reason ? -EDEADLK : -ERANGE;
}

static int call_maintain(struct ground *g, gms_pgoff_t at)
{
	struct gms_fault fault;
	int ret;

	(void)at;
	if (!gms_maintain(g->rig.state, UINT64_MAX))
		return -EDEADLK;
	ret = gms_fault_begin(g->rig.state, SPLIT_AT, GMS_HOST, &fault);
	if (!ret)
		gms_fault_end(g->rig.state, &fault);
	return ret;
}

/**
 * struct call - a call that takes a lock
 * @name: the name of the call
 * @run: makes the call, and reverses it if it succeeded; -ERANGE if the call wrote a result that
 *       it must not write
 * @shared: true if the call takes only the invalidate lock, shared: a listener may make it
 * @uncounted: true if no counter counts a refusal
 */
static const struct call {
	const char *name;
	int (*run)(struct ground *g, gms_pgoff_t at);
	bool shared, uncounted;
} calls[] = {
	{"convert", call_convert_atomic, false, false},
	{"convert, resumable", call_convert_resumable, false, false},
	{"punch_hole", call_punch_hole, false, false},
	{"allocate", call_allocate, true, false},
	{"pin", call_pin, true, false},
	{"fault_begin, host", call_fault_host, true, false},
	{"fault_begin, guest", call_fault_guest, true, false},
	{"fault_begin_gfn", call_fault_gfn, true, false},
	{"lock_shared", call_lock_shared, true, false},
	{"attr_create", call_attr_create, false, false},
	{"attr_set", call_attr_set, false, false},
	{"inhibit", call_inhibit, false, false},
	{"uninhibit", call_uninhibit, false, false},
	{"repair", call_repair, false, false},
	{"bind", call_bind, false, false},
	{"unbind", call_unbind, false, false},
	{"listener_register", call_listener_register, false, false},
	{"listener_unregister", call_listener_unregister, false, false},
	{"freeze", call_freeze, false, false},
	{"thaw", call_thaw, false, false},
	{"snapshot_save", call_snapshot_save, false, false},
	{"state_verify", call_verify, false, true},
	{"maintain", call_maintain, false, true},
};

/* ---- all calls ---- */

/* Compares the counters. Those of memory are left out, because another thread may allocate. */
static bool equal_but_refusals(struct gms_stats before, struct gms_stats after, uint64_t refused)
{
	before.refused_deadlock += refused;
	before.bytes_in_use = after.bytes_in_use;
	before.bytes_pooled = after.bytes_pooled;
	return !memcmp(&before, &after, sizeof(before));
}

const char *ground_refuses(struct ground *g, gms_pgoff_t at, bool listener)
{
	struct gms_stats before;
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		before = rig_stats(&g->rig);
		ret = calls[i].run(g, at);
		if (listener && calls[i].shared) {
			if (ret)
				return calls[i].name;
			continue;
		}
		if (ret != -EDEADLK ||
		    !equal_but_refusals(before, rig_stats(&g->rig), !calls[i].uncounted))
			return calls[i].name;
	}
	return NULL;
}

const char *ground_refuses_all(struct ground *g)
{
	const char *why = ground_refuses(g, GROUND_SAME, false);

	return why ? why : ground_refuses(g, GROUND_OTHER, false);
}

const char *ground_works_at(struct ground *g, gms_pgoff_t at)
{
	const uint64_t refused = rig_stats(&g->rig).refused_deadlock;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].run(g, at) || rig_stats(&g->rig).refused_deadlock != refused)
			return calls[i].name;
	}
	return NULL;
}

const char *ground_works(struct ground *g)
{
	const char *why = ground_works_at(g, GROUND_SAME);

	return why ? why : ground_works_at(g, GROUND_OTHER);
}

const char *ground_answers(struct ground *g)
{
	const struct gms_state *s = g->rig.state;
	const gms_pgoff_t calm = T_1G + 2 * T_2M + 9; /* in a block that never changes */
	struct gms_iter iter;
	struct gms_run run;
	unsigned int order;
	gms_pgoff_t at;

	if (!g->pins--)
		return "the test has no pins left";
	gms_unpin(g->rig.state, PINNED, 1);
	if (rig_stats(&g->rig).surplus_unpins || !gms_first_pin(s, 0, GROUND_PAGES, &at) ||
	    at != PINNED)
		return "unpin or first_pin";
	if (gms_is_private(s, calm) || !gms_range_is(s, calm, 1, GMS_SHARED) ||
	    gms_summary(s, calm, 9) != GMS_ALL_SHARED || gms_max_order(s, calm) != 9 ||
	    gms_count(s, calm, 9, GMS_SHARED) != 9 || gms_count(s, calm, 9, GMS_PRIVATE))
		return "is_private or a related query";
	gms_iter_init(&iter, s, calm, 1);
	if (!gms_iter_next(&iter, &run) || run.start != calm || gms_iter_next(&iter, &run))
		return "iter";
	if (gms_is_allocated(s, calm) || gms_is_prepared(s, calm) || gms_folio_order(s, calm) != 9)
		return "is_allocated or a related query";
	if (gms_is_quarantined(s, calm) || gms_attr_test(s, g->attr, calm) ||
	    gms_state_nr_pages(s) != GROUND_PAGES)
		return "is_quarantined or a related query";
	if (gms_gfn_to_index(s, GROUND_GFN + 7, &at) || at != 7 ||
	    gms_gfn_max_order(s, GROUND_GFN + 7, &order))
		return "gfn_to_index";
	(void)gms_seq_retry(s, calm, gms_seq_read(s, calm));
	return NULL;
}

/* ---- the ground ---- */

static int on_change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		     size_t *done)
{
	struct ground *g = ctx;

	(void)runs, (void)count, (void)to, (void)done;
	g->notified++;
	if (g->inside && !g->busy) {
		g->busy = true;
		g->inside(g, NULL);
		g->busy = false;
	}
	return 0;
}

static const struct gms_listener_ops listener_ops = {
	.struct_size = sizeof(listener_ops),
	.flags = GMS_LISTENER_CAN_SPLIT,
	.change = on_change,
};

int ground_listen(struct ground *g, gms_pgoff_t start, uint64_t nr_pages, unsigned int *id)
{
	return gms_listener_register(g->rig.state, &listener_ops, g, start, nr_pages, 1, id);
}

void ground_on_call(void *arg, const struct sim_call *call)
{
	struct ground *g = arg;

	g->hooks |= 1U << call->hook;
	if (g->inside && !g->busy) {
		g->busy = true;
		g->inside(g, call);
		g->busy = false;
	}
}

static void in_rig_hook(struct rig *rig, const struct sim_call *call)
{
	ground_on_call(rig->arg, call);
}

/* Splits the folios that the host touches, and merges in gms_maintain(). */
static void split_and_merge(void *ctx, const struct gms_policy_view *view,
			    struct gms_policy_verdict *verdict)
{
	(void)ctx;
	if (view->event == GMS_EV_FAULT && view->accessor == GMS_HOST)
		verdict->order = GMS_ORDER_4K;
	if (view->event == GMS_EV_MAINTAIN)
		verdict->order = GMS_ORDER_2M;
}

void ground_init(struct ground *g, const struct gms_policy_ops *policy)
{
	static const struct gms_policy_ops own = {
		.struct_size = sizeof(own), .name = "split and merge", .decide = split_and_merge};
	const struct rig_opts opts = {
		.nr_pages = GROUND_PAGES,
		.folio_order = GMS_ORDER_2M,
		.policy = policy ? policy : &own,
	};

	memset(g, 0, sizeof(*g));
	rig_init(&g->rig, &opts);
	g->rig.arg = g;
	g->rig.hook = in_rig_hook;
	assert_int_equal(gms_attr_create(g->rig.state, &g->attr), 0);
	g->attrs = 1;
	assert_int_equal(gms_bind(g->rig.state, GROUND_GFN, 0, GROUND_UNBOUND, &g->binding), 0);
	assert_int_equal(ground_listen(g, GROUND_UNBOUND, T_2M, &g->listener), 0);
	rig_pin(&g->rig, PINNED, 1); /* this pin stays until ground_fini() */
	for (g->pins = 0; g->pins < NR_PINS; g->pins++)
		rig_pin(&g->rig, PINNED, 1);
	assert_int_equal(call_fault_host(g, SPLIT_AT), 0);
	rig_forget(&g->rig);
}

void ground_fini(struct ground *g)
{
	g->inside = NULL;
	for (g->pins++; g->pins; g->pins--)
		gms_unpin(g->rig.state, PINNED, 1);
	assert_false(gms_first_pin(g->rig.state, 0, GROUND_PAGES, NULL));
	assert_int_equal(rig_stats(&g->rig).surplus_unpins, 0);
	rig_fini(&g->rig);
}
