// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * show.c - an object whose files in debugfs and whose events scripts/test-kernel compares
 *
 * The object has 2G + 3 pages in folios of 2M. Each event of the trace occurs at least once.
 */
#include "main.h"

#include <linux/debugfs.h>

#include "gmemstate_kernel.h"

#define SHOW_PAGES (2UL << GMS_ORDER_1G | 3)

static struct gms_state *state;
static struct dentry *dir;

/* Fails once, so that a conversion has to be undone; and the undo fails, too. */
static int show_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		      gms_pgoff_t *failed)
{
	*failed = start + nr_pages;
	return start == 4 << GMS_ORDER_2M ? -EIO : 0;
}

static int show_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to)
{
	return -EIO;
}

static int show_events(void)
{
	struct gms_fault fault;
	int err;

	err = gms_convert(state, 0, 1 << GMS_ORDER_1G, GMS_PRIVATE, 0, NULL);
	if (!err)
		err = gms_allocate(state, 0, 1 << GMS_ORDER_2M, NULL);
	if (!err) /* a split */
		err = gms_convert(state, 5, 1, GMS_SHARED, 0, NULL);
	if (!err)
		err = gms_fault_begin(state, 5, GMS_HOST, &fault);
	if (err)
		return err;
	gms_fault_end(state, &fault);
	err = gms_convert(state, 5, 1, GMS_PRIVATE, 0, NULL); /* a merge */
	if (err)
		return err;
	if (gms_convert(state, SHOW_PAGES, 1, GMS_SHARED, 0, NULL) != -EINVAL)
		return -EINVAL;
	err = gms_convert(state, 4 << GMS_ORDER_2M, 7, GMS_SHARED, 0, NULL);
	return err == -EIO ? 0 : -EINVAL;
}

int test_show(void)
{
	static const struct gms_backend_ops ops = {
		.struct_size = sizeof(ops),
		.apply = show_apply,
		.undo = show_undo,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	int err;

	opts.nr_pages = SHOW_PAGES;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = gms_policy_eager();
	opts.backend = &ops;
	err = gms_state_create(&opts, &state);
	if (err)
		return err;
	dir = gms_debugfs_add(state, "shown");
	err = show_events();
	if (err)
		test_show_end();
	return err;
}

void test_show_end(void)
{
	debugfs_remove(dir);
	gms_state_destroy(state);
	dir = NULL;
	state = NULL;
}
