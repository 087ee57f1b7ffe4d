// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * module.c - the library as a module: its symbols are exported for other modules
 */
#include <linux/init.h>
#include <linux/module.h>

#include <gmemstate/version.h>

#include "debugfs.h"
#include "lockdep.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static int __init gms_module_init(void)
{
	int err = gms_lockdep_init();

	if (!err)
		gms_debugfs_init();
	return err;
}

static void __exit gms_module_exit(void)
{
	gms_debugfs_fini();
}

module_init(gms_module_init);
module_exit(gms_module_exit);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("which pages of a guest_memfd are private, and how they are converted");
MODULE_VERSION(__stringify(GMS_VERSION_MAJOR.GMS_VERSION_MINOR.GMS_VERSION_PATCH));
