/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * talloc.h - an allocator that checks its callers
 *
 * The allocator counts live blocks and bytes, and fails on demand. It checks that a block is freed
 * with the size and alignment of its allocation, and that no byte behind the block was written. It
 * fills fresh and freed memory with a pattern. A test can forbid calls for a while. In debug
 * builds the allocator checks that its caller holds no folio lock and no tree lock. It keeps the
 * first broken rule for talloc_check(). It is thread-safe, as struct gms_allocator demands.
 *
 * Usage:
 *
 *	talloc_init(&talloc);
 *	opts.allocator = &talloc.ops;
 *	talloc_fail(&talloc, 2, 1);     the third call from now on fails
 *	...
 *	assert_fine(talloc_check(&talloc));
 *	assert_int_equal(talloc.live_blocks, 0);
 */
#ifndef GMS_TESTS_TALLOC_H
#define GMS_TESTS_TALLOC_H

#include <gmemstate/alloc.h>

#include <stdatomic.h>

#define TALLOC_TRAP_ALLOC 1U
#define TALLOC_TRAP_FREE 2U
#define TALLOC_TRAP_BOTH (TALLOC_TRAP_ALLOC | TALLOC_TRAP_FREE)

struct talloc {
	struct gms_allocator ops; /* for the library */
	_Atomic uint64_t live_bytes;
	_Atomic uint64_t live_blocks;
	_Atomic uint64_t allocs; /* number of calls of alloc, with those that failed */
	_Atomic uint64_t total_bytes; /* allocated so far, freed or not */
	_Atomic uint64_t failed; /* number of calls that failed on demand */
	_Atomic uint64_t fail_from, fail_to; /* calls [fail_from, fail_to) fail */

	_Atomic unsigned int trap;
	_Atomic(const char *) broken;
};

void talloc_init(struct talloc *talloc);

/* Makes @count calls of alloc fail, after the next @skip calls. */
void talloc_fail(struct talloc *talloc, uint64_t skip, uint64_t count);
void talloc_fail_never(struct talloc *talloc);

/* Forbids calls from now on: TALLOC_TRAP_*, or 0 to allow all. */
void talloc_trap(struct talloc *talloc, unsigned int calls);

/* Returns NULL, or the first rule that was broken. */
const char *talloc_check(struct talloc *talloc);

#endif /* GMS_TESTS_TALLOC_H */
