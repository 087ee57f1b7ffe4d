/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_priv.h - struct gms_kvm: the memory of a guest, and records of its state in the kernel
 *
 * KVM offers no query for most of that state, so the backend records each change that it makes. If
 * a system call fails, the record is left or put back as it was, or the pages are recorded as
 * unsure. Four records are sets of pages, the fifth is a table:
 *
 *	private	the guest sees the page as private
 *	hidden	a touch of the page in the host's view raises SIGBUS (if kvm->hides is set)
 *	stale	the unused side of the page may hold data (not in place)
 *	unsure	KVM may see the page otherwise than private says
 *	slots	the memslots that exist
 *
 * A page has two sides, the private one and the shared one; in place both are the same memory. The
 * unused side is the side that the page's shareability does not select.
 *
 *  K1  Between calls private, hidden and the state object agree, stale and unsure are empty, and
 *      the slots are what the maps and private call for. After a failure that could not be undone
 *      they may differ. A later undo or gms_kvm_sync() then starts from the records, and repairs
 *      the difference.
 *  K2  A private page is hidden. A conversion to private hides the page from the host before it
 *      changes what the guest sees. A conversion to shared shows the page to the host last.
 *  K3  A side is shown only if it holds nothing from before. So the unused side is punched out at
 *      the end of the conversion (invalidate_end) or, at the latest, before it is shown again.
 *  K4  A side that the guest may still see is not punched out. So nothing is punched for unsure
 *      pages, in a map whose slots are broken, or, by gms_kvm_sync(), for quarantined pages.
 *
 * Files, the lowest first. A file includes only the headers of files that come before it:
 *
 *	uapi	definitions of linux/kvm.h
 *	sys	the system calls
 *	ways	guest_memfds, and the modes that a VM offers
 *	host	the host's view of the memory, and punching
 *	slots	memslots
 *	maps	which pages the guest sees at which gfn
 *	guest	whether the guest sees a page as private or as shared
 *	backend	the hooks that the engine calls: conversions
 *	sync	gms_kvm_sync(): makes all of the memory what a state object says
 *	kvm	creation and destruction
 *	hypercall	the answer to KVM_HC_MAP_GPA_RANGE
 *
 * Locks. gms_kvm.lock protects all members that are declared after it. The members before it are
 * constant from the end of gms_kvm_create() to gms_kvm_destroy(), and are read without the lock.
 * The functions of host.h, slots.h, maps.h and guest.h expect their caller to hold the lock, but
 * not in creation and destruction, which run alone. The lock is taken inside the locks of the
 * state object: the engine holds those when it calls a hook, and gms_kvm_sync() takes them first.
 * Of the VMM's code, the backend calls only stop_vcpus and resume_vcpus under the lock.
 */
#ifndef GMS_KVM_PRIV_H
#define GMS_KVM_PRIV_H

#include "sys.h"

#include <gmemstate/rtree.h>

#include <errno.h>
#include <pthread.h>

/* The guest sees pages [start, end) from gfn on. */
struct gms_kvm_map {
	struct gms_kvm_map *next; /* the map at the next higher index */
	uint64_t gfn;
	gms_pgoff_t start, end;
	uint32_t slot_flags;
	bool gone; /* the VMM has unmapped it, but not all of its slots could be deleted */
	bool broken; /* the slots may differ from what the map and the records call for */
};

struct gms_kvm_slot {
	gms_pgoff_t start, end;
	unsigned int id;
	bool private;
};

/*
 * A conversion between invalidate_begin and invalidate_end. A thread has at most one. The slots
 * that the conversion frees stay reserved for it until its end, because its undo needs them.
 */
struct gms_kvm_txn {
	pthread_t thread;
	uint64_t open; /* calls of invalidate_begin without a matching invalidate_end */
	int64_t now; /* slots in use, minus those in use when the conversion began */
	int64_t peak; /* the largest value that now has had */
};

#define GMS_KVM_NR_TXNS 16 /* as many as a state object has shards */

struct gms_kvm_file {
	int fd; /* -1: none */
	uint64_t offset; /* of index 0, in bytes */
	bool theirs; /* the fd is the VMM's: the backend does not close it */
};

struct gms_kvm {
	struct gms_kvm_sys sys;
	struct gms_allocator allocator;
	struct gms_kvm_opts opts;
	enum gms_kvm_way mode;
	struct gms_kvm_file shared_file, private_file; /* in place shared_file is both */
	struct gms_kvm_file refusing_file; /* a touch of its mappings raises SIGBUS */
	unsigned char *host; /* the host's view */
	unsigned char *window; /* what memslots point to: the host's view, or KVM's own mapping */
	bool hides; /* private pages are hidden by mapping refusing_file over them */

	pthread_mutex_t lock;
	struct gms_rtree *private;
	struct gms_rtree *hidden;
	struct gms_rtree *stale;
	struct gms_rtree *unsure;
	bool torn; /* addresses of the view may be mapped to nothing, whatever hidden says */

	struct gms_kvm_map *maps;
	struct gms_kvm_slot *slots; /* in the order of their indices */
	size_t nr_slots;
	unsigned int *free_ids; /* a stack of the slot numbers that are not in use */
	uint64_t nr_wanted; /* slots that the maps call for; nr_slots if no map is broken */
	bool deferred; /* gms_kvm_sync() re-cuts all slots at once, at the end of its pass */
	struct gms_kvm_txn txns[GMS_KVM_NR_TXNS];
};

#define GMS_KVM_WHY_SLOTS "nr_slots memslots do not suffice"

/* Returns @err, and lets gms_reason() say why. */
static inline int gms_kvm_because(int err, const char *why)
{
	gms_reason_set(why);
	return err;
}

static inline uint64_t gms_kvm_bytes(uint64_t nr_pages)
{
	return nr_pages << GMS_PAGE_SHIFT;
}

static inline enum gms_shareability gms_kvm_other(enum gms_shareability side)
{
	return side == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;
}

static inline int gms_kvm_ioctl(struct gms_kvm *kvm, int fd, unsigned long request, void *arg)
{
	return kvm->sys.ioctl(kvm->sys.ctx, fd, request, arg);
}

#endif /* GMS_KVM_PRIV_H */
