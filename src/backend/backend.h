/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * backend.h - calling hooks, and which hooks and listeners a thread is inside
 *
 * Each function gms_backend_<hook>() calls the hook of that name. If the hook is NULL, that
 * counts as success. If the hook returns a positive value, the function returns -EIO (except
 * GMS_PREPARED_AT() from prepare).
 *
 * Each thread has a list of frames, one for each hook or listener that the thread is inside. If a
 * hook makes a call that would wait for a lock that its own thread holds, the library can
 * therefore refuse that call. The list:
 *
 *	thread -> frame of the innermost hook -> frame of the listener around it -> NULL
 *
 *  1. A thread adds and removes frames of its own list only, so the list needs no lock.
 *  2. A frame is on the stack of the function that calls the hook.
 *
 * Cost. To call a hook takes a few stores to the stack and to the thread's list, besides the call.
 */
#ifndef GMS_BACKEND_H
#define GMS_BACKEND_H

#include <gmemstate/backend.h>

#include "platform.h"

struct gms_backend {
	bool hooked; /* there is a hook other than prepare, folio_* and block_freed */
	void *ctx;
	struct gms_backend_ops ops;
};

struct gms_hook_frame {
	const struct gms_backend *backend;
	struct gms_hook_frame *next; /* the frame of the hook or listener around this one */
	bool listener; /* a listener: it may call gms_fault_begin() and gms_pin() */
	const char *reason; /* what gms_because() was told before this call */
};

/*
 * Copies the hooks. If @ops is NULL, there are no hooks, and @ctx has to be NULL. Returns NULL, or
 * why @ops or @ctx is bad.
 */
const char *gms_backend_init(struct gms_backend *b, const struct gms_backend_ops *ops, void *ctx);

/* Returns the innermost frame for @b of the calling thread; NULL: the thread has none. */
static inline const struct gms_hook_frame *gms_backend_frame(const struct gms_backend *b)
{
	const struct gms_hook_frame *f = gms_thread_hooks();

	while (gms_unlikely(f) && f->backend != b)
		f = f->next;
	return f;
}

/*
 * Returns true if the calling thread is inside a hook or a listener of @b. The thread must not
 * take a convert lock there.
 */
static inline bool gms_backend_in_hook_or_listener(const struct gms_backend *b)
{
	return gms_backend_frame(b);
}

/*
 * Returns true if the innermost frame for @b of the calling thread is that of a hook, and not of
 * a listener. Inside of a hook a thread must take neither a convert lock nor an invalidate lock.
 */
static inline bool gms_backend_in_hook(const struct gms_backend *b)
{
	const struct gms_hook_frame *f = gms_backend_frame(b);

	return f && !f->listener;
}

/*
 * Notes that the calling thread enters a hook or, if @listener, a listener. @f is on the thread's
 * list until gms_backend_leave().
 */
static inline void gms_backend_enter(const struct gms_backend *b, struct gms_hook_frame *f,
				     bool listener)
{
	*f = (struct gms_hook_frame) {
		.backend = b,
		.next = gms_thread_hooks(),
		.listener = listener,
		.reason = gms_thread_reason(),
	};
	gms_thread_set_hooks(f);
	(void)gms_because(0, NULL);
}

/*
 * Notes that the calling thread has left the hook or the listener, which returned @err. The reason
 * of the first error of a call stays: what is called later undoes something. Returns @err, but
 * -EIO for a positive one.
 */
static inline int gms_backend_leave(struct gms_hook_frame *f, int err)
{
	gms_thread_set_hooks(f->next);
	if (gms_likely(!err) || f->reason)
		(void)gms_because(0, f->reason);
	else if (!gms_thread_reason())
		(void)gms_because(0, f->listener ? "a listener refused" : "a hook refused");
	return err > 0 ? -EIO : err;
}

/*
 * Returns true if each pin counts for its whole folio, and false if each counts for its page
 * only.
 */
static inline bool gms_backend_pins_by_folio(const struct gms_backend *b)
{
	return b->ops.flags & GMS_BACKEND_PINS_BY_FOLIO;
}

/* ---- one function for each hook ---- */

int gms_backend_unmap_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
int gms_backend_map_host(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
/*
 * Returns 0, -EAGAIN, or another error of the hook. With -EAGAIN *pinned is the first pinned
 * page, or @start if the hook named no page of the range. In all cases *pinned is a page of the
 * range.
 */
int gms_backend_check_pins(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *pinned);
void gms_backend_invalidate_begin(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
void gms_backend_zap_guest(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability only);
/*
 * On failure, the first *done pages of the range have to be undone: the hook has applied them, or
 * cannot exclude that it has.
 */
int gms_backend_apply(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		      enum gms_shareability to, uint64_t *done);
int gms_backend_repair(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability to);
int gms_backend_undo(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages,
		     enum gms_shareability back_to);
void gms_backend_invalidate_end(struct gms_backend *b, gms_pgoff_t start, uint64_t nr_pages);
/* Stores in *at_most the largest order that a mapping of the guest may have there from now on. */
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
