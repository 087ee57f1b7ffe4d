/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate_kernel.h - beside the public headers, for kernel code only: an object in debugfs
 *
 *	gmemstate/NAME/summary   what the pages of each 1G block are, and its folios. A line
 *	                         has the index, the summary, and values with names
 *	gmemstate/NAME/runs      runs of pages of one shareability. A line has the index of the
 *	                         first page, the number of pages, and "private" or "shared"
 *	gmemstate/NAME/stats     the object, as the tracepoints name it, and the counters of
 *	                         gms_stats_read(): a name and a value a line
 *
 * Usage:
 *
 *	dir = gms_debugfs_add(state, "vm-1234");
 *	...
 *	debugfs_remove(dir);
 *	gms_state_destroy(state);
 */
#ifndef GMEMSTATE_KERNEL_H
#define GMEMSTATE_KERNEL_H

#include <gmemstate/state.h>

struct dentry;

/**
 * gms_debugfs_add() - show an object in debugfs
 * @state: the object
 * @name: the name of its folder
 *
 * A file shows what its pages were while it was read: it is no snapshot. The caller removes the
 * folder by debugfs_remove() before it destroys the object, which waits for the readers.
 *
 * Context: Process context. May sleep.
 * Return: the folder, or what debugfs returns instead of one, which debugfs_remove() takes, too.
 */
struct dentry *gms_debugfs_add(struct gms_state *state, const char *name);

#endif /* GMEMSTATE_KERNEL_H */
