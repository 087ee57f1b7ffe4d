// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ops.c - runs and shrinks random histories of a range tree
 */
#include "ops.h"
#include "shrink.h"
#include "test.h"

static const char *const kind_names[NR_OP_KINDS] = {
	"store", "commit", "revert", "release", "store_nomem", "commit_nomem",
};

struct run {
	struct twin twin;
	struct oracle before; /* the content of the twin's oracle before the current operation */
};

static bool expects_nomem(const struct op *op)
{
	return op->kind == OP_STORE_NOMEM || op->kind == OP_COMMIT_NOMEM;
}

static const char *check_rc(struct run *run, const struct op *op, int rc, uint64_t failed)
{
	failed = run->twin.talloc.failed - failed;
	if (rc && rc != -ENOMEM)
		return twin_say("returned %d", rc);
	if (rc && (!expects_nomem(op) || !failed))
		return "returned -ENOMEM though no allocation failed";
	if (!rc && failed)
		return "returned 0 though an allocation failed";
	return NULL;
}

static const char *do_store(struct run *run, const struct op *op)
{
	uint64_t failed = run->twin.talloc.failed;
	int rc;

	if (op->set)
		rc = gms_rtree_set(run->twin.tree, op->start, op->nr_pages);
	else
		rc = gms_rtree_clear(run->twin.tree, op->start, op->nr_pages);
	if (!rc)
		oracle_store(&run->twin.oracle, op->start, op->nr_pages, op->set);
	return check_rc(run, op, rc, failed);
}

/* Commits, checks the tree before the release, and reverts if the operation is a revert. */
static const char *do_commit(struct run *run, const struct op *op,
			     struct gms_rtree_reserve *reserve)
{
	struct twin *twin = &run->twin;
	const char *why;

	gms_rtree_commit(twin->tree, op->start, op->nr_pages, op->set, reserve);
	oracle_store(&twin->oracle, op->start, op->nr_pages, op->set);
	why = twin_check_near(twin, op->start, op->nr_pages);
	if (op->kind != OP_REVERT)
		return why;
	gms_rtree_revert(twin->tree, reserve);
	oracle_copy_range(&twin->oracle, &run->before, op->start, op->nr_pages);
	return why;
}

static const char *do_steps(struct run *run, const struct op *op)
{
	struct talloc *talloc = &run->twin.talloc;
	struct gms_rtree *tree = run->twin.tree;
	uint64_t failed = talloc->failed;
	struct gms_rtree_reserve reserve;
	const char *why;
	int rc;

	memset(&reserve, 0x5a, sizeof(reserve));
	rc = gms_rtree_prepare(tree, op->start, op->nr_pages, &reserve);
	why = check_rc(run, op, rc, failed);
	talloc_trap(talloc, TALLOC_TRAP_BOTH);
	if (!rc && !why && op->kind != OP_RELEASE)
		why = do_commit(run, op, &reserve);
	talloc_trap(talloc, TALLOC_TRAP_ALLOC);
	gms_rtree_release(tree, &reserve);
	talloc_trap(talloc, 0);
	return why;
}

static const char *do_op(struct run *run, const struct op *op)
{
	struct twin *twin = &run->twin;
	size_t memory = op->full ? gms_rtree_memory(twin->tree) : 0;
	const char *why;

	if (expects_nomem(op))
		talloc_fail(&twin->talloc, op->skip, 1);
	if (op->kind == OP_STORE || op->kind == OP_STORE_NOMEM)
		why = do_store(run, op);
	else
		why = do_steps(run, op);
	talloc_fail_never(&twin->talloc);
	if (!why)
		why = twin_check_near(twin, op->start, op->nr_pages);
	if (!why && op->full && (op->kind == OP_REVERT || op->kind == OP_RELEASE) &&
	    memory != gms_rtree_memory(twin->tree))
		why = "memory is not what it was before the revert";
	if (!why && op->full)
		why = twin_check(twin);
	oracle_copy_range(&run->before, &twin->oracle, op->start, op->nr_pages);
	return why ? why : talloc_check(&twin->talloc);
}

const char *history_run(const struct history *history, size_t *failed)
{
	uint64_t nr_pages = history->nr_pages;
	const char *why = NULL;
	struct run run;
	size_t i;

	twin_init(&run.twin, nr_pages, history->init_full);
	oracle_init(&run.before, nr_pages, history->init_full);
	for (i = 0; i < history->nr_ops && !why; i++) {
		why = do_op(&run, &history->ops[i]);
		*failed = i;
	}
	oracle_fini(&run.before);
	gms_rtree_destroy(run.twin.tree);
	oracle_fini(&run.twin.oracle);
	if (!why)
		why = talloc_check(&run.twin.talloc);
	if (!why && run.twin.talloc.live_blocks)
		why = "memory is left over after destroy";
	return why;
}

static const char *run(const void *history, size_t *failed)
{
	return history_run(history, failed);
}

void history_shrink(struct history *history)
{
	struct shrink shrink = {run, history, history->ops, sizeof(*history->ops),
				&history->nr_ops};

	shrink_end(&shrink);
	/* The last operation found the difference, so it must compare everything. */
	if (history->nr_ops)
		history->ops[history->nr_ops - 1].full = true;
	shrink_halves(&shrink);
}

void history_print(const struct history *history)
{
	size_t i;

	fprintf(stderr, "tree of %#llx pages, %s, shift %d, %zu operations:\n",
		(unsigned long long)history->nr_pages, history->init_full ? "full" : "empty",
		T_SHIFT, history->nr_ops);
	for (i = 0; i < history->nr_ops; i++) {
		const struct op *op = &history->ops[i];

		fprintf(stderr, "\t{%s, %#llx, %#llx, set %d, skip %u}%s\n", kind_names[op->kind],
			(unsigned long long)op->start, (unsigned long long)op->nr_pages, op->set,
			op->skip, op->full ? " check all" : "");
	}
}
