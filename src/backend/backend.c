// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * backend.c - calling hooks: see backend.h
 */
#include "backend.h"

#include "base/opts.h"

const char *gms_backend_init(struct gms_backend *b, const struct gms_backend_ops *ops, void *ctx)
{
	gms_memset(b, 0, sizeof(*b));
	b->ctx = ctx;
	if (!ops)
		return ctx ? "backend_ctx is set without a backend" : NULL;
	if (!gms_opts_copy(&b->ops, sizeof(b->ops), ops, sizeof(ops->struct_size)))
		return GMS_WHY_STRUCT_SIZE;
	if (b->ops.flags & ~GMS_BACKEND_PINS_BY_FOLIO)
		return "a flag of the backend is unknown";
	b->hooked = b->ops.unmap_host || b->ops.check_pins || b->ops.invalidate_begin ||
		    b->ops.zap_guest || b->ops.apply || b->ops.undo || b->ops.invalidate_end ||
		    b->ops.map_host || b->ops.repair;
	return NULL;
}

/* Calls a hook, if there is one, and stores in *err what gms_backend_leave() returns. */
#define BACKEND_CALL(b, err, hook, ...)                                                   \
	do {                                                                              \
		struct gms_hook_frame frame;                                              \
                                                                                          \
		if (!(b)->ops.hook)                                                       \
			break;                                                            \
		gms_backend_enter(b, &frame, false);                                      \
		*(err) = gms_backend_leave(&frame, (b)->ops.hook((b)->ctx, __VA_ARGS__)); \
	} while (0)

/* The same for a hook whose error no call returns: the reason of another error stays. */
#define BACKEND_CALL_QUIETLY(b, err, hook, ...)              \
	do {                                                 \
		const char *const why = gms_thread_reason(); \
                                                             \
		BACKEND_CALL(b, err, hook, __VA_ARGS__);     \
		(void)gms_because(0, why);                   \
	} while (0)

/* Calls a hook that returns nothing, if there is one. */
#define BACKEND_CALL_VOID(b, hook, ...)               \
	do {                                          \
		struct gms_hook_frame frame;          \
                                                      \
		if (!(b)->ops.hook)                   \
			break;                        \
		gms_backend_enter(b, &frame, false);  \
		(b)->ops.hook((b)->ctx, __VA_ARGS__); \
		(void)gms_backend_leave(&frame, 0);   \
	} while (0)

int gms_backend_unmap_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages)
{
	int err = 0;

	BACKEND_CALL(b, &err, unmap_host, start, nr_pages);
	return err;
}

int gms_backend_map_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages)
{
	int err = 0;

	BACKEND_CALL_QUIETLY(b, &err, map_host, start, nr_pages);
	return err;
}

int gms_backend_check_pins(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *pinned)
{
	gms_pgoff_t at = start;
	int err = 0;

	BACKEND_CALL(b, &err, check_pins, start, nr_pages, &at);
	*pinned = at >= start && at - start < nr_pages ? at : start;
	return err;
}

void gms_backend_invalidate_begin(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages)
{
	BACKEND_CALL_VOID(b, invalidate_begin, start, nr_pages);
}

void gms_backend_zap_guest(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability only)
{
	BACKEND_CALL_VOID(b, zap_guest, start, nr_pages, only);
}

int gms_backend_apply(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		      enum gms_shareability to, uint64_t *done)
{
	gms_pgoff_t failed = start;
	int err = 0;

	BACKEND_CALL(b, &err, apply, start, nr_pages, to, &failed);
	*done = 0;
	if (failed > start)
		*done = failed - start < nr_pages ? failed - start : nr_pages;
	return err;
}

int gms_backend_undo(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		     enum gms_shareability back_to)
{
	int err = 0;

	BACKEND_CALL_QUIETLY(b, &err, undo, start, nr_pages, back_to);
	return err;
}

int gms_backend_repair(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability to)
{
	int err = 0;

	BACKEND_CALL(b, &err, repair, start, nr_pages, to);
	return err;
}

void gms_backend_invalidate_end(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages)
{
	BACKEND_CALL_VOID(b, invalidate_end, start, nr_pages);
}

int gms_backend_prepare(struct gms_backend *b, gms_pgoff_t start, unsigned int order,
			unsigned int *at_most)
{
	struct gms_hook_frame frame;
	int ret;

	*at_most = GMS_ORDER_1G;
	if (!b->ops.prepare)
		return 0;
	gms_backend_enter(b, &frame, false);
	ret = b->ops.prepare(b->ctx, start, order);
	if (ret == GMS_PREPARED_AT(GMS_ORDER_4K) || ret == GMS_PREPARED_AT(GMS_ORDER_2M)) {
		*at_most = (unsigned int)(ret - GMS_PREPARED_AT(0));
		ret = 0;
	}
	return gms_backend_leave(&frame, ret);
}

int gms_backend_folio_alloc(struct gms_backend *b, gms_pgoff_t index, unsigned int order)
{
	int err = 0;

	BACKEND_CALL(b, &err, folio_alloc, index, order);
	return err;
}

void gms_backend_folio_free(struct gms_backend *b, gms_pgoff_t index, unsigned int order)
{
	BACKEND_CALL_VOID(b, folio_free, index, order);
}

int gms_backend_folio_split(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to)
{
	int err = 0;

	BACKEND_CALL(b, &err, folio_split, index, from, to);
	return err;
}

int gms_backend_folio_merge(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to)
{
	int err = 0;

	BACKEND_CALL_QUIETLY(b, &err, folio_merge, index, from, to);
	return err;
}

void gms_backend_block_freed(struct gms_backend *b, gms_pgoff_t index)
{
	BACKEND_CALL_VOID(b, block_freed, index);
}
