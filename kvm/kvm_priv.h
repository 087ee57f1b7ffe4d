/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_priv.h - inside the backend for KVM
 *
 * What the kernel has been told is kept in records, each changed when the system call that
 * it stands for has succeeded, and at no other time:
 *
 *	private	what the guest sees: the set of private pages
 *	hidden	what the host sees: pages whose touch raises SIGBUS (not in place)
 *	stale	pages whose other side, the one that nobody sees, may hold data (not in place)
 *	slots	memslots that exist
 *
 *  K1  Between calls private, hidden and the state object agree, nothing is stale, and memslots
 *      are the runs of private in what is mapped. What failed and could not be taken back is
 *      the exception: undo, or gms_kvm_sync(), starts from the records and mends it.
 *  K2  A page that is private is hidden. On the way to private the host goes first, on the way
 *      to shared the guest.
 *  K3  No side is shown while it holds data of former times: the side that was left is punched
 *      out when the conversion stands (invalidate_end), or before it is shown again.
 *
 * Modules: probe (which ways there are), host (the host's view), slots (memslots), maps (what
 * the guest sees where), guest (the guest's view), convert (the hooks), sync (the state
 * object's pages, all of them), kvm (making and freeing).
 * All that is below is called with the lock held.
 */
#ifndef GMS_KVM_PRIV_H
#define GMS_KVM_PRIV_H

#include "sys.h"

#include <gmemstate/rtree.h>

#include <errno.h>
#include <pthread.h>

/* A range of pages and where the guest sees it. */
struct gms_kvm_map {
	struct gms_kvm_map *next; /* at a higher index */
	uint64_t gfn;
	gms_pgoff_t start, end;
	bool gone; /* unmapped, but for slots that could not be deleted */
	bool broken; /* its slots are not what they should be */
};

struct gms_kvm_slot {
	gms_pgoff_t start, end;
	unsigned int id;
	bool private;
};

/*
 * A conversion that is under way: a thread has one at most. What slots it has given back are kept
 * for it until it ends, as its undo needs them again.
 */
struct gms_kvm_txn {
	pthread_t thread;
	uint64_t open; /* invalidate_begin without an invalidate_end */
	int64_t now, peak; /* slots that it uses more than at its start: now, at most */
};

#define GMS_KVM_NR_TXNS 16 /* one for each shard of a state object */

struct gms_kvm {
	struct gms_kvm_sys sys;
	struct gms_allocator allocator;
	struct gms_kvm_opts opts;
	enum gms_kvm_way way;
	int shared_fd, private_fd; /* in place: the one, and -1 */
	int refusing_fd; /* whose mappings raise SIGBUS */
	unsigned char *host;
	pthread_mutex_t lock;

	struct gms_rtree *private;
	struct gms_rtree *hidden;
	struct gms_rtree *stale;
	bool torn; /* until gms_kvm_sync(): a mapping was lost, what hidden says is mapped may not be */

	struct gms_kvm_map *maps;
	struct gms_kvm_slot *slots; /* by index */
	size_t nr_slots;
	unsigned int *free_ids; /* those that are not in slots; the next is the last one */
	uint64_t nr_wanted; /* slots that the maps call for; differs from nr_slots where broken */
	bool deferred; /* slots are re-cut later, all at once */
	struct gms_kvm_txn txns[GMS_KVM_NR_TXNS];
};

static inline uint64_t gms_kvm_bytes(uint64_t nr_pages)
{
	return nr_pages << GMS_PAGE_SHIFT;
}

static inline enum gms_shareability gms_kvm_other(enum gms_shareability of)
{
	return of == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;
}

static inline int gms_kvm_ioctl(struct gms_kvm *kvm, int fd, unsigned long request, void *arg)
{
	return kvm->sys.ioctl(kvm->sys.ctx, fd, request, arg);
}

/* ---- probe.c ---- */

/* A guest_memfd. The fd, or -errno. */
int gms_kvm_guest_memfd(const struct gms_kvm_sys *sys, int vm_fd, uint64_t nr_pages,
			uint64_t flags);

/* ---- host.c ---- */

/* Show a range to the host, or make a touch of it raise SIGBUS; the first time: make the view. */
int gms_kvm_host_init(struct gms_kvm *kvm);
int gms_kvm_host_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden);

/* Punch out one side of a range. */
int gms_kvm_punch(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		  enum gms_shareability side);

/* Punch out what nobody sees. What cannot be done now stays stale. */
void gms_kvm_host_clean(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end);

/* ---- slots.c ---- */

/* How many slots a range of a map calls for. */
uint64_t gms_kvm_count_wanted(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			      gms_pgoff_t start, gms_pgoff_t end);

/*
 * Make the slots of a map what the records say, in the range and at its edges. Where that
 * fails the map is broken.
 */
int gms_kvm_recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end);

/* The same for all of the maps that are broken: no slot is made before all have gone. */
int gms_kvm_recut_broken(struct gms_kvm *kvm);

/* May @more slots be used by this thread? They are counted by the second call. */
bool gms_kvm_slots_left(struct gms_kvm *kvm, int64_t more);
void gms_kvm_slots_add(struct gms_kvm *kvm, int64_t more);

void gms_kvm_txn_begin(struct gms_kvm *kvm);
void gms_kvm_txn_end(struct gms_kvm *kvm);

void gms_kvm_stop_vcpus(struct gms_kvm *kvm);
void gms_kvm_resume_vcpus(struct gms_kvm *kvm);

/* ---- maps.c ---- */

/* The first map that ends after @at; NULL: there is none. */
struct gms_kvm_map *gms_kvm_map_after(const struct gms_kvm *kvm, gms_pgoff_t at);

/* Delete what is left of maps that are gone. */
int gms_kvm_sweep(struct gms_kvm *kvm);

void gms_kvm_maps_fini(struct gms_kvm *kvm);

/* ---- guest.c ---- */

/* The attributes of a range of a map, in the VM. */
int gms_kvm_set_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
			   gms_pgoff_t end, enum gms_shareability to);

/*
 * Show a range to the guest as @to. @keep: it is shown again, with what is in it. On failure
 * *@failed, where not NULL, is set where the kernel names a page; and what was done before
 * stays done, and is recorded.
 */
int gms_kvm_guest_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		      enum gms_shareability to, bool keep, gms_pgoff_t *failed);

/* Will there be enough slots for that? Asked first: then nothing has to be taken back. */
bool gms_kvm_guest_room(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
			enum gms_shareability to);

#endif /* GMS_KVM_PRIV_H */
