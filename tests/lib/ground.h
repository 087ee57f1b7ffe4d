/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ground.h - an object with one of each thing, and every call that takes one of its locks
 *
 * The tests find out in which situations a call works, and where it returns -EDEADLK. The
 * functions below make every call of a table. They return NULL, or the name of the call that did
 * not do what was expected, because they run inside hooks and in other processes, where an
 * assertion cannot fail the test.
 *
 * Usage:
 *
 *	static void in_hook(struct ground *g, const struct sim_call *call)
 *	{
 *		g->why = ground_refuses_all(g);
 *	}
 *
 *	ground_init(&g, NULL);
 *	g.inside = in_hook;
 *	rig_convert(&g.rig, GROUND_OPEN, 1, GMS_PRIVATE);
 *	assert_fine(g.why);
 *	ground_fini(&g);
 */
#ifndef GMS_TESTS_GROUND_H
#define GMS_TESTS_GROUND_H

#include "rig.h"

#define GROUND_PAGES (T_1G + 4 * T_2M)

#define GROUND_OPEN 5 /* the page at which a test has a fault open, for example */
#define GROUND_SAME (2 * T_2M + 8) /* calls are made here, in the shard of GROUND_OPEN, */
#define GROUND_OTHER (T_1G + T_2M + 8) /* and here, in another shard */
#define GROUND_WAITING (T_2M + 3) /* for another thread, in the shard of GROUND_OPEN */

/* Pages from here on have a listener and no binding. The pages before are bound. */
#define GROUND_UNBOUND (T_1G + 3 * T_2M)
#define GROUND_GFN (8 * T_1G)

struct ground {
	struct rig rig;
	unsigned int attr, binding, listener; /* ids */
	unsigned int attrs; /* number of attributes */
	unsigned int pins; /* pins that ground_answers() may still unpin */
	/* Called in each hook, and with NULL in each call of the listener; never nested. */
	void (*inside)(struct ground *g, const struct sim_call *call);
	bool busy; /* @inside is being called */
	unsigned int hooks; /* hooks that were called, one bit each */
	unsigned int notified; /* number of calls of the listener */
	const char *why; /* for the test */
	struct ground *aside; /* for the test */
};

/*
 * Makes a ground. If @policy is NULL, its policy splits the folios that the host touches, and
 * merges in gms_maintain().
 */
void ground_init(struct ground *g, const struct gms_policy_ops *policy);
void ground_fini(struct ground *g);

/* A function for sim_on_call(), for tests of gms_state_destroy(), which the rig does not watch. */
void ground_on_call(void *arg, const struct sim_call *call);

/* Registers another listener of the same kind. */
int ground_listen(struct ground *g, gms_pgoff_t start, uint64_t nr_pages, unsigned int *id);

/*
 * Makes each call at a page, and expects -EDEADLK: the refusal is counted once, and nothing else
 * changes. If @listener is true, calls that take only a shared lock have to succeed instead.
 */
const char *ground_refuses(struct ground *g, gms_pgoff_t at, bool listener);

/* Calls ground_refuses() at GROUND_SAME and at GROUND_OTHER. */
const char *ground_refuses_all(struct ground *g);

/* Make each call at a page, or at GROUND_SAME and GROUND_OTHER, and expect success. */
const char *ground_works_at(struct ground *g, gms_pgoff_t at);
const char *ground_works(struct ground *g);

/* Makes all queries and gms_unpin(), which must work in any situation. */
const char *ground_answers(struct ground *g);

#endif /* GMS_TESTS_GROUND_H */
