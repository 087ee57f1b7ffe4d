// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * convert.c - random conversions, and what the library has to answer
 *
 * Before 8 of 100 conversions a shared page of the range is pinned. In 7 of 100 the first, second
 * or third call of the backend's apply fails, if there is one. Then the library undoes the steps
 * before it, and neither the guest nor the host may see a change. In place, the kernel has to
 * refuse some of 15 more in 100, because a pipe refers to a page (refer.c).
 */
#include "compare.h"

#include <gmemstate/order.h>

#include <errno.h>

/* The backend's hooks, with apply replaced. Their ctx is the backend's, hence the pointer. */
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
 * Checks that the guest still sees the old side at both ends of a run, before KVM changes the run.
 * By memslots the check is left out: no vCPU may run then.
 */
static int check_before(struct compare *c, gms_pgoff_t start, uint64_t nr_pages)
{
	uint64_t at = start - c->row.start;
	int err;

	if (gms_kvm_get_way(c->memory.kvm) == GMS_KVM_MEMSLOTS)
		return 0;
	err = check_guest_in_hook(&c->row, at);
	return err ? err : check_guest_in_hook(&c->row, at + nr_pages - 1);
}

/* Converts all of a run but one page in the middle, and says that all is done. */
static int apply_but_one(struct compare *c, void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			 enum gms_shareability to)
{
	const struct gms_backend_ops *ops = gms_kvm_backend();
	const uint64_t before = nr_pages / 2, after = nr_pages - before - 1;
	gms_pgoff_t unused = 0;
	int err = 0;

	c->skip = false;
	if (before)
		err = ops->apply(ctx, start, before, to, &unused);
	if (!err && after)
		err = ops->apply(ctx, start + before + 1, after, to, &unused);
	return err;
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
	if (c->skip)
		return apply_but_one(c, ctx, start, nr_pages, to);
	err = gms_kvm_backend()->apply(ctx, start, nr_pages, to, failed);
	if (!err && c->deaf && to == GMS_PRIVATE)
		err = memory_deceive(&c->memory, start - c->row.start, nr_pages, false);
	return err;
}

const struct gms_backend_ops *compare_backend(struct compare *c)
{
	hooked = c;
	hooks = *gms_kvm_backend();
	hooks.apply = hook_apply;
	return &hooks;
}

/* Draws a range: 1 to 300 pages, whole 2M blocks, or a run that needs no conversion. */
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
		v->at = gms_order_down(v->at, GMS_ORDER_2M);
		v->nr_pages = gms_order_pages(GMS_ORDER_2M) * (1 + draw(c, 2));
	} else {
		v->to = c->row.pages[v->at].private ? GMS_PRIVATE : GMS_SHARED;
		for (v->nr_pages = 1; v->at + v->nr_pages < max && v->nr_pages < 300; v->nr_pages++)
			if (c->row.pages[v->at + v->nr_pages].private != (v->to == GMS_PRIVATE))
				break;
	}
	v->nr_pages = smaller(v->nr_pages, max - v->at);
}

/* Pins a page of the range. The library must refuse a private page. */
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
	if (v->pinned && v->to == GMS_PRIVATE)
		v->stop = pin;
}

/* Judges what the library answered, and converts the same pages of the array. */
static void judge(struct compare *c, const struct conversion *v, int err, gms_pgoff_t err_index)
{
	uint64_t done = v->nr_pages, stopped = err_index - c->row.start;
	bool refused = v->stop != NO_PAGE;
	int want = refused ? -EAGAIN : c->apply_failed ? -EIO : 0;

	if (err != want || (err && (stopped < v->at || stopped >= v->at + v->nr_pages)) ||
	    (refused && stopped != v->stop))
		mismatch(&c->tally,
			 "pages %llu + %llu to %s: gms_convert() returns %d at %lld, not %d at "
			 "%lld",
			 (unsigned long long)v->at, (unsigned long long)v->nr_pages,
			 v->to == GMS_PRIVATE ? "private" : "shared", err,
			 err ? (long long)stopped : -1LL, want,
			 refused ? (long long)v->stop : -1LL);
	if (err)
		done = v->flags & GMS_CONVERT_RESUMABLE ? stopped - v->at : 0;
	row_converted(&c->row, v->at, done, v->to);
	c->pinned += err == -EAGAIN && v->pinned;
	c->referred += err == -EAGAIN && !v->pinned;
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

/* Converts, and judges the answer. Returns what the library returned. */
static int convert(struct compare *c, const struct conversion *v)
{
	gms_pgoff_t err_index = 0;
	int err;

	c->apply_failed = false;
	err = gms_convert(c->row.state, c->row.start + v->at, v->nr_pages, v->to, v->flags,
			  &err_index);
	c->fail_apply = 0;
	judge(c, v, err, err_index);
	return err;
}

/* Drops the references, and then makes a conversion that they have stopped. */
static int release_and_convert(struct compare *c, struct conversion *v)
{
	bool again = v->stop != NO_PAGE;
	int err = refer_release(c);

	if (err || !again)
		return err;
	v->stop = NO_PAGE;
	convert(c, v);
	return c->hook_err ? c->hook_err : check_around(c, v);
}

int convert_something(struct compare *c)
{
	uint64_t trouble = draw(c, 100);
	struct conversion v = {.stop = NO_PAGE};
	int err = 0;

	draw_range(c, &v);
	if (trouble < 8)
		draw_pin(c, &v);
	else if (trouble < 15)
		c->fail_apply = 1 + (unsigned int)draw(c, 3);
	else if (trouble < 30 && c->in_place)
		err = refer_take(c, &v);
	if (err)
		return err;
	convert(c, &v);
	if (v.pinned)
		gms_unpin(c->row.state, c->row.start + v.pin, 1);
	err = c->hook_err ? c->hook_err : check_around(c, &v);
	return !err && c->nr_held ? release_and_convert(c, &v) : err;
}
