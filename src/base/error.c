// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * error.c - errors in words
 */
#include <gmemstate/error.h>

#include "platform.h"

const char *gms_strerror(int err)
{
	switch (err < 0 ? -(unsigned int)err : (unsigned int)err) {
	case 0:
		return "success";
	case EPERM:
		return "the object is frozen";
	case ENOENT:
		return "nothing is bound at this gfn";
	case EAGAIN:
		return "a page is pinned or in use";
	case ENOMEM:
		return "out of memory";
	case EACCES:
		return "the host cannot fault a private page";
	case EEXIST:
		return "a gfn or a page is bound already";
	case EINVAL:
		return "an argument is not valid";
	case ENOSPC:
		return "there is no room for one more, or the buffer is too small";
	case EDEADLK:
		return "the call would wait for a lock that its own thread holds";
	case EBADMSG:
		return "the snapshot is damaged";
	case EPROTONOSUPPORT:
		return "the snapshot is of a newer version";
	case EOPNOTSUPP:
		return "KVM or the backend does not offer this";
	case ENOTRECOVERABLE:
		return "a page is quarantined";
	default:
		return "unknown error";
	}
}

const char *gms_reason(void)
{
	const char *why = gms_thread_reason();

	return why ? why : "";
}

void gms_reason_set(const char *why)
{
	(void)gms_because(0, why);
}
