// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * convert.c - random conversions: what is asked for, and what the library has to answer
 *
 * Before 8 of 100 a page of the range is pinned, if it is shared; in 7 the first, second or third
 * call of the backend's apply fails, if there are as many, so that what was done before is taken
 * back: the guest and the host must not notice.
 */
#include "compare.h"

#include <errno.h>

#include "attributes.h"

#define PAGES_2M (1ULL << GMS_ORDER_2M)

/* The hooks are the library's, but for apply; their ctx is not ours. */
static struct compare *hooked;
static struct gms_backend_ops hooks;

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t draw(struct compare *c, uint64_t below)
{
	/* xorshift64* */
	c->rng ^= c->rng >> 12;
	c->rng ^= c->rng << 25;
	c->rng ^= c->rng >> 27;
	return (c->rng * 0x2545f4914f6cdd1dULL >> 11) % below;
}

enum probe_mode draw_mode(struct compare *c)
{
	return (enum probe_mode)draw(c, PROBE_NR_MODES);
}

/*
 * The run that is about to change: KVM has not been told yet, and so the guest must still see what
 * was there before. Not where memslots are cut: no guest may run then.
 */
static int check_before(struct compare *c, gms_pgoff_t start, uint64_t nr_pages)
{
	uint64_t at = start - c->row.start;
	int err;

	if (gms_kvm_get_way(c->memory.kvm) == GMS_KVM_MEMSLOTS)
		return 0;
	err = check_guest_unasked(&c->row, at);
	return err ? err : check_guest_unasked(&c->row, at + nr_pages - 1);
}

static int hook_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		      gms_pgoff_t *failed)
{
	struct compare *c = hooked;
	int err = check_before(c, start, nr_pages);

	if (err)
		c->hook_err = err;
	if (c->fail_apply && !--c->fail_apply) {
		c->apply_failed = true;
		return -EIO;
	}
	err = gms_kvm_backend()->apply(ctx, start, nr_pages, to, failed);
	if (!err && c->deaf && to == GMS_PRIVATE)
		err = set_attributes(c->m.vm, MAIN_GFN + start - c->row.start, nr_pages, false);
	return err;
}

const struct gms_backend_ops *compare_backend(struct compare *c)
{
	hooked = c;
	hooks = *gms_kvm_backend();
	hooks.apply = hook_apply;
	return &hooks;
}

struct conversion {
	uint64_t at, nr_pages; /* in the row */
	enum gms_shareability to;
	unsigned int flags;
	bool pinned;
	uint64_t pin;
};

/* From a page up to a few hundred; whole 2M blocks; a run that is already what is asked for. */
static void draw_range(struct compare *c, struct conversion *v)
{
	uint64_t max = c->row.nr_pages, kind = draw(c, 10);

	v->to = draw(c, 2) ? GMS_PRIVATE : GMS_SHARED;
	v->flags = draw(c, 4) ? 0 : GMS_CONVERT_RESUMABLE;
	v->at = draw(c, max);
	if (kind < 4) {
		v->nr_pages = 1 + draw(c, 8);
	} else if (kind < 8) {
		v->nr_pages = 1 + draw(c, 300);
	} else if (kind < 9) {
		v->at &= ~(PAGES_2M - 1);
		v->nr_pages = PAGES_2M * (1 + draw(c, 2));
	} else {
		v->to = c->row.pages[v->at].private ? GMS_PRIVATE : GMS_SHARED;
		for (v->nr_pages = 1; v->at + v->nr_pages < max && v->nr_pages < 300; v->nr_pages++)
			if (c->row.pages[v->at + v->nr_pages].private != (v->to == GMS_PRIVATE))
				break;
	}
	v->nr_pages = smaller(v->nr_pages, max - v->at);
}

/* Pin a page of the range; the library refuses where that is private. */
static void draw_pin(struct compare *c, struct conversion *v)
{
	uint64_t pin = v->at + draw(c, v->nr_pages);
	bool private = c->row.pages[pin].private;
	int err = gms_pin(c->row.state, c->row.start + pin, 1, NULL);

	if (err != (private ? -EACCES : 0))
		mismatch(&c->tally, "page %llu, which is %s: gms_pin() returns %d",
			 (unsigned long long)pin, private ? "private" : "shared", err);
	v->pinned = !err;
	v->pin = pin;
}

/* What the library answered; what is converted now goes into the array. */
static void judge(struct compare *c, const struct conversion *v, int err, gms_pgoff_t err_index)
{
	uint64_t done = v->nr_pages, stopped = err_index - c->row.start;
	bool pin = v->pinned && v->to == GMS_PRIVATE;
	int want = pin ? -EAGAIN : c->apply_failed ? -EIO : 0;

	/* resumable: a hook may have failed in a block before the pinned page's */
	if (pin && c->apply_failed)
		want = err;
	if (err != want || (err && (stopped < v->at || stopped >= v->at + v->nr_pages)) ||
	    (err == -EAGAIN && stopped != v->pin))
		mismatch(&c->tally,
			 "pages %llu + %llu to %s: gms_convert() returns %d at %lld, not %d",
			 (unsigned long long)v->at, (unsigned long long)v->nr_pages,
			 v->to == GMS_PRIVATE ? "private" : "shared", err,
			 err ? (long long)stopped : -1LL, want);
	if (err)
		done = v->flags & GMS_CONVERT_RESUMABLE ? stopped - v->at : 0;
	row_converted(&c->row, v->at, done, v->to);
	c->pinned += err == -EAGAIN;
	c->failed += err == -EIO;
}

static int check_around(struct compare *c, const struct conversion *v)
{
	uint64_t first = v->at ? v->at - 1 : 0;
	uint64_t end = smaller(v->at + v->nr_pages + 1, c->row.nr_pages);
	int err = check_guest(&c->row, first, end - first, draw_mode(c));

	if (!err)
		check_host(&c->row, first, end - first, draw_mode(c));
	return err;
}

int convert_something(struct compare *c)
{
	uint64_t trouble = draw(c, 100);
	struct conversion v = {0};
	gms_pgoff_t err_index = 0;
	int err;

	draw_range(c, &v);
	if (trouble < 8)
		draw_pin(c, &v);
	c->fail_apply = trouble >= 8 && trouble < 15 ? 1 + (unsigned int)draw(c, 3) : 0;
	c->apply_failed = false;

	err = gms_convert(c->row.state, c->row.start + v.at, v.nr_pages, v.to, v.flags, &err_index);
	c->fail_apply = 0;
	judge(c, &v, err, err_index);
	if (v.pinned)
		gms_unpin(c->row.state, c->row.start + v.pin, 1);
	return c->hook_err ? c->hook_err : check_around(c, &v);
}
