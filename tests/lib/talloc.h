/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * talloc.h - an allocator that watches whoever uses it
 *
 * It counts what is outstanding, fails on demand, checks that a block is given back
 * with the size and alignment it was asked for and that nobody wrote around it, fills
 * memory with rubbish on the way out and on the way back, and can forbid calls for a
 * while. In debug builds it checks that its caller holds no folio lock and no tree lock. The
 * first rule that somebody breaks is kept as a text until the test asks.
 * Thread-safe, as struct gms_allocator demands.
 */
#ifndef GMS_TESTS_TALLOC_H
#define GMS_TESTS_TALLOC_H

#include <gmemstate/alloc.h>

#include <stdatomic.h>

#define TALLOC_TRAP_ALLOC 1U
#define TALLOC_TRAP_FREE 2U
#define TALLOC_TRAP_BOTH (TALLOC_TRAP_ALLOC | TALLOC_TRAP_FREE)

struct talloc {
	struct gms_allocator ops; /* to be handed to the library */
	_Atomic uint64_t live_bytes;
	_Atomic uint64_t live_blocks;
	_Atomic uint64_t allocs; /* calls of alloc, failed ones included */
	_Atomic uint64_t total_bytes; /* ever handed out */
	_Atomic uint64_t failed; /* calls that were made to fail */
	_Atomic uint64_t fail_from; /* number of the call that fails */
	_Atomic uint64_t fail_to; /* number of the first one after it that works again */
	_Atomic unsigned int trap;
	_Atomic(const char *) broken;
};

void talloc_init(struct talloc *talloc);

/* Of the calls to come, fail @count, from the one numbered @skip (0: the next). */
void talloc_fail(struct talloc *talloc, uint64_t skip, uint64_t count);
void talloc_fail_never(struct talloc *talloc);

/* TALLOC_TRAP_*: calls that are against the rules from now on; 0: none. */
void talloc_trap(struct talloc *talloc, unsigned int calls);

/* NULL, or the first rule that was broken. */
const char *talloc_check(struct talloc *talloc);

#endif /* GMS_TESTS_TALLOC_H */
