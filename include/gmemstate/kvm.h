/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/kvm.h - real memory behind a state object: guest_memfd on Linux's KVM
 *
 * A library of its own (libgmemstate_kvm), for VMMs. It is a backend (backend.h): a conversion of
 * the state becomes a conversion of the guest's memory, in one of three ways, by what the
 * kernel offers:
 *
 *  in place      KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd. One memory for both sides
 *  attributes    KVM_SET_MEMORY_ATTRIBUTES on the VM (KVM_SW_PROTECTED_VM, SEV-SNP, TDX): a
 *                guest_memfd for what is private, a memfd for what is shared; the side that is
 *                left is punched out
 *  memslots      neither: two guest_memfds, one of them private, one shared, and the memslots
 *                re-cut at each conversion so that the guest sees the right one
 *
 * In the last two the page that the other side sees afterwards is a new one, filled with 0. (With
 * KVM_SW_PROTECTED_VM and by memslots a conversion that fails leaves all pages with what they held,
 * unless it is quarantined, or a listener refused. TDX, and SNP in place, give up a private page as
 * soon as it is shared: after an undo the guest finds it empty, and not accepted.)
 *
 * The host sees all of the object at one address, gms_kvm_host(); to touch a page there that is
 * private raises SIGBUS. There each run of equal pages is a mapping of the process, but in place:
 * vm.max_map_count is a limit, and conversions return -ENOMEM at it.
 *
 * Who holds references to a page, KVM knows in place only, and answers -EAGAIN. Else whoever has
 * pages pinned must be a listener (listener.h), or have the state object told by gms_pin().
 * Allocation is the kernel's, and gms_allocate() and gms_punch_hole() do not reach it. Nor do
 * attributes, inhibits and the max_order of faults: KVM picks its own mapping sizes. What is
 * quarantined stays mapped as it was.
 *
 * The hooks take turns: conversions in different shards do not run side by side here. By attributes
 * a vCPU that touches a page as shared while that is being converted may leave KVM_RUN with
 * -EFAULT and no KVM_EXIT_MEMORY_FAULT, as the host's mapping, through which KVM finds shared
 * pages, is not there for a moment: wait for the conversion (gms_lock_shared() will do), and
 * run it again.
 *
 *	gms_kvm_create(&opts, &kvm);
 *	state_opts.backend = gms_kvm_backend();
 *	state_opts.backend_ctx = kvm;
 *	gms_state_create(&state_opts, &state);      or gms_snapshot_load()
 *	gms_kvm_sync(kvm, state);                   KVM and the mappings are as the state says
 *	gms_kvm_map(kvm, gfn, start, nr_pages);     the guest sees it
 *
 * Teardown goes the other way: gms_state_destroy(), gms_kvm_destroy().
 */
#ifndef GMEMSTATE_KVM_H
#define GMEMSTATE_KVM_H

#include <gmemstate/state.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum gms_kvm_way - how memory is converted
 * @GMS_KVM_ANY: the first that the kernel offers
 * @GMS_KVM_IN_PLACE: see above
 * @GMS_KVM_ATTRIBUTES: see above
 * @GMS_KVM_MEMSLOTS: see above
 */
enum gms_kvm_way {
	GMS_KVM_ANY = 0,
	GMS_KVM_IN_PLACE = 1,
	GMS_KVM_ATTRIBUTES = 2,
	GMS_KVM_MEMSLOTS = 3,
};

struct gms_kvm;

/**
 * struct gms_kvm_opts - how to make one
 * @struct_size: sizeof(struct gms_kvm_opts); a larger one is accepted where all that this
 *               library does not know is 0
 * @vm_fd: of KVM_CREATE_VM; stays the caller's, and open until gms_kvm_destroy()
 * @way: GMS_KVM_ANY, or the one that is wanted
 * @nr_pages: size in pages, as the state object's
 * @first_slot: number of the first memslot that is the backend's to use
 * @nr_slots: how many there are, at least 1, at most as many as KVM_CAP_NR_MEMSLOTS leaves. One
 *            suffices for each gms_kvm_map(), but for GMS_KVM_MEMSLOTS, which needs one for each
 *            run of equal pages in it
 * @stop_vcpus: GMS_KVM_MEMSLOTS, called before memslots are re-cut: no vCPU may be in KVM_RUN from
 *              its return until @resume_vcpus (a vCPU that touches a page whose slot is being
 *              replaced would see an MMIO exit). Calls nest. Called in conversions, with locks
 *              held: a vCPU's thread that is elsewhere, perhaps waiting in gms_convert(), must
 *              count as stopped. NULL: the caller sees to it, as
 *              a VMM with one vCPU that asks for the conversion does
 * @resume_vcpus: see there; both or none
 * @ctx: passed to both
 */
struct gms_kvm_opts {
	size_t struct_size;
	int vm_fd;
	enum gms_kvm_way way;
	uint64_t nr_pages;
	unsigned int first_slot;
	unsigned int nr_slots;
	void (*stop_vcpus)(void *ctx);
	void (*resume_vcpus)(void *ctx);
	void *ctx;
};

#define GMS_KVM_OPTS_INIT                                                               \
	{                                                                               \
		sizeof(struct gms_kvm_opts), -1, GMS_KVM_ANY, 0, 0, 0, NULL, NULL, NULL \
	}

/**
 * gms_kvm_ways() - which ways a VM has
 * @vm_fd: of KVM_CREATE_VM
 *
 * Context: Any.
 * Return: a set of bits, 1 << way; 0: none, or @vm_fd is no VM.
 */
GMS_API unsigned int gms_kvm_ways(int vm_fd);

/**
 * gms_kvm_way_name() - a name for the user
 * @way: the way
 *
 * Context: Any.
 * Return: "in place", "attributes", "memslots"; "none" for another @way.
 */
GMS_API const char *gms_kvm_way_name(enum gms_kvm_way way);

/**
 * gms_kvm_create() - make memory for a guest
 * @opts: how
 * @kvm: where to store it; written on success only
 *
 * All of it is shared, none is allocated, and the guest sees none.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: a bad size, way, set of slots (also one that this VM does not have) or
 * unknown option; -EOPNOTSUPP: the VM does
 * not have this way, or none; -ENOMEM; what the kernel returned.
 */
GMS_API int gms_kvm_create(const struct gms_kvm_opts *opts, struct gms_kvm **kvm);

/**
 * gms_kvm_destroy() - free it
 * @kvm: the memory; NULL is allowed
 *
 * The guest's memslots go, and the host's address.
 *
 * Context: No vCPU is running, nobody uses it, and the state object is gone.
 */
GMS_API void gms_kvm_destroy(struct gms_kvm *kvm);

/**
 * gms_kvm_backend() - the hooks for struct gms_state_opts; their ctx is the struct gms_kvm
 *
 * Context: Any.
 * Return: the hooks.
 */
GMS_API const struct gms_backend_ops *gms_kvm_backend(void);

/**
 * gms_kvm_get_way() - which way was picked
 * @kvm: the memory
 *
 * Context: Any.
 * Return: the way.
 */
GMS_API enum gms_kvm_way gms_kvm_get_way(const struct gms_kvm *kvm);

/**
 * gms_kvm_host() - where the host sees the memory
 * @kvm: the memory
 *
 * Context: Any.
 * Return: the address of page 0; all pages follow. To touch a private one raises SIGBUS.
 */
GMS_API void *gms_kvm_host(const struct gms_kvm *kvm);

/**
 * gms_kvm_map() - let the guest see pages
 * @kvm: the memory
 * @gfn: of the first page, in pages of 4 KiB
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the memory
 *
 * The library's gms_bind() is a matter of its own: it is told of the same three numbers.
 *
 * Context: No conversion is under way. May sleep.
 * Return: 0; -EINVAL: a range is empty, wraps or passes the end; -EEXIST: a gfn or a page of it is
 * mapped already, or in a memslot of the caller's; -ENOSPC: there are not enough memslots; -ENOMEM;
 * what the kernel returned (-EINVAL: longer than a memslot may be). On failure nothing has changed.
 */
GMS_API int gms_kvm_map(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_kvm_unmap() - take away what gms_kvm_map() let the guest see
 * @kvm: the memory
 * @gfn: as given to gms_kvm_map()
 *
 * Context: No conversion is under way. May sleep.
 * Return: 0; -ENOENT: nothing was mapped there; what the kernel returned: it is still mapped,
 * but gms_kvm_sync() may have to put back what the guest sees.
 */
GMS_API int gms_kvm_unmap(struct gms_kvm *kvm, uint64_t gfn);

/**
 * gms_kvm_sync() - make the memory what a state object says
 * @kvm: the memory
 * @state: the object, of the same size
 *
 * For a state that was created private, or loaded from a snapshot, or repaired. Also puts back what
 * a conversion that was quarantined had to leave: memslots beside it may be missing, too.
 *
 * To be called, too, when a conversion was quarantined for want of mappings (-ENOMEM): an address
 * in its range may be mapped to nothing until then.
 *
 * Context: No conversion is under way. May sleep.
 * Return: 0; -EINVAL: the sizes differ; -ENOSPC: there are not enough memslots; -ENOMEM; what the
 * kernel returned: some pages may have been converted, and the call may be made again.
 */
GMS_API int gms_kvm_sync(struct gms_kvm *kvm, const struct gms_state *state);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_KVM_H */
