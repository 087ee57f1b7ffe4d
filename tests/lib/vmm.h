/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm.h - a backend with map_host: a VMM in two arrays
 *
 * One array says which pages the host can touch, the other one which pages the guest sees as
 * private. In each hook, and after each call, a rule must hold: the host can touch no page that is
 * private to the guest and in the state, unless it is quarantined. In a conversion to shared, the
 * host's page is mapped after apply and before the state changes, because map_host may fail.
 *
 * Usage:
 *
 *	vmm_init(&v, gms_policy_lazy(), GMS_INIT_PRIVATE, &vmm_by_page);
 *	v.fail[MAP] = 2;                the second call of map_host fails
 *	gms_convert(v.state, 5, 10, GMS_SHARED, 0, NULL);
 *	assert_fine(vmm_agrees(&v));
 *	vmm_fini(&v);
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
	bool held[VMM_PAGES]; /* pages that the listener holds */
	struct call calls[VMM_CALLS]; /* the first calls of hooks */
	size_t nr_calls;
	const char *broken;
	struct prng prng;
	unsigned int percent; /* chance that a call of a hook fails */
	unsigned int fail[NR_FALLIBLE]; /* number of the next call that fails, from 1; 0: none */
	bool refuse; /* the listener refuses some calls */
	struct {
		uint64_t start, nr_pages;
	} pins[VMM_PINS];
};

/* The hooks. unmap_host and map_host are called for exactly the pages that change. */
extern const struct gms_backend_ops vmm_by_page;

/* A listener that can split. Its context is the struct vmm. */
extern const struct gms_listener_ops vmm_listener;

int vmm_unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages);

void vmm_init(struct vmm *v, const struct gms_policy_ops *policy, uint64_t flags,
	      const struct gms_backend_ops *ops);

/*
 * Checks what must hold after each call, for each page that is not quarantined: the guest sees the
 * page as the state does, and the host can touch it if and only if it is shared. Returns NULL, or
 * what is wrong.
 */
const char *vmm_agrees(const struct vmm *v);

/* Calls vmm_agrees(), destroys the object, and checks that no memory is left. */
void vmm_fini(struct vmm *v);

#endif /* GMS_TESTS_VMM_H */
