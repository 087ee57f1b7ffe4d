/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * setup.h - what the programs here have in common: the command line, a VM, its memory, exit statuses
 */
#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include <gmemstate/kvm.h>
#include <gmemstate/state.h>

#include "machine.h"

/* Where the guest sees the memory. Below 4G, which is all that it maps. */
#define MAIN_GFN ((1ULL << 30) >> 12)

#define FIRST_SLOT 1
#define NR_SLOTS 32000

#define EXIT_CANNOT 2
#define EXIT_SKIPPED 77

/* Of the command line. 0 or -EINVAL. */
int setup_number(const char *text, uint64_t *number);
int setup_way(const char *name, enum gms_kvm_way *way);

bool setup_have_kvm(void);

/*
 * A VM that can do what *@way asks for: attributes, else memslots; written back. In place is not
 * compared: here a page that was converted is taken to be a new one. 0; -EOPNOTSUPP: this
 * KVM does not have that way; -errno.
 */
int setup_machine(struct machine *m, enum gms_kvm_way *way);

/*
 * Pages of a state object, half of them in one block of 1G and half in the next, so that a
 * conversion may have to take two locks.
 */
struct memory {
	struct gms_kvm *kvm;
	struct gms_state *state;
	gms_pgoff_t start; /* index of the first page */
	uint64_t nr_pages;
	unsigned char *host; /* where the host sees the first page */
};

/*
 * @opts: the VM, the way and what stops vCPUs; all else is filled in here. The hooks' ctx is the
 * struct gms_kvm. 0 or -errno; memory_destroy() also after a failure.
 */
int setup_memory(struct memory *memory, struct gms_kvm_opts *opts, uint64_t nr_pages, bool private,
		 const struct gms_backend_ops *backend);
void memory_destroy(struct memory *memory);

#endif /* SETUP_H */
