/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_priv.h - the memory of a guest, and the records that are kept of it
 *
 * What the kernel has been told is kept in records, each changed when the system call that
 * it stands for has succeeded, and at no other time:
 *
 *	private	what the guest sees: the set of private pages
 *	hidden	what the host sees: pages whose touch raises SIGBUS (where the view is cut)
 *	stale	pages whose other side, the one that nobody sees, may hold data (not in place)
 *	unsure	pages of which KVM may have been told otherwise than private says
 *	slots	memslots that exist
 *
 *  K1  Between calls private, hidden and the state object agree, nothing is stale or unsure, and
 *      memslots are the runs of private in what is mapped. What failed and could not be taken back
 *      is the exception: undo, or gms_kvm_sync(), starts from the records and mends it.
 *  K2  A page that is private is hidden. On the way to private the host goes first, on the way
 *      to shared the guest.
 *  K3  No side is shown while it holds data of former times: the side that was left is punched
 *      out when the conversion stands (invalidate_end), or before it is shown again.
 *  K4  What may be seen is not punched out: neither a page that is unsure, nor one in a map whose
 *      memslots are broken, nor (gms_kvm_sync()) one that is quarantined.
 *
 * The files are a chain; a file knows those to its left:
 *
 *	uapi  sys  kvm_priv  probe  host  slots  maps  guest  hooks, sync  kvm
 *
 * probe: which ways there are; host: the host's view, and punching; slots: memslots; maps: what
 * the guest sees where; guest: the guest's view; hooks: what the engine calls; sync: the state
 * object's pages, all of them; kvm: making and freeing. Their functions are called with the lock
 * held.
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
	uint32_t slot_flags;
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

struct gms_kvm_file {
	int fd; /* -1: none */
	uint64_t offset; /* of index 0, in bytes */
	bool theirs; /* the caller's: not closed */
};

struct gms_kvm {
	struct gms_kvm_sys sys;
	struct gms_allocator allocator;
	struct gms_kvm_opts opts;
	enum gms_kvm_way way;
	struct gms_kvm_file shared_file, private_file; /* in place: the first is both */
	struct gms_kvm_file refusing_file; /* whose mappings raise SIGBUS */
	unsigned char *host; /* the host's view */
	unsigned char *window; /* the address of memslots: the view, or KVM's own mapping */
	bool cut; /* private pages are mapped over in the view */
	pthread_mutex_t lock;

	struct gms_rtree *private;
	struct gms_rtree *hidden;
	struct gms_rtree *stale;
	struct gms_rtree *unsure;
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

#endif /* GMS_KVM_PRIV_H */
