/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compare.h - the rows and the options of the comparison, for all of its files
 *
 *	compare.c   options, set-up, the loop
 *	convert.c   random conversions, and what the library has to answer
 *	refer.c     in place: references that the kernel counts, and what it has to refuse
 *	bare.c      the row without guest_memfd: KVM_EXIT_MEMORY_FAULT
 *	plant.c     mismatches made on purpose, which show that the comparison can fail
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "check.h"
#include "hold.h"
#include "setup.h"

/* Where the guest sees the bare row. */
#define BARE_GFN ((3ULL << 30) >> 12)
#define BARE_SLOT (FIRST_SLOT + NR_SLOTS)

enum plant {
	PLANT_NOTHING,
	PLANT_ATTRIBUTE, /* KVM sees one page as the opposite of what it is */
	PLANT_DEAF, /* from now on KVM sees pages that become private as shared */
	PLANT_SLOT, /* a memslot is deleted */
	PLANT_HOST, /* the host sees memory where a page is private */
	PLANT_LOST, /* a page loses its content and holds 0 */
	PLANT_SKIP, /* a conversion leaves out one page in KVM */
	PLANT_DRAINED, /* in place: from now on references are dropped before the conversion */
	PLANT_NR,
};

struct options {
	uint64_t pages;
	uint64_t conversions;
	uint64_t seed;
	struct way way;
	enum plant plant;
};

/* References to shared pages, held during a conversion. */
#define MAX_HELD 2

struct held {
	struct hold hold;
	uint64_t page; /* in the row */
	uint64_t start, end; /* the pages of its folio */
};

struct bare {
	struct row row; /* row.state: NULL where this VM has no attributes */
	void *memory;
};

struct compare {
	struct options options;
	struct machine m;
	struct memory memory;
	struct row row;
	struct bare bare;
	struct tally tally;
	uint64_t rng, stamp;
	struct held held[MAX_HELD];
	unsigned int nr_held;
	uint64_t pinned, failed; /* conversions that a pin or a hook refused */
	uint64_t referred; /* conversions that the kernel refused because of a reference */
	uint64_t large; /* references to a page of a folio larger than 4K */
	uint64_t others; /* refusals that name another page than that of the reference */
	unsigned int fail_apply; /* which call of apply fails: 1 is the next; 0: none */
	bool apply_failed; /* that call was made */
	int hook_err; /* the guest got stuck in a hook */
	bool planted; /* plant_now() was called */
	bool deaf; /* PLANT_DEAF */
	bool skip; /* PLANT_SKIP: the next run that is converted leaves out one page */
	bool drained; /* PLANT_DRAINED */
	bool attributes; /* the VM has attributes */
	bool in_place;
};

#define NO_PAGE UINT64_MAX

/* A conversion that is about to be made, and the pages that stand in its way. */
struct conversion {
	uint64_t at, nr_pages; /* in the row */
	enum gms_shareability to;
	unsigned int flags;
	bool pinned;
	uint64_t pin; /* the page that gms_pin() has pinned */
	uint64_t stop; /* the page at which the conversion has to be refused, or NO_PAGE */
};

/* Returns the next random number, which is below @below. */
uint64_t draw(struct compare *c, uint64_t below);
enum probe_mode draw_mode(struct compare *c);

/*
 * convert.c: returns the backend's hooks, with checks before them. Their ctx is the struct
 * gms_kvm.
 */
const struct gms_backend_ops *compare_backend(struct compare *c);

/* Converts a random range, and checks it and the page on each side. -errno: the guest is stuck. */
int convert_something(struct compare *c);

/*
 * refer.c. References are taken before a conversion. After it refer_release() drops them, and
 * compares the pages that the pipes held with the array. They return 0, or -errno if that cannot
 * be done.
 */
int refer_take(struct compare *c, struct conversion *v);
int refer_release(struct compare *c);

/* bare.c */
int bare_create(struct compare *c);
void bare_destroy(struct compare *c);
int bare_convert_something(struct compare *c);

/* plant.c. The functions that return an int return 0 or -errno. */
int plant_parse(const char *name, enum plant *plant);
const char *plant_name(enum plant plant);
int plant_now(struct compare *c);

#endif /* COMPARE_H */
