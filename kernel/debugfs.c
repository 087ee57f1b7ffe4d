// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * debugfs.c - objects in debugfs: see gmemstate_kernel.h
 *
 * The position of a reader is the number of a page, or of a 1G block. So a file of any length is
 * read in pieces, and nothing is kept between them.
 */
#include "debugfs.h"

#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/seq_file.h>

#include "core/core.h"
#include "gmemstate_kernel.h"
#include <gmemstate/order.h>

static struct dentry *debugfs_root;

/* ---- runs: a line has start, nr_pages, kind; the position is where the next run begins ---- */

/*
 * A reader shows the run that it has found, and goes on where that run ends. So lines ascend and
 * do not overlap, whatever changes meanwhile.
 */
struct debugfs_runs {
	const struct gms_state *state;
	struct gms_run run;
};

static void *runs_start(struct seq_file *m, loff_t *pos)
{
	struct debugfs_runs *r = m->private;
	struct gms_iter iter;

	if (*pos >= gms_state_nr_pages(r->state))
		return NULL;
	gms_iter_init(&iter, r->state, *pos, gms_state_nr_pages(r->state) - *pos);
	return gms_iter_next(&iter, &r->run) ? r : NULL;
}

static void *runs_next(struct seq_file *m, void *v, loff_t *pos)
{
	const struct debugfs_runs *r = v;

	*pos = r->run.start + r->run.nr_pages;
	return runs_start(m, pos);
}

static int runs_show(struct seq_file *m, void *v)
{
	const struct debugfs_runs *r = v;

	seq_printf(m, "%#llx %#llx %s\n", r->run.start, r->run.nr_pages,
		   r->run.shareability == GMS_PRIVATE ? "private" : "shared");
	return 0;
}

static void runs_stop(struct seq_file *m, void *v)
{
}

static const struct seq_operations runs_ops = {
	.start = runs_start,
	.next = runs_next,
	.stop = runs_stop,
	.show = runs_show,
};

/* ---- summary: one line a 1G block; the position is the number of the block ---- */

static void *summary_at(struct seq_file *m, loff_t *pos)
{
	const struct gms_state *s = m->private;

	return *pos <= (gms_state_nr_pages(s) - 1) >> GMS_ORDER_1G ? pos : NULL;
}

static void *summary_start(struct seq_file *m, loff_t *pos)
{
	return summary_at(m, pos);
}

static void *summary_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return summary_at(m, pos);
}

/* Counts the 2M blocks that are mixed, and those whose first folio is of 4K. */
static int summary_show(struct seq_file *m, void *v)
{
	static const char *const names[] = {
		[GMS_ALL_SHARED] = "shared", [GMS_ALL_PRIVATE] = "private", [GMS_MIXED] = "mixed"};
	const struct gms_state *s = m->private;
	const gms_pgoff_t start = *(loff_t *)v << GMS_ORDER_1G;
	const gms_pgoff_t end = gms_order_cut(start, GMS_ORDER_1G, gms_state_nr_pages(s));
	const enum gms_summary summary = gms_summary(s, start, GMS_ORDER_1G);
	unsigned int mixed = 0, small = 0;

	gms_for_each_block(at, next, start, end, GMS_ORDER_2M) {
		mixed += gms_summary(s, at, GMS_ORDER_2M) == GMS_MIXED;
		small += gms_folio_order(s, at) == GMS_ORDER_4K;
	}
	seq_printf(m, "%#llx %s private_pages=%llu mixed_2m=%u folio_order=%u order_4k=%u\n", start,
		   names[summary], gms_count(s, start, end - start, GMS_PRIVATE), mixed,
		   gms_folio_order(s, start), small);
	return 0;
}

static const struct seq_operations summary_ops = {
	.start = summary_start,
	.next = summary_next,
	.stop = runs_stop,
	.show = summary_show,
};

/* ---- stats: the object, by the address that trace.h has; then one counter a line ---- */

#define STAT(field)                                       \
	{                                                 \
#field, offsetof(struct gms_stats, field) \
	}

static const struct {
	const char *name;
	size_t offset;
} stats[] = {
	STAT(conversions),
	STAT(pages_converted),
	STAT(noops),
	STAT(faults_host),
	STAT(faults_guest),
	STAT(prepares),
	STAT(folios_allocated),
	STAT(folios_freed),
	STAT(blocks_freed),
	STAT(splits_1g),
	STAT(splits_2m),
	STAT(merges_1g),
	STAT(merges_2m),
	STAT(splits_deferred),
	STAT(merges_refused),
	STAT(undone),
	STAT(quarantined_pages),
	STAT(surplus_unpins),
	STAT(refused_inval),
	STAT(refused_nomem),
	STAT(refused_access),
	STAT(refused_pinned),
	STAT(refused_quarantined),
	STAT(refused_deadlock),
	STAT(refused_backend),
	STAT(refused_frozen),
	STAT(refused_exists),
	STAT(listeners),
	STAT(bindings),
	STAT(nodes),
	STAT(bytes_in_use),
	STAT(bytes_pooled),
};

static_assert(ARRAY_SIZE(stats) == (sizeof(struct gms_stats) - sizeof(size_t)) / sizeof(u64));

static int stats_show(struct seq_file *m, void *v)
{
	struct gms_stats now = {.struct_size = sizeof(now)};
	const struct gms_state *s = m->private;
	unsigned int i;

	gms_stats_read(s, &now);
	seq_printf(m, "object %p\n", &s->folios);
	for (i = 0; i < ARRAY_SIZE(stats); i++)
		seq_printf(m, "%s %llu\n", stats[i].name,
			   *(const u64 *)((const char *)&now + stats[i].offset));
	return 0;
}

DEFINE_SHOW_ATTRIBUTE(stats);

/* ---- files ---- */

static int runs_open(struct inode *inode, struct file *file)
{
	struct debugfs_runs *r = __seq_open_private(file, &runs_ops, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->state = inode->i_private;
	return 0;
}

static int summary_open(struct inode *inode, struct file *file)
{
	const int err = seq_open(file, &summary_ops);

	if (!err)
		((struct seq_file *)file->private_data)->private = inode->i_private;
	return err;
}

static const struct file_operations runs_fops = {
	.owner = THIS_MODULE,
	.open = runs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static const struct file_operations summary_fops = {
	.owner = THIS_MODULE,
	.open = summary_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release,
};

struct dentry *gms_debugfs_add(struct gms_state *state, const char *name)
{
	struct dentry *dir = debugfs_create_dir(name, debugfs_root);

	debugfs_create_file("summary", 0400, dir, state, &summary_fops);
	debugfs_create_file("runs", 0400, dir, state, &runs_fops);
	debugfs_create_file("stats", 0400, dir, state, &stats_fops);
	return dir;
}
EXPORT_SYMBOL_GPL(gms_debugfs_add);

void gms_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("gmemstate", NULL);
}

void gms_debugfs_fini(void)
{
	debugfs_remove(debugfs_root);
}
