/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/error.h - what an error of the library means, in words
 *
 *  1. A call that fails returns -errno, and changes nothing unless its own text says otherwise.
 *  2. gms_strerror() says what an errno means when this library returns it. EPERM, for example,
 *     says that the object is frozen.
 *  3. gms_reason() says more: which of the conditions of -EINVAL or -EBADMSG it was, or that a
 *     hook or a listener refused, and why.
 *  4. An error of a hook or a listener is returned as it is, and has the meaning that the hook
 *     gives to it. gms_reason() is never "" then.
 *
 * Usage: say why a conversion was refused.
 *
 *	err = gms_convert(state, start, nr_pages, GMS_PRIVATE, 0, &at);
 *	if (err && *gms_reason())
 *		fprintf(stderr, "error %d: %s\n", -err, gms_reason());
 *	else if (err)
 *		fprintf(stderr, "page %" PRIu64 ": %s\n", at, gms_strerror(err));
 */
#ifndef GMEMSTATE_ERROR_H
#define GMEMSTATE_ERROR_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * gms_strerror() - say what an error of the library means
 * @err: what a call returned: 0 or -errno. The sign does not matter
 *
 * Context: Any. Pure function.
 * Return: a text in English, which need not be freed: never NULL. "unknown error" for an errno
 * that the library does not return by itself.
 */
GMS_API const char *gms_strerror(int err);

/**
 * gms_reason() - say why the thread's last call failed
 *
 * Valid directly after a call that has returned an error: later calls change the reason. If a hook
 * or a listener has returned the error, the reason is what it gave by gms_reason_set(), else "a
 * hook refused" or "a listener refused". What fails later, in an undo, does not change the reason.
 * In a kernel no reason is kept.
 *
 * Context: Any; the thread that made the call.
 * Return: a text in English, which need not be freed; "" if the error says all there is to say:
 * never NULL.
 */
GMS_API const char *gms_reason(void);

/**
 * gms_reason_set() - give the reason for an error that a hook is about to return
 * @why: a text that is never freed, or NULL for none. It is kept as a pointer
 *
 * A backend or a listener calls this, so that the VMM finds its reason by gms_reason(). In a
 * kernel it does nothing.
 *
 * Context: Any; changes the reason of the calling thread only.
 */
GMS_API void gms_reason_set(const char *why);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_ERROR_H */
