// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * script.c - runs programs that are written as text
 */
#include <stdio.h>
#include <string.h>

#include "script.h"
#include "tree.h"

#define OPS 16u

enum verb {
	SET,
	CLEAR,
	TRY_SET,
	TRY_CLEAR,
	PREPARE,
	IF_READY_SET,
	SPARE,
	COMMIT,
	TEST,
	FILL_2M,
	FILL_1G,
	LOOK,
	ORDER,
	MASK,
	NEXT,
	CURSOR,
	COUNT,
	LOCK,
	UNLOCK,
	RAISE,
	IF_RAISED,
	BEGIN,
	END,
	READ,
};

static const char *const verbs[] = {
	[SET] = "set",
	[CLEAR] = "clear",
	[TRY_SET] = "try-set",
	[TRY_CLEAR] = "try-clear",
	[PREPARE] = "prepare",
	[IF_READY_SET] = "if-ready-set",
	[SPARE] = "spare",
	[COMMIT] = "commit-set",
	[TEST] = "test",
	[FILL_2M] = "2m",
	[FILL_1G] = "1g",
	[LOOK] = "look",
	[ORDER] = "order",
	[MASK] = "mask",
	[NEXT] = "next",
	[CURSOR] = "cursor",
	[COUNT] = "count",
	[LOCK] = "lock",
	[UNLOCK] = "unlock",
	[RAISE] = "raise",
	[IF_RAISED] = "if-raised",
	[BEGIN] = "begin",
	[END] = "end",
	[READ] = "read",
};
#define VERBS (sizeof(verbs) / sizeof(*verbs))

struct op {
	enum verb verb;
	unsigned int a, n;
};

struct list {
	unsigned int nr;
	struct op op[OPS];
};

static unsigned int nr_blocks;
static struct list before, list[WEAK_THREADS];
static uint64_t flag;
static struct weak_mutex mutex[2];

/* ---- text ---- */

static bool parse_op(const char *text, size_t length, struct op *op)
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
	for (unsigned int i = 0; i < VERBS; i++)
		if (!strcmp(verb, verbs[i])) {
			op->verb = (enum verb)i;
			return true;
		}
	return false;
}

static bool parse(const char *text, struct list *l)
{
	l->nr = 0;
	while (*text) {
		const size_t length = strcspn(text, ",");

		if (l->nr == OPS || !parse_op(text, length, &l->op[l->nr++]))
			return false;
		text += length + (text[length] == ',');
	}
	return true;
}

/* ---- running ---- */

static void run_query(const struct op *op)
{
	switch (op->verb) {
	case TEST:
		tree_test(op->a);
		break;
	case FILL_2M:
	case FILL_1G:
		tree_fill(op->a, op->verb == FILL_2M ? TREE_2M : TREE_1G);
		break;
	case NEXT:
		tree_next(op->a, op->a + op->n);
		break;
	case CURSOR:
		tree_cursor(op->a, op->a + op->n);
		break;
	case LOOK:
		tree_look(op->a);
		break;
	case ORDER:
		tree_uniform_order(op->a);
		break;
	case MASK:
		tree_mixed_mask();
		break;
	case COUNT:
		tree_count(op->a);
		break;
	default:
		weak_check(false, "an operation that is none");
	}
}

static void run_store(const struct op *op)
{
	switch (op->verb) {
	case SET:
	case CLEAR:
		tree_store(op->a, op->n, op->verb == SET);
		break;
	case TRY_SET:
	case TRY_CLEAR:
		tree_store_and_revert(op->a, op->n, op->verb == TRY_SET);
		break;
	case PREPARE:
		tree_prepare(op->a, op->n);
		break;
	case IF_READY_SET:
		tree_store_if_prepared(op->a, op->n, true);
		break;
	case SPARE:
		tree_spare(op->a, op->n);
		break;
	case COMMIT:
		tree_commit(op->a, op->n, true);
		break;
	default:
		run_query(op);
	}
}

/* Returns false where the thread ends. */
static bool run_op(const struct op *op)
{
	switch (op->verb) {
	case LOCK:
		weak_lock(&mutex[op->a % 2]);
		return true;
	case UNLOCK:
		weak_unlock(&mutex[op->a % 2]);
		return true;
	case RAISE:
		weak_set(&flag, 1, WEAK_RELEASE);
		return true;
	case IF_RAISED:
		return weak_get(&flag, WEAK_ACQUIRE);
	case BEGIN:
		tree_seq_begin();
		return true;
	case END:
		tree_seq_end();
		return true;
	case READ:
		tree_seq_read(op->a, op->n);
		return true;
	default:
		run_store(op);
		return true;
	}
}

static void run_thread(unsigned int t)
{
	for (unsigned int i = 0; i < list[t].nr; i++)
		if (!run_op(&list[t].op[i]))
			return;
}

static void thread0(void)
{
	run_thread(0);
}

static void thread1(void)
{
	run_thread(1);
}

static void thread2(void)
{
	run_thread(2);
}

static void thread3(void)
{
	run_thread(3);
}

static void setup(void)
{
	flag = 0;
	memset(mutex, 0, sizeof(mutex));
	tree_create(nr_blocks);
	for (unsigned int i = 0; i < before.nr; i++)
		tree_before(before.op[i].a, before.op[i].n, before.op[i].verb == SET);
}

bool script_program(const struct script *s, struct weak_program *program)
{
	*program = (struct weak_program) {
		.name = s->name,
		.setup = setup,
		.thread = {thread0, thread1, thread2, thread3},
		.end = tree_end,
		.describe = tree_describe,
	};
	nr_blocks = s->nr_blocks;
	if (!parse(s->setup, &before))
		return false;
	for (unsigned int t = 0; t < WEAK_THREADS && s->thread[t]; t++) {
		if (!parse(s->thread[t], &list[t]))
			return false;
		program->nr_threads = t + 1;
	}
	return true;
}
