/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm.h - a backend that keeps the host's view itself: a VMM in two arrays
 *
 * What the host can touch, and what the guest takes each page for. At every step, in each hook and
 * after each call: no page that is private and not quarantined can be touched by the host. (On the
 * way to shared a page is shown when the guest has it as shared, just before the state says so: to
 * show it may fail.)
 */
#ifndef GMS_TESTS_VMM_H
#define GMS_TESTS_VMM_H

#include <gmemstate/state.h>

#include "oracle.h"
#include "talloc.h"
#include "test.h"

#define VMM_PAGES (3 * T_2M + 200)
#define VMM_PINS 4
#define VMM_CALLS 64

enum hook { UNMAP, MAP, PINS, SPLIT, APPLY, UNDO, NR_FALLIBLE, BEGIN, END };

struct call {
	enum hook hook;
	uint64_t start, nr_pages;
};

struct vmm {
	struct gms_state *state;
	struct talloc talloc;
	bool visible[VMM_PAGES], private[VMM_PAGES];
	bool held[VMM_PAGES]; /* by the listener */
	struct call calls[VMM_CALLS]; /* the first ones */
	size_t nr_calls;
	const char *broken;
	/* of the fallible calls to come: each fails by this chance, or the one of this number */
	struct prng prng;
	unsigned int percent;
	unsigned int fail[NR_FALLIBLE]; /* counted from 1; 0: none */
	bool refuse; /* the listener does, at times */
	struct {
		uint64_t start, nr_pages;
	} pins[VMM_PINS];
};

/* All hooks that are there are called for exactly what changes. */
extern const struct gms_backend_ops vmm_by_page;

/* A listener on runs of any length, which may refuse; its ctx is the struct vmm. */
extern const struct gms_listener_ops vmm_listener;

int vmm_unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages);

void vmm_init(struct vmm *v, const struct gms_policy_ops *policy, uint64_t flags,
	      const struct gms_backend_ops *ops);

/*
 * What must hold after each call, for each page that is not quarantined: the host can touch it if
 * and only if it is shared, and the guest is of the state's opinion. NULL, or what does not hold.
 */
const char *vmm_agrees(const struct vmm *v);

/* Checks that, and that nothing is left. */
void vmm_fini(struct vmm *v);

#endif /* GMS_TESTS_VMM_H */
