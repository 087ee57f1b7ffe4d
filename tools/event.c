// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * event.c - the table of ops
 *
 * Invariant: the names of ops, and what they convert to, are defined here only.
 */
#include "event.h"

struct event_kind {
	const char *name;
	bool is_conversion;
	enum gms_shareability to;
};

static const struct event_kind event_kinds[EVENT_NR_OPS] = {
	[EVENT_TO_SHARED] = {"to_shared", true, GMS_SHARED},
	[EVENT_TO_PRIVATE] = {"to_private", true, GMS_PRIVATE},
	[EVENT_ACCEPT] = {"accept", true, GMS_PRIVATE},
	[EVENT_HOST_READ] = {"host_read", false, GMS_SHARED},
	[EVENT_HOST_WRITE] = {"host_write", false, GMS_SHARED},
	[EVENT_GUEST_TOUCH] = {"guest_touch", false, GMS_SHARED},
	[EVENT_FREE] = {"free", false, GMS_SHARED},
};

const char *event_op_name(enum event_op op)
{
	return event_kinds[op].name;
}

bool event_is_conversion(enum event_op op)
{
	return event_kinds[op].is_conversion;
}

enum gms_shareability event_converts_to(enum event_op op)
{
	return event_kinds[op].to;
}

const char *event_shareability_name(enum gms_shareability shareability)
{
	return shareability == GMS_PRIVATE ? "private" : "shared";
}
