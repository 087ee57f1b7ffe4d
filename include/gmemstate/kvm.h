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
 * vm.max_map_count is a limit, and conversions return -ENOMEM at it. What is quarantined raises
 * SIGBUS, too (in place as far as KVM calls it private). Child processes do not inherit the
 * address, and core dumps leave it out. (With GMS_KVM_HOST all that is the caller's.)
 *
 * By attributes KVM looks for shared pages in a window of its own: a second mapping of the shared
 * memory, which is never changed and which nobody else touches. So hiding a page from the host, or
 * showing one, neither stops a vCPU nor lets KVM_RUN fail. The window costs addresses, one
 * mapping, and page tables for the shared pages that the guest has touched: 8 bytes for each.
 *
 * gfn and index. The host's view and the window begin at a multiple of 2M; of 1G, where the memory
 * is 1G or more. KVM maps a memslot by 2M (1G) only where gfn and address agree modulo 2M (1G).
 * Else it maps all of that memslot by 4K, private memory included, and says nothing. So in
 * gms_kvm_map() gfn and index should agree modulo 512 (2^18) pages.
 *
 * Who holds references to a page, KVM knows in place only, and answers -EAGAIN. Else whoever has
 * pages pinned must be a listener (listener.h), or have the state object told by gms_pin().
 * Allocation is the kernel's, and gms_allocate() and gms_punch_hole() do not reach it. Nor do
 * attributes, inhibits and the max_order of faults: KVM picks its own mapping sizes.
 *
 * The hooks take turns: conversions in different shards do not run side by side here.
 *
 *	gms_kvm_create(&opts, &kvm);
 *	state_opts.backend = gms_kvm_backend();
 *	state_opts.backend_ctx = kvm;
 *	gms_state_create(&state_opts, &state);      or gms_snapshot_load()
 *	gms_kvm_sync(kvm, state);                   KVM and the mappings are as the state says
 *	gms_kvm_map(kvm, gfn, start, nr_pages);     the guest sees it
 *
 * Where the state begins private, or comes from a snapshot, create the memory with
 * GMS_KVM_INIT_PRIVATE: then no page is visible to the host before gms_kvm_sync(). (In a
 * guest_memfd of the caller's, in place, the host sees until then what KVM was told before.)
 *
 * After a quarantine: gms_repair(), which makes the memory what the pages are to be before the
 * state says so. gms_kvm_sync() then puts back what the failure took elsewhere.
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
 * GMS_KVM_INIT_PRIVATE - all of the memory begins private, and hidden from the host
 *
 * For a state object that is created with GMS_INIT_PRIVATE or loaded from a snapshot.
 */
#define GMS_KVM_INIT_PRIVATE (1U << 0)

/**
 * GMS_KVM_GUEST_MEMFD - use a guest_memfd of the caller's; in place and by attributes
 *
 * In place: a guest_memfd that can be mapped. gms_kvm_sync() tells it the state of every page,
 * whatever was true before. By attributes: the private memory.
 */
#define GMS_KVM_GUEST_MEMFD (1U << 1)

/**
 * GMS_KVM_SHARED_FD - the shared memory is a file of the caller's; by attributes
 *
 * A memfd, or a file of a tmpfs or hugetlbfs. Other mappings of the file are the caller's to mind:
 * nothing is hidden there. A mapping of hugetlbfs cannot be changed page by page: there what is
 * said of GMS_KVM_HOST holds, but for whose the mapping is; and the memory must be whole huge
 * pages.
 */
#define GMS_KVM_SHARED_FD (1U << 2)

/**
 * GMS_KVM_HOST - the shared memory is a mapping of the caller's; by attributes
 *
 * Anonymous or shared, huge pages or not, bound to nodes or not. gms_kvm_host() returns its
 * address, which KVM's memslots have, too. It is neither mapped over nor unmapped. So a private
 * page is not hidden there: a touch raises no SIGBUS. The private memory itself is in the
 * guest_memfd, out of the host's reach; what the host reads is the shared side, which was
 * discarded and holds 0, and what it writes there is lost, or found when the page is shared
 * again. A discarded part of a huge page is filled with 0, but stays allocated.
 */
#define GMS_KVM_HOST (1U << 3)

/**
 * struct gms_kvm_opts - how to make one
 * @struct_size: sizeof(struct gms_kvm_opts). A smaller one, down to the end of @nr_slots, is
 *               accepted: what it does not have is 0. A larger one is where all that this
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
 *              replaced would see an MMIO exit). Calls nest. Called in conversions and by
 *              gms_kvm_sync(), with locks held: a vCPU's thread that is elsewhere, perhaps waiting
 *              in gms_convert(), must count as stopped. NULL: the caller sees to it, as a VMM
 *              with one vCPU that asks for the conversion does
 * @resume_vcpus: see there; both or none
 * @ctx: passed to both
 * @flags: GMS_KVM_INIT_PRIVATE, and those of GMS_KVM_GUEST_MEMFD, GMS_KVM_SHARED_FD and
 *         GMS_KVM_HOST whose members are to be used; of the last two one at most
 * @guest_memfd: the guest_memfd; stays the caller's, and may be closed after gms_kvm_destroy()
 * @guest_memfd_offset: in bytes, a multiple of 4096: where index 0 is. Where it is no multiple of
 *                      2M, there are no mappings of 2M for private memory
 * @shared_fd: the file, of which the memory must lie within its size; stays the caller's, too
 * @shared_offset: as @guest_memfd_offset, for shared memory
 * @host: address of index 0, a multiple of 4096; all pages follow. Where gfn and address do not
 *        agree modulo 2M, KVM maps by 4K only, private memory, too
 *
 * What the caller's files and mappings hold is kept: nothing is discarded before a conversion.
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
	unsigned int flags;
	int guest_memfd;
	uint64_t guest_memfd_offset;
	int shared_fd;
	uint64_t shared_offset;
	void *host;
};

/* clang-format off */
#define GMS_KVM_OPTS_INIT                                                            \
	{                                                                            \
		sizeof(struct gms_kvm_opts), -1, GMS_KVM_ANY, 0, 0, 0, NULL, NULL, NULL, \
		0, -1, 0, -1, 0, NULL                                                \
	}
/* clang-format on */

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
 * All of it is shared, or with GMS_KVM_INIT_PRIVATE private; none is allocated, and the guest
 * sees none.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: a bad size, offset, address, way, set of slots (also one that this VM does
 * not have) or unknown option, or a flag that the way cannot follow; -EOPNOTSUPP: the VM does not
 * have this way, or none that can follow the flags; -ENOMEM; what the kernel returned.
 */
GMS_API int gms_kvm_create(const struct gms_kvm_opts *opts, struct gms_kvm **kvm);

/**
 * gms_kvm_destroy() - free it
 * @kvm: the memory; NULL is allowed
 *
 * The guest's memslots go, then the host's address.
 *
 * KVM may refuse to delete a memslot (-ENOMEM). Then the guest goes on seeing the pages of those
 * that are left, and nothing that they point to is unmapped, closed or freed. @kvm stays
 * valid, for another gms_kvm_destroy() and for nothing else.
 *
 * Context: No vCPU is running, nobody uses it, and the state object is gone. May sleep.
 * Return: 0: all of it is gone; -ENOMEM, or what else the kernel returned: @kvm is not.
 */
GMS_API int gms_kvm_destroy(struct gms_kvm *kvm);

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
 * Return: the address of page 0; all pages follow. To touch a private one raises SIGBUS, but see
 * GMS_KVM_HOST.
 */
GMS_API void *gms_kvm_host(const struct gms_kvm *kvm);

/**
 * gms_kvm_map() - let the guest see pages
 * @kvm: the memory
 * @gfn: of the first page, in pages of 4 KiB; should agree with @start modulo 512, and modulo
 *       2^18 where the memory is 1G or more: see above
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the memory
 *
 * The library's gms_bind() is a matter of its own: it is told of the same three numbers.
 *
 * Context: No conversion is under way. May sleep.
 * Return: 0; -EINVAL: a range is empty, wraps or passes the end; -EEXIST: a gfn or a page of it is
 * mapped already, or in a memslot of the caller's; -ENOSPC: there are not enough memslots; -ENOMEM;
 * what the kernel returned (-EINVAL: longer than a memslot may be). On failure nothing is mapped,
 * unless KVM refuses to delete again a memslot that was made: the guest sees that part until the
 * next call that maps, unmaps or syncs deletes it.
 */
GMS_API int gms_kvm_map(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_kvm_map_flags() - let the guest see pages, by memslots with flags
 * @kvm: the memory
 * @gfn: as of gms_kvm_map()
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the memory
 * @slot_flags: 0, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, or both
 *
 * The flags are KVM's (linux/kvm.h), and go to all memslots of this range. KVM refuses both flags
 * for memslots with a guest_memfd, as all of these are, up to Linux 6.18 at least: its -EINVAL
 * is passed on.
 *
 * Context: No conversion is under way. May sleep.
 * Return: as gms_kvm_map(); -EINVAL: another flag, too.
 */
GMS_API int gms_kvm_map_flags(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start,
			      uint64_t nr_pages, uint32_t slot_flags);

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
 * For a state that was created private, or loaded from a snapshot. It also puts back what a
 * call that failed had to leave: after a quarantine memslots beside the range may be missing, and
 * an address of the host's view may be mapped to nothing.
 *
 * All that is private is hidden from the host before anything else is looked at, so that it is
 * hidden also where this fails later. Quarantined pages are hidden, too; what the guest sees
 * of them stays, and what they hold.
 *
 * Context: Takes gms_lock_shared() on all of @state: waits for conversions, and lets none begin.
 * May sleep.
 * Return: 0; -EINVAL: the sizes differ; -EDEADLK: as of gms_lock_shared(): called from inside a
 * hook, say; -ENOSPC: there are not enough memslots; -ENOMEM; what the kernel returned: some pages
 * may have been converted, and the call may be made again.
 */
GMS_API int gms_kvm_sync(struct gms_kvm *kvm, const struct gms_state *state);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_KVM_H */
