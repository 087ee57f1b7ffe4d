// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * backend.c - calling the caller's hooks: see backend.h
 */
#include "backend.h"

bool gms_backend_init(struct gms_backend *b, const struct gms_backend_ops *ops, void *ctx)
{
	gms_memset(b, 0, sizeof(*b));
	for (unsigned int i = 0; i < GMS_NR_SLOTS; i++)
		gms_spin_init(&b->inside[i].lock);
	b->ctx = ctx;
	if (!ops)
		return !ctx;
	if (ops->struct_size < sizeof(*ops) ||
	    !gms_tail_is_zero(ops, sizeof(*ops), ops->struct_size) ||
	    (ops->flags & ~GMS_BACKEND_PINS_BY_FOLIO))
		return false;
	b->ops = *ops;
	b->hooked = ops->unmap_host || ops->check_pins || ops->invalidate_begin || ops->zap_guest ||
		    ops->apply || ops->undo || ops->invalidate_end;
	return true;
}

const struct gms_hook_frame *gms_backend_frame_slow(struct gms_hook_frames *frames)
{
	const struct gms_hook_frame *f;

	gms_spin_lock(&frames->lock);
	for (f = frames->first; f && f->self != gms_self(); f = f->next)
		;
	gms_spin_unlock(&frames->lock);
	return f;
}

void gms_backend_enter(struct gms_backend *b, struct gms_hook_frame *f, bool listener)
{
	struct gms_hook_frames *frames = &b->inside[gms_slot()];

	f->self = gms_self();
	f->listener = listener;
	gms_spin_lock(&frames->lock);
	f->next = frames->first;
	gms_store_relaxed(&frames->first, f);
	gms_spin_unlock(&frames->lock);
}

static void enter(struct gms_backend *b, struct gms_hook_frame *f)
{
	gms_backend_enter(b, f, false);
}

static void leave(struct gms_backend *b, struct gms_hook_frame *f)
{
	struct gms_hook_frames *frames = &b->inside[gms_slot()];
	struct gms_hook_frame **at = &frames->first;

	gms_spin_lock(&frames->lock);
	while (*at != f)
		at = &(*at)->next;
	gms_store_relaxed(at, f->next);
	gms_spin_unlock(&frames->lock);
}

int gms_backend_leave(struct gms_backend *b, struct gms_hook_frame *f, int err)
{
	leave(b, f);
	return err > 0 ? -EIO : err;
}

int gms_backend_unmap_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_hook_frame f;

	if (!b->ops.unmap_host)
		return 0;
	enter(b, &f);
	return gms_backend_leave(b, &f, b->ops.unmap_host(b->ctx, start, nr_pages));
}

int gms_backend_check_pins(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *pinned)
{
	struct gms_hook_frame f;
	gms_pgoff_t at = start;
	int err;

	if (!b->ops.check_pins)
		return 0;
	enter(b, &f);
	err = gms_backend_leave(b, &f, b->ops.check_pins(b->ctx, start, nr_pages, &at));
	*pinned = at >= start && at - start < nr_pages ? at : start;
	return err;
}

void gms_backend_invalidate_begin(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_hook_frame f;

	if (!b->ops.invalidate_begin)
		return;
	enter(b, &f);
	b->ops.invalidate_begin(b->ctx, start, nr_pages);
	leave(b, &f);
}

void gms_backend_zap_guest(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability only)
{
	struct gms_hook_frame f;

	if (!b->ops.zap_guest)
		return;
	enter(b, &f);
	b->ops.zap_guest(b->ctx, start, nr_pages, only);
	leave(b, &f);
}

int gms_backend_apply(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		      enum gms_shareability to, uint64_t *done)
{
	struct gms_hook_frame f;
	gms_pgoff_t failed = start;
	int err;

	*done = 0;
	if (!b->ops.apply)
		return 0;
	enter(b, &f);
	err = gms_backend_leave(b, &f, b->ops.apply(b->ctx, start, nr_pages, to, &failed));
	if (failed > start)
		*done = failed - start < nr_pages ? failed - start : nr_pages;
	return err;
}

int gms_backend_undo(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		     enum gms_shareability back_to)
{
	struct gms_hook_frame f;

	if (!b->ops.undo)
		return 0;
	enter(b, &f);
	return gms_backend_leave(b, &f, b->ops.undo(b->ctx, start, nr_pages, back_to));
}

void gms_backend_invalidate_end(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_hook_frame f;

	if (!b->ops.invalidate_end)
		return;
	enter(b, &f);
	b->ops.invalidate_end(b->ctx, start, nr_pages);
	leave(b, &f);
}

int gms_backend_prepare(struct gms_backend *b, gms_pgoff_t start, unsigned int order)
{
	struct gms_hook_frame f;

	if (!b->ops.prepare)
		return 0;
	enter(b, &f);
	return gms_backend_leave(b, &f, b->ops.prepare(b->ctx, start, order));
}

int gms_backend_folio_alloc(struct gms_backend *b, gms_pgoff_t index, unsigned int order)
{
	struct gms_hook_frame f;

	if (!b->ops.folio_alloc)
		return 0;
	enter(b, &f);
	return gms_backend_leave(b, &f, b->ops.folio_alloc(b->ctx, index, order));
}

void gms_backend_folio_free(struct gms_backend *b, gms_pgoff_t index, unsigned int order)
{
	struct gms_hook_frame f;

	if (!b->ops.folio_free)
		return;
	enter(b, &f);
	b->ops.folio_free(b->ctx, index, order);
	leave(b, &f);
}

int gms_backend_folio_split(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to)
{
	struct gms_hook_frame f;

	if (!b->ops.folio_split)
		return 0;
	enter(b, &f);
	return gms_backend_leave(b, &f, b->ops.folio_split(b->ctx, index, from, to));
}

int gms_backend_folio_merge(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to)
{
	struct gms_hook_frame f;

	if (!b->ops.folio_merge)
		return 0;
	enter(b, &f);
	return gms_backend_leave(b, &f, b->ops.folio_merge(b->ctx, index, from, to));
}

void gms_backend_block_freed(struct gms_backend *b, gms_pgoff_t index)
{
	struct gms_hook_frame f;

	if (!b->ops.block_freed)
		return;
	enter(b, &f);
	b->ops.block_freed(b->ctx, index);
	leave(b, &f);
}
