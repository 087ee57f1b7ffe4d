/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_rig.h - a state object with the backend for KVM behind it, on the fake kernel
 *
 * Pages [0, 24) and [32, 64) are mapped to the guest, the others are not. The rig knows the
 * content that each visible page must have.
 */
#ifndef GMS_TESTS_KVM_RIG_H
#define GMS_TESTS_KVM_RIG_H

#include "kvm_fake.h"
#include "talloc.h"
#include "test.h"

#define KRIG_PAGES 72
#define KRIG_MAPS 2
#define KRIG_FIRST_SLOT 5
#define KRIG_UNKNOWN UINT32_MAX /* a page may have any content */

/* A kind of memory: the mode, and the parts that are the caller's. */
struct krig_kind {
	enum gms_kvm_way mode;
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
	enum gms_kvm_way mode;
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
	bool refuse; /* a listener refuses */
	bool sync_in_stop; /* stop_vcpus() calls gms_kvm_sync() */
	int sync_err; /* what that call returned */
	bool done; /* for a test with threads */
	bool hole; /* vCPUs were resumed while a mapped page was in no slot */
};

/* Make a rig whose pages are all shared, or all private. State and KVM agree. */
void krig_init(struct krig *rig, enum gms_kvm_way mode, unsigned int nr_slots, bool private);
void krig_init_kind(struct krig *rig, const struct krig_kind *kind, unsigned int nr_slots,
		    bool private);

/* Destroys all, and checks that nothing is left. */
void krig_fini(struct krig *rig);

/* The steps of krig_init(): the memory, the state, the maps. */
void krig_init_kvm(struct krig *rig, const struct krig_kind *kind, unsigned int nr_slots);
void krig_init_state(struct krig *rig, bool private);
void krig_init_maps(struct krig *rig);

/* Returns the gfn of a page, or UINT64_MAX if the page is not mapped. */
uint64_t krig_gfn(const struct krig *rig, uint64_t page);

/* Returns how many slots the state calls for. */
unsigned int krig_wanted_slots(const struct krig *rig);

/*
 * Checks that state, records and fake kernel agree, and that nothing is stale. Returns NULL, or
 * what is wrong.
 */
const char *krig_agrees(struct krig *rig);

/*
 * Checks that state, records and fake kernel agree on a page. @lax: the page's slot may be
 * missing. Sets *why to what is wrong, or to NULL.
 */
bool krig_page_agrees(struct krig *rig, uint64_t page, bool lax, const char **why);

/* Writes to each visible page a content that no other page has. */
void krig_write(struct krig *rig);

/* Checks the content of a page, if it is visible. Sets *why to what is wrong, or to NULL. */
bool krig_page_holds(struct krig *rig, uint64_t page, const char **why);

/* Checks the contents of all visible pages. Returns NULL, or what is wrong. */
const char *krig_contents(struct krig *rig);

/* Updates the expected contents for a conversion. Call it before the conversion. */
void krig_expect(struct krig *rig, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/* Converts, and checks that it succeeds and that all agree afterwards. */
void krig_convert(struct krig *rig, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/* Converts, and checks that it fails with @err and changes nothing visible. */
void krig_convert_fails(struct krig *rig, uint64_t start, uint64_t nr_pages,
			enum gms_shareability to, int err);

#endif /* GMS_TESTS_KVM_RIG_H */
