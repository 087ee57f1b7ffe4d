// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * freeze.c - freezing an object
 *
 * Every change checks s->frozen under a lock, and s->frozen changes under all locks. So when
 * gms_freeze() returns, no change is under way, and none begins.
 */
#include "core/entry.h"

static int freeze_set(struct gms_state *s, bool frozen)
{
	const unsigned int flags = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	int err = gms_enter(s, flags, 0, s->nr_pages);

	if (err)
		return gms_refused(s, err);
	gms_shards_lock_exclusive(s, GMS_ALL_SHARDS);
	gms_store_relaxed(&s->frozen, frozen);
	gms_shards_unlock_exclusive(s, GMS_ALL_SHARDS);
	return gms_leave(s, flags, 0, s->nr_pages, 0);
}

int gms_freeze(struct gms_state *s)
{
	return freeze_set(s, true);
}

int gms_thaw(struct gms_state *s)
{
	return freeze_set(s, false);
}

bool gms_is_frozen(const struct gms_state *s)
{
	return gms_load_relaxed(&s->frozen);
}
