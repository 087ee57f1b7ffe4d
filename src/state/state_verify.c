// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state_verify.c - checking every invariant of a state object, by brute force
 */
#include "core/entry.h"
#include "core/rent.h"
#include "state_trees.h"

static const char *state_verify_trees(const struct gms_state *s)
{
	const struct gms_rtree *tree;
	const char *wrong = NULL;

	for (unsigned int i = 0; !wrong && (tree = gms_state_tree(s, i)); i++)
		gms_rtree_verify(tree, &wrong);
	return wrong;
}

/* Returns NULL, or what is wrong. The caller holds all convert and all invalidate locks. */
static const char *state_verify_locked(struct gms_state *s)
{
	const char *wrong = state_verify_trees(s);

	/* This call has made the sequence numbers odd. */
	for (unsigned int i = 0; !wrong && i < GMS_NR_SHARDS; i++)
		if (!(s->shard[i].seq & 1))
			wrong = "a sequence number was odd at rest";
	if (!wrong)
		wrong = gms_folios_verify(&s->folios);
	if (!wrong)
		wrong = gms_folios_verify_pins(&s->folios, s->private);
	if (!wrong)
		wrong = gms_rents_verify(s);
	if (!wrong && !gms_rtree_is_within(s->folios.prepared, s->private))
		wrong = "a prepared page is not private";
	if (!wrong && !gms_rtree_is_within(s->inhibit[0], s->inhibit[1]))
		wrong = "a page is limited to 4K and not to 2M";
	if (!wrong)
		wrong = gms_bindings_verify(&s->bindings);
	if (!wrong && gms_rtree_count(s->quarantine, 0, s->nr_pages) != s->quarantined)
		wrong = "quarantined pages are miscounted";
	return wrong;
}

bool gms_state_verify(struct gms_state *s, const char **reason)
{
	const unsigned int flags = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	const char *wrong = "called from inside a hook, or under a lock of the caller's";

	if (!gms_enter(s, flags, 0, s->nr_pages)) {
		gms_shards_lock_exclusive(s, GMS_ALL_SHARDS);
		wrong = state_verify_locked(s);
		gms_shards_unlock_exclusive(s, GMS_ALL_SHARDS);
		(void)gms_leave(s, flags, 0, s->nr_pages, 0);
	}
	if (wrong && reason)
		*reason = wrong;
	return !wrong;
}
