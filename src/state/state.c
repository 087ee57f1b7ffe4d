// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state.c - creating and destroying a state object
 */
#include "base/opts.h"
#include "core/entry.h"
#include "core/quarantine.h"
#include "core/rent.h"
#include "listener/listener.h"
#include "state_opts.h"

static bool state_copy_policy(struct gms_policy_ops *to, const struct gms_policy_ops *from)
{
	return gms_opts_copy(to, sizeof(*to), from ? from : gms_policy_lazy(),
			     GMS_OPTS_END(struct gms_policy_ops, decide)) &&
	       to->name && to->decide;
}

const char *gms_state_opts_copy(struct gms_state_opts *to, const struct gms_state_opts *from)
{
	if (!gms_opts_copy(to, sizeof(*to), from, GMS_OPTS_END(struct gms_state_opts, nr_pages)))
		return GMS_WHY_STRUCT_SIZE;
	if (to->flags & ~GMS_INIT_PRIVATE)
		return "a flag is unknown";
	if (!gms_order_is_valid(to->folio_order))
		return "folio_order is not 0, 9 or 18";
	if (!to->policy && to->policy_ctx)
		return "policy_ctx is set without a policy";
	if (!to->clock_ns && to->clock_ctx)
		return "clock_ctx is set without a clock";
	return NULL;
}

/* Copies the caller's options for an object. Returns NULL, or why they are not valid. */
static const char *state_check_opts(struct gms_state_opts *o, struct gms_allocator *a,
				    const struct gms_state_opts *opts)
{
	const char *why = gms_state_opts_copy(o, opts);

	if (why)
		return why;
	if (!o->nr_pages || o->nr_pages > GMS_MAX_PAGES)
		return "nr_pages is 0, or above 2^40";
	if (!gms_allocator_copy(a, o->allocator))
		return GMS_WHY_ALLOCATOR;
	return NULL;
}

static void state_destroy_trees(struct gms_state *s)
{
	for (unsigned int i = 0; i < s->nr_attrs; i++)
		gms_rtree_destroy(s->attr[i]);
	for (unsigned int i = 0; i < GMS_NR_INHIBITS; i++)
		gms_rtree_destroy(s->inhibit[i]);
	gms_rtree_destroy(s->quarantine);
	gms_rtree_destroy(s->private);
}

static int state_create_trees(struct gms_state *s, uint64_t flags)
{
	const struct gms_allocator *a = &s->allocator;
	int err;

	err = gms_rtree_create(s->nr_pages,
			       flags & GMS_INIT_PRIVATE ? GMS_RTREE_ALL : GMS_RTREE_NONE, a,
			       &s->private);
	if (!err)
		err = gms_rtree_create(s->nr_pages, GMS_RTREE_NONE, a, &s->quarantine);
	for (unsigned int i = 0; !err && i < GMS_NR_INHIBITS; i++)
		err = gms_rtree_create(s->nr_pages, GMS_RTREE_NONE, a, &s->inhibit[i]);
	if (err)
		state_destroy_trees(s);
	return err;
}

static int state_init(struct gms_state *s, const struct gms_state_opts *opts)
{
	int err;

	err = state_create_trees(s, opts->flags);
	if (err)
		return err;
	err = gms_shards_init(s);
	if (err)
		goto no_shards;
	err = gms_folios_init(&s->folios, s->nr_pages, opts->folio_order, &s->allocator,
			      &s->backend, &s->counters);
	if (err)
		goto no_folios;
	gms_rents_init(s, opts->merge_wait_2m, opts->merge_wait_1g);
	if (s->clock_ns)
		s->clock_start = s->clock_ns(s->clock_ctx);
	return 0;

no_folios:
	gms_shards_fini(s);
no_shards:
	state_destroy_trees(s);
	return err;
}

int gms_state_create(const struct gms_state_opts *opts, struct gms_state **state)
{
	struct gms_allocator a;
	struct gms_state_opts o;
	struct gms_state *s;
	const char *why = state_check_opts(&o, &a, opts);
	int err;

	if (why)
		return gms_because(-EINVAL, why);
	(void)gms_because(0, NULL);
	s = a.alloc(a.ctx, sizeof(*s), 64);
	if (!s)
		return -ENOMEM;
	gms_memset(s, 0, sizeof(*s));
	s->nr_pages = o.nr_pages;
	s->allocator = a;
	s->policy_ctx = o.policy_ctx;
	s->clock_ns = o.clock_ns;
	s->clock_ctx = o.clock_ctx;
	if (!state_copy_policy(&s->policy, o.policy))
		why = "the policy lacks a name or decide, or struct_size is wrong";
	else
		why = gms_backend_init(&s->backend, o.backend, o.backend_ctx);
	err = why ? gms_because(-EINVAL, why) : state_init(s, &o);
	if (err) {
		a.free(a.ctx, s, sizeof(*s), 64);
		return err;
	}
	*state = s;
	return 0;
}

/*
 * Merges and frees all folios, as punching out the whole object would, but unmaps nothing and
 * looks for no pins. Clears the sets of prepared, mapped and allocated pages one whole 1G block
 * at a time, which needs no memory. The hooks that this calls may query the object. They see the
 * 1G blocks before the current one as freed.
 */
static void state_free_folios(struct gms_state *s)
{
	struct gms_folios *f = &s->folios;

	gms_for_each_1g(b, end, 0, s->nr_pages) {
		if (gms_rtree_fill(f->allocated, b, GMS_ORDER_1G) == GMS_RTREE_NONE)
			continue;
		gms_folios_free(f, b, end);
		gms_folios_commit(f, f->prepared, b, end - b, false);
		gms_folios_commit(f, f->mapped, b, end - b, false);
		gms_folios_commit(f, f->allocated, b, end - b, false);
		gms_folios_reset(f, b, end);
		gms_folios_notify_freed(f, b);
	}
}

/* Hooks and listeners may query the object. So the object is freed after the last of them. */
void gms_state_destroy(struct gms_state *s)
{
	struct gms_allocator a;

	if (!s)
		return;
	gms_listeners_fini(s);
	state_free_folios(s);
	gms_bindings_fini(&s->bindings, &s->allocator);
	gms_rents_fini(s);
	gms_folios_fini(&s->folios);
	gms_shards_fini(s);
	gms_quarantine_fini(s);
	state_destroy_trees(s);
	a = s->allocator;
	a.free(a.ctx, s, sizeof(*s), 64);
}

const char *gms_state_policy_name(const struct gms_state *s)
{
	return s->policy.name;
}

uint64_t gms_state_nr_pages(const struct gms_state *s)
{
	return s->nr_pages;
}
