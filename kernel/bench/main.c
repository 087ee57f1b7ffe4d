// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * main.c - measures each row for each peer, and prints two tables: the trees, and the engines
 *
 *	insmod gmemstate_bench.ko [rounds=N]
 *
 * A batch is as many operations as take a millisecond at least. Each round measures a batch of
 * each peer, one after another, so that all peers see the same machine. A figure is the median
 * over the rounds, in ns for an operation, and behind it is its ratio to ours. Before the first
 * round an object is brought to the state in which it stays.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "bench.h"

static unsigned int rounds = 9;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "measurements of each row");

#define MAX_ROUNDS 31
#define MAX_PEERS 3
#define BENCH_CREATES 16

static const char *const row_names[BENCH_NR_ROWS] = {
	[ROW_CREATE_1T] = "create 1T",
	[ROW_FLIP_4K] = "4K, all else uniform",
	[ROW_CONVERT_4K] = "4K, 512 mixed 2M",
	[ROW_CONVERT_2M] = "2M",
	[ROW_CONVERT_1G] = "1G",
	[ROW_LOAD] = "load",
	[ROW_LOAD_WRITER] = "load beside a writer",
	[ROW_LOAD_THE_WRITER] = "4K beside loads",
	[ROW_FAULT] = "fault",
	[ROW_FAULT_SAME] = "fault beside 4K, same 1G",
	[ROW_FAULT_SAME_WRITER] = "4K beside faults, same 1G",
	[ROW_FAULT_OTHER] = "fault beside 4K, other 1G",
	[ROW_FAULT_OTHER_WRITER] = "4K beside faults, other 1G",
};

/* Operations before the first batch. The XArray stores 2^18 entries for a 1G. */
static const unsigned int row_burn[BENCH_NR_ROWS] = {
	[ROW_FLIP_4K] = 1 << 15, [ROW_CONVERT_4K] = 1 << 20, [ROW_CONVERT_2M] = 1 << 12,
	[ROW_CONVERT_1G] = 8,    [ROW_LOAD] = 1 << 18,       [ROW_LOAD_WRITER] = 1 << 18,
};

/* The row that says what the other thread's operation costs, in a row with two threads; or 0. */
static unsigned int row_of_writer(enum bench_row row)
{
	const bool two = row == ROW_LOAD_WRITER || row == ROW_FAULT_SAME || row == ROW_FAULT_OTHER;

	return two ? row + 1 : 0;
}

/* One row of one peer. */
struct bench_cell {
	const struct bench_peer *peer;
	void *o;
	u64 x;
	unsigned int batch;
	u64 ps[MAX_ROUNDS]; /* for an operation, in picoseconds */
	u64 writer_ps[MAX_ROUNDS];
};

/* ---- one batch ---- */

/* Returns the time that it takes to create an object of 1T, in ps; 0: no memory. */
static u64 time_creates(const struct bench_peer *peer)
{
	void *made[BENCH_CREATES];
	unsigned int nr = 0;
	u64 ns = ktime_get_ns();

	while (nr < BENCH_CREATES && (made[nr] = peer->create(BENCH_1T, true)))
		nr++;
	ns = ktime_get_ns() - ns;
	if (nr < BENCH_CREATES)
		ns = 0;
	while (nr)
		peer->destroy(made[--nr]);
	return ns * 1000 / BENCH_CREATES;
}

static void do_batch(struct bench_cell *c, enum bench_row row, unsigned int nr)
{
	unsigned int done, step;

	for (done = 0; done < nr; done += step) {
		step = min(nr - done, 4096U);
		c->x = row == ROW_LOAD || row == ROW_LOAD_WRITER
			       ? c->peer->load(c->o, c->x, step)
			       : c->peer->store(c->o, row, c->x, step);
		cond_resched();
	}
}

/* Returns the time of a batch in ps for an operation. */
static u64 time_batch(struct bench_cell *c, enum bench_row row)
{
	u64 ns;

	if (row == ROW_CREATE_1T)
		return time_creates(c->peer);
	ns = ktime_get_ns();
	do_batch(c, row, c->batch);
	ns = ktime_get_ns() - ns;
	return ns * 1000 / c->batch;
}

/* Sets the size of a batch. The shortest of three tries counts: one may have been interrupted. */
static void size_batch(struct bench_cell *c, enum bench_row row)
{
	u64 ps, shortest;
	unsigned int i;

	c->batch = 1;
	do {
		c->batch *= 2;
		shortest = U64_MAX;
		for (i = 0; i < 3; i++) {
			ps = time_batch(c, row) * c->batch;
			shortest = min(shortest, ps);
		}
	} while (shortest < NSEC_PER_MSEC * 1000);
}

/* ---- a writer beside a reader ---- */

struct writer {
	const struct bench_peer *peer;
	void *o;
	enum bench_row row;
	bool stop;
	u64 ps; /* for a conversion */
	struct completion running, done;
};

static int writer_main(void *arg)
{
	struct writer *w = arg;
	u64 x = 1, stores = 0, ns = ktime_get_ns();

	while (!READ_ONCE(w->stop)) {
		if (w->row == ROW_LOAD_WRITER)
			x = w->peer->store(w->o, ROW_CONVERT_4K, x, 256);
		else
			x = w->peer->convert_in(w->o, x, 256, w->row == ROW_FAULT_OTHER);
		stores += 256;
		if (stores == 256)
			complete(&w->running);
		cond_resched();
	}
	w->ps = (ktime_get_ns() - ns) * 1000 / stores;
	kthread_complete_and_exit(&w->done, 0);
}

static int time_beside_writer(struct bench_cell *c, enum bench_row row, unsigned int round)
{
	struct writer w = {.peer = c->peer, .o = c->o, .row = row};
	struct task_struct *task;
	unsigned int i;
	u64 ps = 0;

	init_completion(&w.running);
	init_completion(&w.done);
	task = kthread_create(writer_main, &w, "gms_bench_writer");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpumask_last(cpu_online_mask));
	wake_up_process(task);
	wait_for_completion(&w.running);
	for (i = 0; i < 16; i++)
		ps += time_batch(c, row);
	WRITE_ONCE(w.stop, true);
	wait_for_completion(&w.done);
	c->ps[round] = ps / 16;
	c->writer_ps[round] = w.ps;
	return 0;
}

/* ---- rows and tables ---- */

static int compare_u64(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 median(u64 *v)
{
	sort(v, rounds, sizeof(*v), compare_u64, NULL);
	return v[rounds / 2];
}

/* Makes the object of a cell. Returns 1 if the peer cannot do the row, or -ENOMEM. */
static int begin_cell(struct bench_cell *c, const struct bench_peer *peer, enum bench_row row)
{
	c->peer = peer;
	c->x = 1;
	c->o = NULL;
	if (row >= ROW_FAULT && !peer->fault)
		return 1;
	if (row == ROW_CREATE_1T)
		return peer->lacks_1t ? 1 : time_creates(peer) ? 0 : -ENOMEM;
	c->o = row >= ROW_LOAD_WRITER ? peer->create_rcu(BENCH_16G) : peer->create(BENCH_16G, true);
	if (!c->o)
		return -ENOMEM;
	if (row >= ROW_LOAD)
		c->x = peer->store(c->o, ROW_CONVERT_4K, 1, row_burn[row]);
	else
		do_batch(c, row, row_burn[row]);
	size_batch(c, row);
	return 0;
}

static void print_row(enum bench_row row, const u64 *ps, unsigned int nr)
{
	char line[160];
	unsigned int i;
	int at = 0;

	for (i = 0; i < nr; i++) {
		if (!ps[i]) {
			at += scnprintf(line + at, sizeof(line) - at, " | -");
			continue;
		}
		at += scnprintf(line + at, sizeof(line) - at, " | %llu.%llu", ps[i] / 1000,
				ps[i] / 100 % 10);
		if (i && ps[0])
			at += scnprintf(line + at, sizeof(line) - at, " (%llu.%02llu x)",
					ps[i] / ps[0], ps[i] * 100 / ps[0] % 100);
	}
	pr_info("gms-bench: | %s%s |\n", row_names[row], line);
}

static int run_row(const struct bench_peer *const *peers, struct bench_cell *cells,
		   enum bench_row row)
{
	u64 ps[MAX_PEERS] = {}, writer[MAX_PEERS] = {};
	bool does[MAX_PEERS];
	unsigned int i, round;
	int err = 0;

	for (i = 0; i < MAX_PEERS && err >= 0; i++) {
		err = begin_cell(&cells[i], peers[i], row);
		does[i] = !err;
	}
	for (round = 0; round < rounds && err >= 0; round++) {
		for (i = 0; i < MAX_PEERS && err >= 0; i++) {
			if (!does[i])
				continue;
			if (row_of_writer(row))
				err = time_beside_writer(&cells[i], row, round);
			else
				cells[i].ps[round] = time_batch(&cells[i], row);
		}
	}
	for (i = 0; i < MAX_PEERS; i++) {
		if (does[i] && err >= 0) {
			ps[i] = median(cells[i].ps);
			writer[i] = median(cells[i].writer_ps);
		}
		if (cells[i].o)
			peers[i]->destroy(cells[i].o);
		cells[i].o = NULL;
	}
	if (err < 0)
		return err;
	print_row(row, ps, MAX_PEERS);
	if (row_of_writer(row))
		print_row(row_of_writer(row), writer, MAX_PEERS);
	return 0;
}

static int run_table(const struct bench_peer *const *peers, struct bench_cell *cells)
{
	unsigned int row;
	int err = 0;

	pr_info("gms-bench:\n");
	pr_info("gms-bench: | ns for an operation | %s | %s | %s |\n", peers[0]->name,
		peers[1]->name, peers[2]->name);
	pr_info("gms-bench: |---|---|---|---|\n");
	for (row = 0; row < BENCH_NR_ROWS && !err; row++) {
		if (row >= ROW_FAULT && !peers[0]->fault)
			continue;
		if (row_of_writer(row) && num_online_cpus() < 2)
			pr_info("gms-bench: skipped: %s (one processor)\n", row_names[row]);
		else
			err = run_row(peers, cells, row);
		if (row_of_writer(row))
			row++;
	}
	return err;
}

static int __init bench_init(void)
{
	static const struct bench_peer *const trees[] = {&bench_ours, &bench_maple, &bench_xarray};
	static const struct bench_peer *const engines[] = {&bench_engine, &bench_engine_maple,
							   &bench_engine_xarray};
	struct bench_cell *cells;
	int err;

	rounds = clamp(rounds, 1U, (unsigned int)MAX_ROUNDS);
	/* the other thread of a row has the last processor */
	set_cpus_allowed_ptr(current, cpumask_of(cpumask_first(cpu_online_mask)));
	cells = kcalloc(MAX_PEERS, sizeof(*cells), GFP_KERNEL);
	if (!cells)
		return -ENOMEM;
	err = run_table(trees, cells);
	if (!err)
		err = run_table(engines, cells);
	kfree(cells);
	if (!err)
		pr_info("gms-bench: done\n");
	return err;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("gmemstate beside the maple tree and the XArray");
