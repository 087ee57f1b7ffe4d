// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * freeze.c - holding an object still
 *
 * What changes it looks at the mark under a lock, and the mark changes under all locks: so when
 * gms_freeze() returns no change is under way, and none begins.
 */
#include "state_priv.h"

static int set_frozen(struct gms_state *s, bool frozen)
{
	if (gms_backend_inside(&s->backend))
		return gms_refused(s, -EDEADLK);
	gms_shards_lock_convert(s, GMS_ALL_SHARDS);
	gms_shards_lock(s, GMS_ALL_SHARDS);
	gms_store_relaxed(&s->frozen, frozen);
	gms_shards_unlock(s, GMS_ALL_SHARDS);
	gms_shards_unlock_convert(s, GMS_ALL_SHARDS);
	return 0;
}

int gms_freeze(struct gms_state *s)
{
	return set_frozen(s, true);
}

int gms_thaw(struct gms_state *s)
{
	return set_frozen(s, false);
}
