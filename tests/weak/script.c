// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * script.c - parses and runs programs that are written as text
 */
#include <stdio.h>
#include <string.h>

#include "script.h"
#include "tree.h"

#define SCRIPT_OPS 16u

enum script_verb {
	SCRIPT_SET,
	SCRIPT_CLEAR,
	SCRIPT_TRY_SET,
	SCRIPT_TRY_CLEAR,
	SCRIPT_PREPARE,
	SCRIPT_IF_READY_SET,
	SCRIPT_SPARE,
	SCRIPT_COMMIT,
	SCRIPT_TEST,
	SCRIPT_FILL_2M,
	SCRIPT_FILL_1G,
	SCRIPT_LOOK,
	SCRIPT_ORDER,
	SCRIPT_MASK,
	SCRIPT_NEXT,
	SCRIPT_CURSOR,
	SCRIPT_COUNT,
	SCRIPT_LOCK,
	SCRIPT_UNLOCK,
	SCRIPT_RAISE,
	SCRIPT_IF_RAISED,
	SCRIPT_BEGIN,
	SCRIPT_END,
	SCRIPT_READ,
};

static const char *const verbs[] = {
	[SCRIPT_SET] = "set",
	[SCRIPT_CLEAR] = "clear",
	[SCRIPT_TRY_SET] = "try-set",
	[SCRIPT_TRY_CLEAR] = "try-clear",
	[SCRIPT_PREPARE] = "prepare",
	[SCRIPT_IF_READY_SET] = "if-ready-set",
	[SCRIPT_SPARE] = "spare",
	[SCRIPT_COMMIT] = "commit-set",
	[SCRIPT_TEST] = "test",
	[SCRIPT_FILL_2M] = "2m",
	[SCRIPT_FILL_1G] = "1g",
	[SCRIPT_LOOK] = "look",
	[SCRIPT_ORDER] = "order",
	[SCRIPT_MASK] = "mask",
	[SCRIPT_NEXT] = "next",
	[SCRIPT_CURSOR] = "cursor",
	[SCRIPT_COUNT] = "count",
	[SCRIPT_LOCK] = "lock",
	[SCRIPT_UNLOCK] = "unlock",
	[SCRIPT_RAISE] = "raise",
	[SCRIPT_IF_RAISED] = "if-raised",
	[SCRIPT_BEGIN] = "begin",
	[SCRIPT_END] = "end",
	[SCRIPT_READ] = "read",
};
#define SCRIPT_VERBS (sizeof(verbs) / sizeof(*verbs))

struct script_op {
	enum script_verb verb;
	unsigned int a, n;
};

struct script_list {
	unsigned int nr;
	struct script_op op[SCRIPT_OPS];
};

static unsigned int nr_blocks;
static struct script_list before, list[WEAK_THREADS];
static uint64_t flag;
static struct weak_mutex mutex[2];

/* ---- text ---- */

static bool script_parse_op(const char *text, size_t length, struct script_op *op)
{
	char copy[64], verb[16];

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	op->a = 0;
	op->n = 1;
	if (sscanf(copy, " %15s %u %u", verb, &op->a, &op->n) < 1)
		return false;
	for (unsigned int i = 0; i < SCRIPT_VERBS; i++)
		if (!strcmp(verb, verbs[i])) {
			op->verb = (enum script_verb)i;
			return true;
		}
	return false;
}

static bool script_parse(const char *text, struct script_list *l)
{
	l->nr = 0;
	while (*text) {
		const size_t length = strcspn(text, ",");

		if (l->nr == SCRIPT_OPS || !script_parse_op(text, length, &l->op[l->nr++]))
			return false;
		text += length + (text[length] == ',');
	}
	return true;
}

/* ---- running ---- */

static void script_run_query(const struct script_op *op)
{
	switch (op->verb) {
	case SCRIPT_TEST:
		tree_test(op->a);
		break;
	case SCRIPT_FILL_2M:
	case SCRIPT_FILL_1G:
		tree_fill(op->a, op->verb == SCRIPT_FILL_2M ? TREE_2M : TREE_1G);
		break;
	case SCRIPT_NEXT:
		tree_next(op->a, op->a + op->n);
		break;
	case SCRIPT_CURSOR:
		tree_cursor(op->a, op->a + op->n);
		break;
	case SCRIPT_LOOK:
		tree_look(op->a);
		break;
	case SCRIPT_ORDER:
		tree_uniform_order(op->a);
		break;
	case SCRIPT_MASK:
		tree_mixed_mask();
		break;
	case SCRIPT_COUNT:
		tree_count(op->a);
		break;
	default:
		weak_check(false, "an unknown operation");
	}
}

static void script_run_store(const struct script_op *op)
{
	switch (op->verb) {
	case SCRIPT_SET:
	case SCRIPT_CLEAR:
		tree_store(op->a, op->n, op->verb == SCRIPT_SET);
		break;
	case SCRIPT_TRY_SET:
	case SCRIPT_TRY_CLEAR:
		tree_store_and_revert(op->a, op->n, op->verb == SCRIPT_TRY_SET);
		break;
	case SCRIPT_PREPARE:
		tree_prepare(op->a, op->n);
		break;
	case SCRIPT_IF_READY_SET:
		tree_store_if_prepared(op->a, op->n, true);
		break;
	case SCRIPT_SPARE:
		tree_spare(op->a, op->n);
		break;
	case SCRIPT_COMMIT:
		tree_commit(op->a, op->n, true);
		break;
	default:
		script_run_query(op);
	}
}

/* Runs one operation. Returns false if the thread ends with it. */
static bool script_run_op(const struct script_op *op)
{
	switch (op->verb) {
	case SCRIPT_LOCK:
		weak_lock(&mutex[op->a % 2]);
		return true;
	case SCRIPT_UNLOCK:
		weak_unlock(&mutex[op->a % 2]);
		return true;
	case SCRIPT_RAISE:
		weak_set(&flag, 1, WEAK_RELEASE);
		return true;
	case SCRIPT_IF_RAISED:
		return weak_get(&flag, WEAK_ACQUIRE);
	case SCRIPT_BEGIN:
		tree_seq_begin();
		return true;
	case SCRIPT_END:
		tree_seq_end();
		return true;
	case SCRIPT_READ:
		tree_seq_read(op->a, op->n);
		return true;
	default:
		script_run_store(op);
		return true;
	}
}

static void script_run_thread(unsigned int t)
{
	for (unsigned int i = 0; i < list[t].nr; i++)
		if (!script_run_op(&list[t].op[i]))
			return;
}

static void script_thread0(void)
{
	script_run_thread(0);
}

static void script_thread1(void)
{
	script_run_thread(1);
}

static void script_thread2(void)
{
	script_run_thread(2);
}

static void script_thread3(void)
{
	script_run_thread(3);
}

static void script_setup(void)
{
	flag = 0;
	memset(mutex, 0, sizeof(mutex));
	tree_create(nr_blocks);
	for (unsigned int i = 0; i < before.nr; i++)
		tree_before(before.op[i].a, before.op[i].n, before.op[i].verb == SCRIPT_SET);
}

bool script_program(const struct script *s, struct weak_program *program)
{
	*program = (struct weak_program) {
		.name = s->name,
		.setup = script_setup,
		.thread = {script_thread0, script_thread1, script_thread2, script_thread3},
		.end = tree_end,
		.describe = tree_describe,
	};
	nr_blocks = s->nr_blocks;
	if (!script_parse(s->setup, &before))
		return false;
	for (unsigned int t = 0; t < WEAK_THREADS && s->thread[t]; t++) {
		if (!script_parse(s->thread[t], &list[t]))
			return false;
		program->nr_threads = t + 1;
	}
	return true;
}
