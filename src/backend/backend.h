/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * backend.h - calls of hooks, and which hooks a thread is inside of
 *
 * Each function gms_backend_<hook>() calls the hook of that name. A hook that is NULL has
 * succeeded, and a positive value counts as -EIO.
 *
 * A thread that is inside a hook or a listener has a frame for it on its own list, so that a call
 * from there can be refused, where it would wait for a lock that the thread itself holds:
 *
 *	thread -> frame of the innermost hook -> frame of a listener around it -> NULL
 *
 *  1. A thread adds and removes frames of its own list only, so the list needs no lock.
 *  2. A frame is on the stack of the function that calls the hook.
 *
 * Cost: to call a hook is four stores besides the call.
 */
#ifndef GMS_BACKEND_H
#define GMS_BACKEND_H

#include <gmemstate/backend.h>

#include "platform.h"

struct gms_backend {
	bool hooked; /* at least one hook that a conversion calls is not NULL */
	void *ctx;
	struct gms_backend_ops ops;
};

struct gms_hook_frame {
	const struct gms_backend *backend;
	struct gms_hook_frame *next; /* the hook around this one */
	bool listener; /* it is called without the invalidate lock, and may fault and pin */
};

/* Copies the hooks; NULL: there are none. Returns false if @ops is not sound. */
bool gms_backend_init(struct gms_backend *b, const struct gms_backend_ops *ops, void *ctx);

/* Returns the innermost frame of the calling thread for @b; NULL: it is inside no hook. */
static inline const struct gms_hook_frame *gms_backend_frame(const struct gms_backend *b)
{
	const struct gms_hook_frame *f = *gms_thread_hooks();

	while (gms_unlikely(f != NULL) && f->backend != b)
		f = f->next;
	return f;
}

/*
 * Returns true if the calling thread is inside a hook or a listener, where it must not take a
 * convert lock.
 */
static inline bool gms_backend_inside(const struct gms_backend *b)
{
	return gms_backend_frame(b);
}

/*
 * Returns true if the calling thread is inside a hook that is no listener, where it must not take
 * an invalidate lock either.
 */
static inline bool gms_backend_in_hook(const struct gms_backend *b)
{
	const struct gms_hook_frame *f = gms_backend_frame(b);

	return f && !f->listener;
}

/* Notes that the calling thread enters a hook. @f is valid until gms_backend_leave(). */
static inline void gms_backend_enter(const struct gms_backend *b, struct gms_hook_frame *f,
				     bool listener)
{
	void **hooks = gms_thread_hooks();

	*f = (struct gms_hook_frame) {.backend = b, .next = *hooks, .listener = listener};
	*hooks = f;
}

/* Notes that the calling thread has left a hook, which returned @err. Returns 0 or -errno. */
static inline int gms_backend_leave(struct gms_hook_frame *f, int err)
{
	*gms_thread_hooks() = f->next;
	return err > 0 ? -EIO : err;
}

/* Returns true if a pin is on a whole folio, and false if it is on a page. */
static inline bool gms_backend_by_folio(const struct gms_backend *b)
{
	return b->ops.flags & GMS_BACKEND_PINS_BY_FOLIO;
}

/* ---- one function for each hook ---- */

int gms_backend_unmap_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
int gms_backend_map_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
/* If this returns -EAGAIN, *pinned lies in the range. */
int gms_backend_check_pins(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *pinned);
void gms_backend_invalidate_begin(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
void gms_backend_zap_guest(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability only);
/* On failure *done is how many pages of the range are applied and have to be undone. */
int gms_backend_apply(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		      enum gms_shareability to, uint64_t *done);
int gms_backend_repair(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability to);
int gms_backend_undo(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		     enum gms_shareability back_to);
void gms_backend_invalidate_end(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
/* *at_most: the order of the largest mapping that the guest may have there from now on. */
int gms_backend_prepare(struct gms_backend *b, gms_pgoff_t start, unsigned int order,
			unsigned int *at_most);
int gms_backend_folio_alloc(struct gms_backend *b, gms_pgoff_t index, unsigned int order);
void gms_backend_folio_free(struct gms_backend *b, gms_pgoff_t index, unsigned int order);
int gms_backend_folio_split(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to);
int gms_backend_folio_merge(struct gms_backend *b, gms_pgoff_t index, unsigned int from,
			    unsigned int to);
void gms_backend_block_freed(struct gms_backend *b, gms_pgoff_t index);

#endif /* GMS_BACKEND_H */
