/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_rig.h - a state object with the backend for KVM behind it, on the fake kernel
 *
 * Pages [0, 24) and [32, 64) are mapped to the guest, the others not. The rig knows what should
 * be in each page that somebody can see.
 */
#ifndef GMS_TESTS_KVM_RIG_H
#define GMS_TESTS_KVM_RIG_H

#include "kvm_fake.h"
#include "talloc.h"
#include "test.h"

#define KRIG_PAGES 72
#define KRIG_MAPS 2
#define KRIG_FIRST_SLOT 5
#define KRIG_UNKNOWN UINT32_MAX /* contents that nobody knows */

/* Kinds of memory: what is made, and what is the caller's. */
struct krig_kind {
	enum gms_kvm_way way;
	unsigned int flags; /* GMS_KVM_... */
	uint64_t grain; /* of the caller's file, in pages; 0: 1 */
};

#define KRIG_KINDS 10

extern const struct krig_kind krig_kinds[KRIG_KINDS];

struct krig_map {
	uint64_t gfn, start, nr_pages;
};

struct krig {
	struct fake fake;
	struct talloc talloc;
	enum gms_kvm_way way;
	unsigned int flags;
	unsigned int nr_slots;
	int guest_memfd, shared_fd; /* the caller's; -1: none */
	void *host; /* the caller's mapping, or NULL */
	struct gms_kvm *kvm;
	struct gms_state *state;
	struct krig_map maps[KRIG_MAPS];
	unsigned int content[KRIG_PAGES];
	unsigned int stamp;
	int stopped; /* vCPUs: nested stops */
	unsigned int stops;
	bool refuse; /* a listener does */
	bool sync_in_stop; /* stop_vcpus() makes a sync: what that gives */
	int sync_err;
	bool done; /* for a test with threads */
	bool hole; /* vCPUs were resumed while something mapped was in no slot */
};

/* All pages are shared, or all private; state and KVM agree on that. */
void krig_init(struct krig *rig, enum gms_kvm_way way, unsigned int nr_slots, bool private);
void krig_init_kind(struct krig *rig, const struct krig_kind *kind, unsigned int nr_slots,
		    bool private);

/* Checks that nothing is left. */
void krig_fini(struct krig *rig);

/* The parts of krig_init(): without the state, and without the maps. */
void krig_init_kvm(struct krig *rig, const struct krig_kind *kind, unsigned int nr_slots);
void krig_init_state(struct krig *rig, bool private);
void krig_init_maps(struct krig *rig);

/* The gfn of a page; UINT64_MAX: it is not mapped. */
uint64_t krig_gfn(const struct krig *rig, uint64_t page);

/* Slots that the state calls for. */
unsigned int krig_wanted_slots(const struct krig *rig);

/* State, records and fake kernel agree, and nothing is stale: NULL, or what does not. */
const char *krig_agrees(struct krig *rig);

/*
 * The same for one page; what the guest sees is left out where a map may lack slots. *why: what
 * does not.
 */
bool krig_page_agrees(struct krig *rig, uint64_t page, bool lax, const char **why);

/* Each page is written by who sees it, and then holds something else than any other. */
void krig_write(struct krig *rig);

/* Does a page hold what it should, for somebody who sees it? *why: what is wrong. */
bool krig_page_holds(struct krig *rig, uint64_t page, const char **why);

/* NULL, or what is wrong with a page's contents. */
const char *krig_contents(struct krig *rig);

/* What a conversion does to the contents: called before it. */
void krig_expect(struct krig *rig, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/* gms_convert() that works; afterwards all agree. */
void krig_convert(struct krig *rig, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/* gms_convert() that fails with @err and has changed nothing that can be seen. */
void krig_convert_fails(struct krig *rig, uint64_t start, uint64_t nr_pages,
			enum gms_shareability to, int err);

#endif /* GMS_TESTS_KVM_RIG_H */
