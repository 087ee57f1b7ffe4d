/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * setup.h - shared by the programs here: the command line, a VM, its memory, exit statuses
 */
#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include <gmemstate/kvm.h>
#include <gmemstate/state.h>

#include "machine.h"

/* Where the guest sees the memory: below 4G, because the guest maps no more. */
#define MAIN_GFN ((1ULL << 30) >> 12)

#define FIRST_SLOT 1
#define NR_SLOTS 32000

#define EXIT_CANNOT 2
#define EXIT_SKIPPED 77

/* Parse an argument of the command line. Return 0 or -EINVAL. */
int setup_number(const char *text, uint64_t *number);
int setup_mode(const char *name, enum gms_kvm_way *mode);

/* Returns true if /dev/kvm can be opened. */
bool setup_have_kvm(void);

/*
 * Creates a VM that offers *mode. If *mode is GMS_KVM_ANY, sets it to attributes, or to memslots
 * where KVM has no attributes. In place is not tested: the programs expect a converted page to be
 * a new one. Returns 0; -EOPNOTSUPP: KVM does not offer the mode; -errno.
 */
int setup_machine(struct machine *m, enum gms_kvm_way *mode);

/*
 * Pages of a state object. Half of them are in one block of 1G and half in the next, so that some
 * conversions take the locks of two shards.
 */
struct memory {
	struct gms_kvm *kvm;
	struct gms_state *state;
	gms_pgoff_t start; /* index of the first page */
	uint64_t nr_pages;
	unsigned char *host; /* where the host sees the first page */
};

/*
 * Creates memory and state, and maps the pages. The caller sets the VM, the mode and the
 * callbacks for vCPUs in @opts; the function sets the rest. The hooks' ctx is the struct gms_kvm.
 * Returns 0 or -errno. Call memory_destroy() even after a failure.
 */
int setup_memory(struct memory *memory, struct gms_kvm_opts *opts, uint64_t nr_pages, bool private,
		 const struct gms_backend_ops *backend);
void memory_destroy(struct memory *memory);

#endif /* SETUP_H */
