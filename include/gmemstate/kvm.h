/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/kvm.h - real memory behind a state object: guest_memfd on Linux's KVM
 *
 * This header belongs to a library of its own (libgmemstate_kvm), for VMMs. The library is a
 * backend (backend.h): a conversion of the state becomes a conversion of the guest's memory.
 *
 * Usage. All memory is private at first, and the guest converts it by KVM_HC_MAP_GPA_RANGE. The
 * VMM has enabled that exit, opened vm_fd and vcpu_fd, and mapped run. kvm and state are NULL at
 * first. A VM with several vCPUs that is converted by memslots also needs stop_vcpus and
 * resume_vcpus.
 *
 *	struct gms_kvm_opts mem = GMS_KVM_OPTS_INIT;
 *	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
 *
 *	mem.vm_fd = vm_fd;
 *	mem.nr_pages = opts.nr_pages = nr_pages;
 *	mem.first_slot = 16;
 *	mem.nr_slots = 1024;
 *	mem.flags = GMS_KVM_INIT_PRIVATE;
 *	opts.flags = GMS_INIT_PRIVATE;
 *	err = gms_kvm_create(&mem, &kvm);
 *	opts.backend = gms_kvm_backend();
 *	opts.backend_ctx = kvm;
 *	err = err ? err : gms_state_create(&opts, &state);
 *	err = err ? err : gms_kvm_map(kvm, gfn, 0, nr_pages);
 *	err = err ? err : gms_bind(state, gfn, 0, nr_pages, &id);
 *	while (!err && !ioctl(vcpu_fd, KVM_RUN, 0) &&
 *	       run->exit_reason == KVM_EXIT_HYPERCALL &&
 *	       run->hypercall.nr == KVM_HC_MAP_GPA_RANGE) {
 *		const __u64 *args = run->hypercall.args;
 *		enum gms_shareability to = GMS_SHARED;
 *
 *		if (args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED)
 *			to = GMS_PRIVATE;
 *		run->hypercall.ret = gms_kvm_hypercall_ret(
 *			gms_convert_gfn(state, args[0] >> 12, args[1], to, 0, NULL));
 *	}
 *	gms_state_destroy(state);
 *	gms_kvm_destroy(kvm);
 *
 * For a state from a snapshot, create the memory with GMS_KVM_INIT_PRIVATE, call
 * gms_snapshot_load() instead of gms_state_create(), and then gms_kvm_sync(). Before the sync the
 * host sees no page.
 *
 * Modes. The kernel offers one or more of three modes of conversion. The names of this header
 * call a mode a way.
 *
 *  in place      KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd converts its pages. Private and
 *                shared pages are in this one memory.
 *  attributes    KVM_SET_MEMORY_ATTRIBUTES on the VM (KVM_SW_PROTECTED_VM, SEV-SNP, TDX). A page
 *                has two sides: a private one in a guest_memfd, and a shared one in a memfd. The
 *                side that is not in use is punched out.
 *  memslots      The kernel needs neither ioctl. The private sides are in one guest_memfd, and
 *                the shared sides in another one. Each conversion re-cuts the memslots, so that
 *                the guest sees the side in use. A conversion that needs more memslots than
 *                nr_slots returns -ENOSPC.
 *
 * Contents. In place a page keeps what it holds, as far as the architecture allows. In the other
 * modes a converted page holds 0. A conversion that fails leaves the contents of all pages as they
 * were, with three exceptions:
 *
 *  - the pages are quarantined;
 *  - a listener refused a conversion to shared, which was made and then undone;
 *  - TDX, and SNP in place, free a private page when it is shared. After the undo the guest finds
 *    the page empty, and has to accept it again.
 *
 * The host's view. The host sees all of the object at one address, gms_kvm_host(). A touch of a
 * private or quarantined page there raises SIGBUS, with two exceptions. In place a quarantined
 * page raises it only if KVM sees the page as private. With GMS_KVM_HOST, and with
 * GMS_KVM_SHARED_FD on hugetlbfs, the view hides nothing. Child processes do not inherit the view,
 * and core dumps leave it out. By attributes and by memslots each run of pages of one shareability
 * is a mapping of the process. vm.max_map_count limits the mappings of a process: at the limit a
 * conversion returns -ENOMEM.
 *
 * The window. By attributes KVM reads shared pages through a second mapping of the shared memory,
 * the window. The window never changes, and only KVM uses it. So a change of the host's view
 * neither stops a vCPU nor makes KVM_RUN fail. The window costs addresses, one mapping, and 8
 * bytes of page tables for each shared page that the guest has touched.
 *
 * Huge mappings. KVM maps a memslot by 2M (1G) only if gfn and address agree modulo 2M (1G). If
 * they disagree, KVM maps all of the memslot by 4K, private memory included, and reports nothing.
 * The host's view and the window begin at a multiple of 2M; of 1G if the memory is 1G or more. So
 * gfn and index of gms_kvm_map() should agree modulo 512 (2^18) pages.
 *
 * Limits:
 *
 *  - In place KVM knows the references to pages, and a conversion of a page with a reference
 *    returns -EAGAIN. In the other modes each user of a page has to be a listener (listener.h), or
 *    has to call gms_pin().
 *  - The kernel allocates the memory: gms_allocate() and gms_punch_hole() change the state, and
 *    not the memory. KVM picks the sizes of its mappings: attributes, inhibits and the max_order
 *    of faults have no effect on them.
 *  - One lock serialises the hooks, so conversions in different shards take turns here.
 *
 * After a quarantine. gms_repair() makes the pages private or shared, first in the memory and then
 * in the state. A gms_kvm_sync() after it repairs what the failure left outside of the range: a
 * missing memslot, or an address of the host's view without a mapping.
 */
#ifndef GMEMSTATE_KVM_H
#define GMEMSTATE_KVM_H

#include <gmemstate/state.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum gms_kvm_way - a mode of conversion
 * @GMS_KVM_ANY: in options, the first of the modes below that the kernel offers
 * @GMS_KVM_IN_PLACE: KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd
 * @GMS_KVM_ATTRIBUTES: KVM_SET_MEMORY_ATTRIBUTES on the VM
 * @GMS_KVM_MEMSLOTS: two guest_memfds, and memslots that are re-cut
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
 * For a state object that is created with GMS_INIT_PRIVATE or loaded from a snapshot. There is one
 * exception: in place, in a guest_memfd of the caller's, the host sees the pages that the caller
 * had made shared before, until gms_kvm_sync().
 */
#define GMS_KVM_INIT_PRIVATE (1U << 0)

/**
 * GMS_KVM_GUEST_MEMFD - use a guest_memfd of the caller's; in place and by attributes
 *
 * In place the guest_memfd is all of the memory, and must allow mmap(). gms_kvm_sync() converts
 * each of its pages, because the backend cannot know what the pages were before. By attributes the
 * guest_memfd holds the private sides.
 */
#define GMS_KVM_GUEST_MEMFD (1U << 1)

/**
 * GMS_KVM_SHARED_FD - the shared memory is a file of the caller's; by attributes
 *
 * The file is a memfd, or is in a tmpfs or hugetlbfs. The backend hides nothing in other mappings
 * of the file. A mapping of hugetlbfs cannot be changed page by page. So there a touch of a
 * private page raises no SIGBUS (see GMS_KVM_HOST), and the memory must be whole huge pages.
 */
#define GMS_KVM_SHARED_FD (1U << 2)

/**
 * GMS_KVM_HOST - the shared memory is a mapping of the caller's; by attributes
 *
 * The mapping may be anonymous or shared, of huge pages, and bound to nodes. gms_kvm_host()
 * returns its address, and KVM's memslots point to it. The backend never replaces or unmaps any
 * of it. So a touch of a private page raises no SIGBUS. The guest's private pages are in the
 * guest_memfd, out of the host's reach: the host reads the shared side of the page, which was
 * discarded and holds 0. If the host writes there, the data is lost, or the guest finds it when
 * the page is shared again. A discarded part of a huge page is filled with 0, and stays allocated.
 */
#define GMS_KVM_HOST (1U << 3)

/**
 * struct gms_kvm_opts - options of gms_kvm_create()
 * @struct_size: sizeof(struct gms_kvm_opts). A smaller struct is accepted if it contains at least
 *               @nr_slots; the fields that it lacks count as 0. A larger struct is accepted if all
 *               bytes that this library does not know are 0
 * @vm_fd: the fd of KVM_CREATE_VM. The caller closes it, after gms_kvm_destroy()
 * @way: the mode, or GMS_KVM_ANY
 * @nr_pages: the size in pages, that of the state object
 * @first_slot: the number of the first memslot that the backend may use. The caller must use none
 *              of the numbers from here to @first_slot + @nr_slots - 1
 * @nr_slots: how many memslots the backend may use: at least 1, at most what KVM_CAP_NR_MEMSLOTS
 *            leaves. Each gms_kvm_map() needs one. By memslots, it needs one for each run of pages
 *            of one shareability, and a conversion that needs more returns -ENOSPC
 * @stop_vcpus: by memslots, called before memslots are re-cut. No vCPU may be in KVM_RUN between
 *              the return of @stop_vcpus and the call of @resume_vcpus: a vCPU that touches a page
 *              whose memslot is being replaced gets an MMIO exit. Calls may nest. They come from
 *              conversions and from gms_kvm_sync(), with locks held: a vCPU's thread outside of
 *              KVM_RUN, even one that waits in gms_convert(), must count as stopped. NULL: the
 *              caller guarantees that no vCPU is in KVM_RUN then, for example with one vCPU whose
 *              thread makes all conversions
 * @resume_vcpus: called after memslots were re-cut. NULL if and only if @stop_vcpus is NULL
 * @ctx: passed to @stop_vcpus and @resume_vcpus
 * @flags: any of GMS_KVM_INIT_PRIVATE, GMS_KVM_GUEST_MEMFD, GMS_KVM_SHARED_FD and GMS_KVM_HOST.
 *         The last three use the fields below, and the last two exclude each other
 * @guest_memfd: the guest_memfd. The caller closes it, after gms_kvm_destroy()
 * @guest_memfd_offset: the offset of index 0, in bytes, a multiple of 4096. If it is no multiple
 *                      of 2M, KVM does not map private memory by 2M
 * @shared_fd: the file. Its size is at least @shared_offset plus the size of the memory. The
 *             caller closes it, after gms_kvm_destroy()
 * @shared_offset: the offset of index 0, in bytes, a multiple of 4096
 * @host: the address of index 0, a multiple of 4096; all pages follow. If gfn and address disagree
 *        modulo 2M, KVM maps by 4K only, private memory included
 *
 * The backend discards nothing in the caller's files and mappings before the first conversion.
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
 * gms_kvm_ways() - find out which modes a VM offers
 * @vm_fd: the fd of KVM_CREATE_VM
 *
 * Context: Any.
 * Return: a set of bits, 1 << mode; 0 if the VM offers none, or @vm_fd is no VM.
 */
GMS_API unsigned int gms_kvm_ways(int vm_fd);

/**
 * gms_kvm_way_name() - return the name of a mode, for messages
 * @mode: the mode
 *
 * Context: Any.
 * Return: "in place", "attributes", "memslots"; "none" for any other @mode.
 */
GMS_API const char *gms_kvm_way_name(enum gms_kvm_way mode);

/**
 * gms_kvm_create() - create memory for a guest
 * @opts: the options
 * @kvm: where to store the memory; written on success only
 *
 * All of the memory is shared at first, or private with GMS_KVM_INIT_PRIVATE. The call allocates
 * none of the pages, and the guest sees none of them before gms_kvm_map().
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: @vm_fd is not set, a bad size, offset, address, mode or set of slots, slots
 * that this VM does not have, an unknown option, or a flag that the mode does not support;
 * -EOPNOTSUPP: the VM does not offer the mode, or offers none that supports the flags, or @vm_fd
 * is no VM; -ENOMEM; what the kernel returned. gms_reason() says which.
 */
GMS_API int gms_kvm_create(const struct gms_kvm_opts *opts, struct gms_kvm **kvm);

/**
 * gms_kvm_destroy() - destroy the memory
 * @kvm: the memory; NULL is allowed
 *
 * Deletes the guest's memslots first, then unmaps the host's view.
 *
 * KVM may refuse to delete a memslot (-ENOMEM). Then the guest still sees the pages of that
 * memslot, and nothing that the memslot points to is unmapped, closed or freed. @kvm stays valid
 * for another gms_kvm_destroy(), and for nothing else.
 *
 * Context: No vCPU is running, no other thread uses @kvm, and the state object was destroyed. May
 * sleep.
 * Return: 0; -ENOMEM; what else the kernel returned. After a failure the memory is not destroyed,
 * and the call has to be repeated.
 */
GMS_API int gms_kvm_destroy(struct gms_kvm *kvm);

/**
 * gms_kvm_backend() - return the hooks for struct gms_state_opts; their ctx is the struct gms_kvm
 *
 * Context: Any.
 * Return: the hooks.
 */
GMS_API const struct gms_backend_ops *gms_kvm_backend(void);

/**
 * gms_kvm_get_way() - return the mode in which a memory is converted
 * @kvm: the memory
 *
 * Context: Any.
 * Return: the mode, never GMS_KVM_ANY.
 */
GMS_API enum gms_kvm_way gms_kvm_get_way(const struct gms_kvm *kvm);

/**
 * gms_kvm_host() - return the address at which the host sees the memory
 * @kvm: the memory
 *
 * Context: Any.
 * Return: the address of page 0; all pages follow. A touch of a private page raises SIGBUS; see
 * GMS_KVM_HOST and GMS_KVM_SHARED_FD for exceptions.
 */
GMS_API void *gms_kvm_host(const struct gms_kvm *kvm);

/**
 * gms_kvm_map() - let the guest see pages
 * @kvm: the memory
 * @gfn: the gfn of the first page, in units of 4 KiB. It should agree with @start modulo 512, and
 *       modulo 2^18 if the memory is 1G or more (kvm.h, "Huge mappings")
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the memory
 *
 * The state object is not notified: call gms_bind() with the same three numbers as well.
 *
 * Context: No hook of @kvm runs: if a thread may convert meanwhile, the caller holds
 * gms_lock_shared() of all pages of the state object. May sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EEXIST: a gfn or a page of it
 * is mapped already, or a memslot of the caller's has one of the gfns; -ENOSPC: there are not
 * enough memslots; -ENOMEM; what the kernel returned (-EINVAL: the range is longer than a memslot
 * may be). After a failure nothing is mapped, with one exception: KVM may refuse to delete a
 * memslot that was just created. Then the guest sees the pages of that memslot until the next call
 * that maps, unmaps or syncs.
 */
GMS_API int gms_kvm_map(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_kvm_map_flags() - let the guest see pages, by memslots with flags
 * @kvm: the memory
 * @gfn: as for gms_kvm_map()
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the memory
 * @slot_flags: 0, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, or both
 *
 * All memslots of the range get the flags, which are KVM's (linux/kvm.h). All of these memslots
 * have a guest_memfd. Up to Linux 6.18 at least, KVM refuses both flags for such memslots, and the
 * call returns KVM's -EINVAL.
 *
 * Context: No hook of @kvm runs: if a thread may convert meanwhile, the caller holds
 * gms_lock_shared() of all pages of the state object. May sleep.
 * Return: as for gms_kvm_map(); also -EINVAL: @slot_flags has another flag.
 */
GMS_API int gms_kvm_map_flags(struct gms_kvm *kvm, uint64_t gfn, gms_pgoff_t start,
			      uint64_t nr_pages, uint32_t slot_flags);

/**
 * gms_kvm_unmap() - undo a gms_kvm_map()
 * @kvm: the memory
 * @gfn: as given to gms_kvm_map()
 *
 * Context: No hook of @kvm runs: if a thread may convert meanwhile, the caller holds
 * gms_lock_shared() of all pages of the state object. May sleep.
 * Return: 0; -ENOENT: no gms_kvm_map() of @gfn is in effect; what the kernel returned: the pages
 * are still mapped, but some of their memslots may be missing until gms_kvm_sync().
 */
GMS_API int gms_kvm_unmap(struct gms_kvm *kvm, uint64_t gfn);

/**
 * gms_kvm_sync() - make the memory private and shared as a state object says
 * @kvm: the memory
 * @state: the object, of the same size
 *
 * Call it after gms_snapshot_load(); if only one of the state and the memory was created private;
 * and in place, if the guest_memfd is the caller's. It also repairs what a call that failed could
 * not undo: after a quarantine memslots outside of the range may be missing, and an address of the
 * host's view may have no mapping.
 *
 * Private pages are hidden from the host before anything else, so they are hidden even if the call
 * fails later. Quarantined pages are hidden, too; their contents, and what the guest sees of them,
 * do not change.
 *
 * Context: Takes gms_lock_shared() on all of @state: waits for conversions, and keeps new ones
 * waiting. May sleep.
 * Return: 0; -EINVAL: the sizes differ; -EDEADLK: as for gms_lock_shared(), for example from
 * inside a hook; -ENOSPC: there are not enough memslots; -ENOMEM; what the kernel returned. After
 * a failure some pages may have been converted, and the call may be repeated.
 */
GMS_API int gms_kvm_sync(struct gms_kvm *kvm, const struct gms_state *state);

/**
 * gms_kvm_hypercall_ret() - answer KVM_HC_MAP_GPA_RANGE with the result of a conversion
 * @err: what gms_convert_gfn() returned: 0 or -errno
 *
 * For run->hypercall.ret of a KVM_EXIT_HYPERCALL. KVM allows three answers, none of them negative.
 * To any other one KVM_RUN of a TDX or SNP guest returns -EINVAL, which ends the VM (Linux commits
 * 3e2dec1ede0a and 5d40e5b49442, of 2026). Older kernels take any number but 0 for a failure.
 *
 *  EAGAIN  A page is pinned or in use, a hook or a listener returned -EAGAIN, or the object is
 *          frozen. A TDX guest asks again; an SNP guest is told that the change failed.
 *  EINVAL  All other errors. The guest is told that the change failed.
 *
 * Context: Any. Pure function.
 * Return: 0, EAGAIN or EINVAL.
 */
GMS_API uint64_t gms_kvm_hypercall_ret(int err);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_KVM_H */
