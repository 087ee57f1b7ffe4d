// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vmm.c - a backend with map_host: see vmm.h
 */
#include "vmm.h"

/* ---- the backend ---- */

static const char *safe(const struct vmm *v)
{
	for (uint64_t i = 0; v->state && i < VMM_PAGES; i++)
		if (v->visible[i] && v->private[i] && gms_is_private(v->state, i) &&
		    !gms_is_quarantined(v->state, i))
			return "the host can touch a private page";
	return NULL;
}

/* Records a call of a hook. Returns true if the call has to fail. */
static bool enter(struct vmm *v, enum hook hook, uint64_t start, uint64_t nr_pages)
{
	if (!v->broken)
		v->broken = safe(v);
	if (v->nr_calls < VMM_CALLS)
		v->calls[v->nr_calls] = (struct call) {hook, start, nr_pages};
	v->nr_calls++;
	if (hook >= NR_FALLIBLE)
		return false;
	if (v->fail[hook] && !--v->fail[hook])
		return true;
	return prng_chance(&v->prng, v->percent);
}

/* Returns how many pages a call changes before it fails. */
static uint64_t part(struct vmm *v, uint64_t nr_pages)
{
	return prng_below(&v->prng, nr_pages);
}

int vmm_unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct vmm *v = ctx;
	const bool fails = enter(v, UNMAP, start, nr_pages);

	memset(&v->visible[start], false, fails ? part(v, nr_pages) : nr_pages);
	return fails ? -EIO : 0;
}

static int map_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct vmm *v = ctx;
	const bool fails = enter(v, MAP, start, nr_pages);

	if (fails)
		nr_pages = part(v, nr_pages);
	for (uint64_t i = start; i < start + nr_pages; i++)
		v->visible[i] = !v->private[i];
	return fails ? -ENOMEM : 0;
}

static int check_pins(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	struct vmm *v = ctx;

	if (!enter(v, PINS, start, nr_pages))
		return 0;
	*pinned = start + part(v, nr_pages);
	return -EAGAIN;
}

static int folio_split(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	(void)to;
	return enter(ctx, SPLIT, index, 1ULL << from) ? -ENOSPC : 0;
}

static void set(struct vmm *v, uint64_t start, uint64_t nr_pages, bool private)
{
	for (uint64_t i = start; i < start + nr_pages; i++) {
		if (private && v->visible[i] && !v->broken)
			v->broken = "a page becomes private while the host can touch it";
		v->private[i] = private;
		v->visible[i] = !private;
	}
}

static int apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		 gms_pgoff_t *failed)
{
	struct vmm *v = ctx;

	if (!enter(v, APPLY, start, nr_pages)) {
		set(v, start, nr_pages, to == GMS_PRIVATE);
		return 0;
	}
	*failed = start + part(v, nr_pages);
	set(v, start, *failed - start, to == GMS_PRIVATE);
	return -EBUSY;
}

static int undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	struct vmm *v = ctx;
	const bool fails = enter(v, UNDO, start, nr_pages);

	if (back_to == GMS_PRIVATE)
		memset(&v->visible[start], false, nr_pages);
	set(v, start, fails ? part(v, nr_pages) : nr_pages, back_to == GMS_PRIVATE);
	return fails ? -EIO : 0;
}

static void begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	enter(ctx, BEGIN, start, nr_pages);
}

static void end(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	enter(ctx, END, start, nr_pages);
}

const struct gms_backend_ops vmm_by_page = {
	.struct_size = sizeof(vmm_by_page),
	.unmap_host = vmm_unmap_host,
	.map_host = map_host,
	.check_pins = check_pins,
	.folio_split = folio_split,
	.invalidate_begin = begin,
	.apply = apply,
	.undo = undo,
	.invalidate_end = end,
};

static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct vmm *v = ctx;
	const bool refuses = v->refuse && prng_chance(&v->prng, 25);

	if (!v->broken)
		v->broken = safe(v);
	if (refuses)
		*done = count = prng_below(&v->prng, count + 1);
	for (size_t i = 0; i < count; i++)
		memset(&v->held[runs[i].start], to == GMS_SHARED, runs[i].nr_pages);
	return refuses ? -EXDEV : 0;
}

const struct gms_listener_ops vmm_listener = {
	.struct_size = sizeof(vmm_listener),
	.flags = GMS_LISTENER_CAN_SPLIT,
	.change = change,
};

void vmm_init(struct vmm *v, const struct gms_policy_ops *policy, uint64_t flags,
	      const struct gms_backend_ops *ops)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	memset(v, 0, sizeof(*v));
	talloc_init(&v->talloc);
	prng_init(&v->prng, test_seed());
	set(v, 0, VMM_PAGES, flags & GMS_INIT_PRIVATE);
	opts.nr_pages = VMM_PAGES;
	opts.flags = flags;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = policy;
	opts.allocator = &v->talloc.ops;
	opts.backend = ops;
	opts.backend_ctx = v;
	assert_int_equal(gms_state_create(&opts, &v->state), 0);
}

const char *vmm_agrees(const struct vmm *v)
{
	const char *why = v->broken ? v->broken : safe(v);

	for (uint64_t i = 0; !why && i < VMM_PAGES; i++) {
		if (gms_is_quarantined(v->state, i))
			continue;
		if (v->private[i] != gms_is_private(v->state, i))
			why = "the guest and the state differ about a page";
		else if (v->visible[i] == v->private[i])
			why = "the host cannot touch a shared page";
	}
	if (!why)
		gms_state_verify(v->state, &why);
	return why;
}

void vmm_fini(struct vmm *v)
{
	assert_fine(vmm_agrees(v));
	gms_state_destroy(v->state);
	assert_fine(talloc_check(&v->talloc));
	assert_int_equal(v->talloc.live_blocks, 0);
}
