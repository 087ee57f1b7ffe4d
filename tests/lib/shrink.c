// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * shrink.c - cuts a history that fails down to the few operations that matter
 */
#include "shrink.h"

#include "test.h"

static bool shrink_fails(const void *arg)
{
	const struct shrink *shrink = arg;
	size_t failed;

	return shrink->run(shrink->history, &failed) != NULL;
}

void shrink_end(const struct shrink *shrink)
{
	size_t failed;

	if (!test_forks() && shrink->run(shrink->history, &failed))
		*shrink->nr_ops = failed + 1;
}

/* Removes @count operations from @at on, if the history fails without them. */
static bool try_without(const struct shrink *shrink, size_t at, size_t count)
{
	size_t size = count * shrink->op_size;
	size_t tail = (*shrink->nr_ops - at - count) * shrink->op_size;
	char *place = (char *)shrink->ops + at * shrink->op_size;
	void *removed = malloc(size);
	bool still_fails;

	assert_non_null(removed);
	memcpy(removed, place, size);
	memmove(place, place + size, tail);
	*shrink->nr_ops -= count;
	still_fails = test_fails(shrink_fails, shrink);
	if (!still_fails) {
		memmove(place + size, place, tail);
		memcpy(place, removed, size);
		*shrink->nr_ops += count;
	}
	free(removed);
	return still_fails;
}

void shrink_pieces(const struct shrink *shrink, size_t count)
{
	size_t at = 0;

	while (at + count <= *shrink->nr_ops) {
		if (!try_without(shrink, at, count))
			at += count;
	}
}

void shrink_halves(const struct shrink *shrink)
{
	size_t count;

	for (count = *shrink->nr_ops / 2; count; count /= 2)
		shrink_pieces(shrink, count);
}
