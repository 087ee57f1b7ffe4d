// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * first.c - a module on the library: shares a range of a guest, pins a page of it, and looks
 *
 * docs/porting.md says how to build it. It prints these lines, and can be unloaded:
 *
 *	768 pages at 0x40000 are shared
 *	to private: error -11, for page 0x40123
 *	the first 2M is shared, the second mixed, the 1G mixed
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/printk.h>

#include <gmemstate/state.h>

static const char *const names[] = {
	[GMS_ALL_SHARED] = "shared", [GMS_ALL_PRIVATE] = "private", [GMS_MIXED] = "mixed"};

static int look(struct gms_state *state)
{
	const gms_pgoff_t start = 1 << GMS_ORDER_1G, next = start + (1 << GMS_ORDER_2M);
	gms_pgoff_t where = 0;
	int err = gms_convert(state, start, 768, GMS_SHARED, 0, NULL);

	if (err)
		return err;
	pr_info("768 pages at %#llx are shared\n", start);
	err = gms_pin(state, start + 0x123, 1, NULL);
	if (err)
		return err;
	err = gms_convert(state, start, 768, GMS_PRIVATE, 0, &where);
	pr_info("to private: error %d, for page %#llx\n", err, where); /* -EAGAIN */
	gms_unpin(state, start + 0x123, 1);
	pr_info("the first 2M is %s, the second %s, the 1G %s\n",
		names[gms_summary(state, start, GMS_ORDER_2M)],
		names[gms_summary(state, next, GMS_ORDER_2M)],
		names[gms_summary(state, start, GMS_ORDER_1G)]);
	return 0;
}

static int __init first_init(void)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	int err;

	opts.nr_pages = 4 << GMS_ORDER_1G;
	opts.flags = GMS_INIT_PRIVATE;
	err = gms_state_create(&opts, &state);
	if (err)
		return err;
	err = look(state);
	gms_state_destroy(state);
	return err;
}

static void __exit first_exit(void)
{
}

module_init(first_init);
module_exit(first_exit);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("the first module on gmemstate");
