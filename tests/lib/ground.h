/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ground.h - an object with one of each thing, and every call that takes a lock of it
 *
 * For tests of who may call what, and when. What goes wrong is told by the name of a call, as it may
 * be in a hook or in another process.
 */
#ifndef GMS_TESTS_GROUND_H
#define GMS_TESTS_GROUND_H

#include "rig.h"

#define GROUND_PAGES (T_1G + 4 * T_2M)

/* Pages: where a fault is open, say; where calls are made, in its shard and in another one. */
#define GROUND_OPEN 5
#define GROUND_SAME (2 * T_2M + 8)
#define GROUND_OTHER (T_1G + T_2M + 8)
#define GROUND_WAITING (T_2M + 3) /* for another thread, in the shard of GROUND_OPEN */

/* Pages from here on are in no binding, and have a listener; those before are bound. */
#define GROUND_UNBOUND (T_1G + 3 * T_2M)
#define GROUND_GFN (8 * T_1G)

struct ground {
	struct rig rig;
	unsigned int attr, binding, listener; /* one of each */
	unsigned int attrs; /* there are */
	unsigned int pins; /* to be given back by ground_answers() */
	/* Called in each hook, and in each call of the listener (NULL), but not from within itself. */
	void (*inside)(struct ground *g, const struct sim_call *call);
	bool busy; /* inside that */
	unsigned int hooks; /* bits of those that were called */
	unsigned int told; /* how often the listener was called */
	const char *why; /* the test's own */
	struct ground *aside; /* likewise */
};

/* @policy: NULL: one that splits what the host touches, and merges what is maintained. */
void ground_init(struct ground *g, const struct gms_policy_ops *policy);
void ground_fini(struct ground *g);

/* For sim_on_call(), where the rig does not watch: in gms_state_destroy(). */
void ground_on_call(void *arg, const struct sim_call *call);

/* The listener, once more. */
int ground_listen(struct ground *g, gms_pgoff_t start, uint64_t nr_pages, unsigned int *id);

/*
 * Makes each call at a page: it has to be refused with -EDEADLK, counted once, and nothing may have
 * changed; where @listener, those that take only a shared lock have to work. NULL, or which did not.
 */
const char *ground_refuses(struct ground *g, gms_pgoff_t at, bool listener);
/* In both shards. */
const char *ground_refuses_all(struct ground *g);

/* Each call works. NULL, or which did not. */
const char *ground_works_at(struct ground *g, gms_pgoff_t at);
const char *ground_works(struct ground *g);

/* Queries are answered, and gms_unpin() works: in any situation. NULL, or which did not. */
const char *ground_answers(struct ground *g);

#endif /* GMS_TESTS_GROUND_H */
