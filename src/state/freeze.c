// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * freeze.c - holding an object still
 *
 * What changes it looks at the mark under a lock, and the mark changes under all locks: so when
 * gms_freeze() returns no change is under way, and none begins.
 */
#include "core/core.h"

static int set_frozen(struct gms_state *s, bool frozen)
{
	const unsigned int how = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	int err = gms_enter(s, how, 0, s->nr_pages);

	if (err)
		return gms_refused(s, err);
	gms_shards_lock(s, GMS_ALL_SHARDS);
	gms_store_relaxed(&s->frozen, frozen);
	gms_shards_unlock(s, GMS_ALL_SHARDS);
	return gms_leave(s, how, 0, s->nr_pages, 0);
}

int gms_freeze(struct gms_state *s)
{
	return set_frozen(s, true);
}

int gms_thaw(struct gms_state *s)
{
	return set_frozen(s, false);
}
