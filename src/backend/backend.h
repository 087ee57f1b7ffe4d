/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * backend.h - calling the caller's hooks, and knowing who is inside one
 *
 * Every hook is called through here: one that is not there has succeeded, a positive value is
 * -EIO. A thread that is inside a hook, or a listener, has a frame for that on its own list, so
 * that what it calls from there can be refused instead of waiting for itself.
 */
#ifndef GMS_BACKEND_PRIV_H
#define GMS_BACKEND_PRIV_H

#include <gmemstate/backend.h>

#include "platform.h"

struct gms_backend {
	bool hooked; /* there is a hook that a conversion calls */
	void *ctx;
	struct gms_backend_ops ops;
};

struct gms_hook_frame {
	const struct gms_backend *backend;
	struct gms_hook_frame *next; /* around this one */
	bool listener; /* called without the invalidate lock: it may fault and pin */
};

/* False where @ops is not sound. NULL: no hooks. */
bool gms_backend_init(struct gms_backend *b, const struct gms_backend_ops *ops, void *ctx);

/* The innermost frame of this thread; NULL where it is inside nothing. */
static inline const struct gms_hook_frame *gms_backend_frame(const struct gms_backend *b)
{
	const struct gms_hook_frame *f = *gms_thread_hooks();

	while (gms_unlikely(f != NULL) && f->backend != b)
		f = f->next;
	return f;
}

/* Is this thread inside a hook or a listener? Then it may not take a convert lock. */
static inline bool gms_backend_inside(const struct gms_backend *b)
{
	return gms_backend_frame(b);
}

/* Inside a hook? Then it may not take the invalidate lock either. */
static inline bool gms_backend_in_hook(const struct gms_backend *b)
{
	const struct gms_hook_frame *f = gms_backend_frame(b);

	return f && !f->listener;
}

static inline void gms_backend_enter(const struct gms_backend *b, struct gms_hook_frame *f,
				     bool listener)
{
	void **hooks = gms_thread_hooks();

	*f = (struct gms_hook_frame) {.backend = b, .next = *hooks, .listener = listener};
	*hooks = f;
}

/* Returns 0 or -errno, whatever the hook made of @err. */
static inline int gms_backend_leave(struct gms_hook_frame *f, int err)
{
	*gms_thread_hooks() = f->next;
	return err > 0 ? -EIO : err;
}

static inline bool gms_backend_by_folio(const struct gms_backend *b)
{
	return b->ops.flags & GMS_BACKEND_PINS_BY_FOLIO;
}

int gms_backend_unmap_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
int gms_backend_map_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
/* -EAGAIN: *pinned lies in the range */
int gms_backend_check_pins(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *pinned);
void gms_backend_invalidate_begin(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
void gms_backend_zap_guest(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability only);
/* On failure *done pages of the range were applied. */
int gms_backend_apply(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		      enum gms_shareability to, uint64_t *done);
int gms_backend_repair(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability to);
int gms_backend_undo(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		     enum gms_shareability back_to);
void gms_backend_invalidate_end(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
/* *at_most: the largest mapping that the guest may have there. */
int gms_backend_prepare(struct gms_backend *b, gms_pgoff_t start, unsigned int order,
			unsigned int *at_most);
int gms_backend_folio_alloc(struct gms_backend *b, gms_pgoff_t index, unsigned int order);
void gms_backend_folio_free(struct gms_backend *b, gms_pgoff_t index, unsigned int order);
int gms_backend_folio_split(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to);
int gms_backend_folio_merge(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to);
void gms_backend_block_freed(struct gms_backend *b, gms_pgoff_t index);

#endif /* GMS_BACKEND_PRIV_H */
