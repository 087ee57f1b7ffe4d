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

/*
 * The guest sees the memory at its index plus this. So gfn and index agree modulo 1G, and KVM can
 * map by 2M. All of it is below 3G: the guest maps no more than 4G.
 */
#define MAIN_GFN ((1ULL << 30) >> 12)

#define FIRST_SLOT 1
#define NR_SLOTS 32000

#define EXIT_CANNOT 2
#define EXIT_SKIPPED 77

/* How the memory is converted, and in place the flags of its guest_memfd (backing.h). */
struct way {
	enum gms_kvm_way mode;
	uint64_t flags;
};

/* Parses a number of the command line. Returns 0 or -EINVAL. */
int setup_number(const char *text, uint64_t *number);

/* Parses "--mode NAME", "--folio-order 0|9" or "--policy NAME". Returns 0 or -EINVAL. */
int setup_way(const char *name, const char *value, struct way *way);

/* Returns true if /dev/kvm can be opened. */
bool setup_have_kvm(void);

/*
 * Creates a VM that offers *mode. If *mode is GMS_KVM_ANY, sets it to the first mode that KVM
 * offers. Returns 0; -EOPNOTSUPP: KVM does not offer the mode; -errno.
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
	uint64_t gfn; /* of the first page */
	unsigned char *host; /* where the host sees the first page */
	int vm;
	int guest_memfd; /* in place; else -1 */
	uint64_t offset; /* of index 0 in the guest_memfd, in pages */
	unsigned int folio_order; /* in place: of the guest_memfd's folios */
};

/* A memory that was not created. memory_destroy() accepts it. */
#define MEMORY_INIT                \
	{                          \
		.guest_memfd = -1, \
	}

/*
 * Creates memory and state, and maps the pages. The caller sets nr_pages in @memory, and the VM
 * and the callbacks for vCPUs in @opts; the function sets the rest. In place it creates the
 * guest_memfd itself, and the backend uses that. The hooks' ctx is the struct gms_kvm. Returns 0;
 * -EINVAL: only a conversion in place has flags; -errno. Call memory_destroy() even after a
 * failure.
 */
int setup_memory(struct memory *memory, struct gms_kvm_opts *opts, const struct way *way,
		 bool private, const struct gms_backend_ops *backend);
void memory_destroy(struct memory *memory);

/*
 * Makes KVM see pages as private or as shared, without the library. @at counts from the first
 * page. In place, or by attributes. Returns 0 or -errno.
 */
int memory_deceive(const struct memory *memory, uint64_t at, uint64_t nr_pages, bool private);

/* Discards pages in place, without the library: they hold 0 then. Returns 0 or -errno. */
int memory_discard(const struct memory *memory, uint64_t at, uint64_t nr_pages);

#endif /* SETUP_H */
