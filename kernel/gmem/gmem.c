// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gmem.c - a guest_memfd whose state is a gms_state: see gmem.h
 *
 * The hooks of a conversion, in the words of backend.h, and what they are here:
 *
 *	unmap_host		unmap_mapping_pages()
 *	check_pins		references that are not explained: folio.c
 *	invalidate_begin	mmu_invalidate_in_progress, and a zap of both kinds, in each VM
 *	invalidate_end		and, for a hole, truncates first
 *	folio_split		split_folio()
 *	folio_merge		allocates, copies and replaces
 *
 * Nothing can fail after the split, so there is nothing to undo but splits.
 */
#include <linux/kvm_host.h>

#include "gmem.h"

#include <linux/debugfs.h>
#include <linux/huge_mm.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include <gmemstate/order.h>
#include <gmemstate/state.h>

#include "../gmemstate_kernel.h"
#include "folio.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "gmem."

/**
 * struct gms_gmem - the object of one inode
 * @state: which pages are private, and which folio is at an index
 * @folios: the folios in the page cache
 * @inode: the inode, which outlives the object
 * @flags: of KVM_CREATE_GUEST_MEMFD
 * @freeing: the folios that are merged are about to be freed, so nothing is copied. Written under
 *           the invalidate lock of the page cache, exclusively, and by gms_gmem_destroy()
 * @maintain: merges from time to time, for a policy that wants this
 * @maintain_ms: the time to the next
 * @dir: in debugfs
 * @host_pmd: mappings of 2M made for the host
 * @host_pte: mappings of 4K made for the host
 * @converts: conversions by ioctl that succeeded
 * @convert_ns: how long they took in all
 * @convert_max_ns: how long the longest took
 */
struct gms_gmem {
	struct gms_state *state;
	struct gms_gmem_folios folios;
	struct inode *inode;
	u64 flags;
	bool freeing;
	struct delayed_work maintain;
	unsigned int maintain_ms;
	struct dentry *dir;
	atomic64_t host_pmd, host_pte, converts, convert_ns, convert_max_ns;
};

/* ---- parameters ---- */

/* In the order of GUEST_MEMFD_FLAG_POLICY(), from 1 on. */
static const char *const gms_gmem_policies[] = {
	"eager-rfc", "eager", "eager-nonuniform", "lazy-4k", "lazy", "adaptive",
};

static const char *gmem_policy = "lazy";
static unsigned int gmem_order = GMS_ORDER_2M;

static int gmem_set_policy(const char *value, const struct kernel_param *kp)
{
	int i = sysfs_match_string(gms_gmem_policies, value);

	if (i < 0)
		return i;
	WRITE_ONCE(gmem_policy, gms_gmem_policies[i]);
	return 0;
}

static int gmem_get_policy(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", READ_ONCE(gmem_policy));
}

static int gmem_set_order(const char *value, const struct kernel_param *kp)
{
	unsigned int order;
	int err = kstrtouint(value, 0, &order);

	if (err)
		return err;
	if (order != GMS_ORDER_4K && order != GMS_ORDER_2M)
		return -EINVAL;
	WRITE_ONCE(gmem_order, order);
	return 0;
}

static const struct kernel_param_ops gmem_policy_ops = {
	.set = gmem_set_policy,
	.get = gmem_get_policy,
};

static const struct kernel_param_ops gmem_order_ops = {
	.set = gmem_set_order,
	.get = param_get_uint,
};

module_param_cb(policy, &gmem_policy_ops, NULL, 0644);
MODULE_PARM_DESC(policy, "when folios of new guest_memfds are split: the name of a policy");
module_param_cb(order, &gmem_order_ops, &gmem_order, 0644);
MODULE_PARM_DESC(order, "the order of the folios of new guest_memfds: 0 or 9");

/* ---- hooks ---- */

static int gmem_unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	const struct gms_gmem *g = ctx;

	unmap_mapping_pages(g->inode->i_mapping, start, nr_pages, false);
	return 0;
}

static int gmem_check_pins(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	struct gms_gmem *g = ctx;
	pgoff_t at;
	int err = gms_gmem_folio_check_pins(&g->folios, start, nr_pages, &at);

	if (err)
		*pinned = at;
	return err;
}

static void gmem_invalidate_begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	const struct gms_gmem *g = ctx;

	kvm_gmem_invalidate_start(g->inode, start, start + nr_pages);
}

static void gmem_invalidate_end(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	const struct gms_gmem *g = ctx;

	if (g->freeing)
		truncate_inode_pages_range(g->inode->i_mapping, (loff_t)start << PAGE_SHIFT,
					   ((loff_t)(start + nr_pages) << PAGE_SHIFT) - 1);
	kvm_gmem_invalidate_end(g->inode, start, start + nr_pages);
}

static int gmem_folio_alloc(void *ctx, gms_pgoff_t index, unsigned int order)
{
	struct gms_gmem *g = ctx;

	return gms_gmem_folio_alloc(&g->folios, index, order);
}

static int gmem_folio_split(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	struct gms_gmem *g = ctx;

	return gms_gmem_folio_split(&g->folios, index);
}

static int gmem_folio_merge(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	struct gms_gmem *g = ctx;
	const pgoff_t end = index + gms_order_pages(to);
	struct folio *new;
	int err;

	if (g->freeing)
		return 0;
	new = gms_gmem_folio_merge_begin(&g->folios, index);
	if (IS_ERR_OR_NULL(new))
		return PTR_ERR_OR_ZERO(new);
	unmap_mapping_pages(g->inode->i_mapping, index, end - index, false);
	kvm_gmem_invalidate_start(g->inode, index, end);
	err = gms_gmem_folio_merge_end(&g->folios, index, new);
	kvm_gmem_invalidate_end(g->inode, index, end);
	return err;
}

static const struct gms_backend_ops gmem_backend = {
	.struct_size = sizeof(gmem_backend),
	.flags = GMS_BACKEND_PINS_BY_FOLIO,
	.unmap_host = gmem_unmap_host,
	.check_pins = gmem_check_pins,
	.invalidate_begin = gmem_invalidate_begin,
	.invalidate_end = gmem_invalidate_end,
	.folio_alloc = gmem_folio_alloc,
	.folio_split = gmem_folio_split,
	.folio_merge = gmem_folio_merge,
};

/* ---- the life of an object ---- */

#define GMEM_MAINTAIN_MIN_MS 100
#define GMEM_MAINTAIN_MAX_MS 3200
#define GMEM_MAINTAIN_BLOCKS 8 /* of 1G, each time */

/* While there is nothing to merge, or no memory to merge it into, it looks less and less often. */
static void gmem_maintain(struct work_struct *work)
{
	struct gms_gmem *g = container_of(to_delayed_work(work), struct gms_gmem, maintain);
	u64 merges;

	filemap_invalidate_lock_shared(g->inode->i_mapping);
	merges = gms_maintain(g->state, GMEM_MAINTAIN_BLOCKS);
	filemap_invalidate_unlock_shared(g->inode->i_mapping);
	g->maintain_ms =
		merges ? GMEM_MAINTAIN_MIN_MS : min(2 * g->maintain_ms, GMEM_MAINTAIN_MAX_MS);
	queue_delayed_work(system_long_wq, &g->maintain, msecs_to_jiffies(g->maintain_ms));
}

static uint64_t gmem_clock_ns(void *ctx)
{
	return ktime_get_ns();
}

static int gmem_show(struct seq_file *m, void *v)
{
	struct gms_gmem *g = m->private;

	seq_printf(m, "host_pmd %lld\n", atomic64_read(&g->host_pmd));
	seq_printf(m, "host_pte %lld\n", atomic64_read(&g->host_pte));
	seq_printf(m, "copies %lld\n", atomic64_read(&g->folios.copies));
	seq_printf(m, "fallbacks %lld\n", atomic64_read(&g->folios.fallbacks));
	seq_printf(m, "busy %lld\n", atomic64_read(&g->folios.busy));
	seq_printf(m, "converts %lld\n", atomic64_read(&g->converts));
	seq_printf(m, "convert_ns %lld\n", atomic64_read(&g->convert_ns));
	seq_printf(m, "convert_max_ns %lld\n", atomic64_read(&g->convert_max_ns));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(gmem);

static void gmem_add_debugfs(struct gms_gmem *g)
{
	char name[32];

	snprintf(name, sizeof(name), "gmem-%lu", (unsigned long)g->inode->i_ino);
	g->dir = gms_debugfs_add(g->state, name);
	debugfs_create_file("gmem", 0400, g->dir, g, &gmem_fops);
}

/* Fills in what the flags, or else the parameters, say. Returns 0 or -EINVAL. */
static int gmem_options(u64 flags, struct gms_state_opts *opts)
{
	const u64 number = (flags & GUEST_MEMFD_FLAG_POLICY_MASK) / GUEST_MEMFD_FLAG_POLICY(1ULL);
	const char *name = READ_ONCE(gmem_policy);

	if (number > ARRAY_SIZE(gms_gmem_policies))
		return -EINVAL;
	if ((flags & GUEST_MEMFD_FLAG_4K) && (flags & GUEST_MEMFD_FLAG_2M))
		return -EINVAL;
	if (number)
		name = gms_gmem_policies[number - 1];
	opts->policy = gms_policy_by_name(name);
	opts->folio_order = READ_ONCE(gmem_order);
	if (flags & GUEST_MEMFD_FLAG_4K)
		opts->folio_order = GMS_ORDER_4K;
	else if (flags & GUEST_MEMFD_FLAG_2M)
		opts->folio_order = GMS_ORDER_2M;
	if (!(flags & GUEST_MEMFD_FLAG_INIT_SHARED))
		opts->flags = GMS_INIT_PRIVATE;
	return 0;
}

int gms_gmem_create(struct inode *inode, struct shared_policy *mempolicy, u64 flags,
		    struct gms_gmem **gmem)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_gmem *g;
	int err = gmem_options(flags, &opts);

	if (err)
		return err;
	opts.nr_pages = i_size_read(inode) >> PAGE_SHIFT;
	if (opts.nr_pages > GMS_MAX_PAGES)
		return -EFBIG;
	g = kzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);
	if (!g)
		return -ENOMEM;
	g->inode = inode;
	g->flags = flags;
	g->folios.mapping = inode->i_mapping;
	g->folios.mempolicy = mempolicy;
	opts.backend = &gmem_backend;
	opts.backend_ctx = g;
	opts.clock_ns = gmem_clock_ns;
	err = gms_state_create(&opts, &g->state);
	if (err) {
		kfree(g);
		return err;
	}
	mapping_set_folio_order_range(inode->i_mapping, 0, opts.folio_order);
	gmem_add_debugfs(g);
	INIT_DELAYED_WORK(&g->maintain, gmem_maintain);
	g->maintain_ms = GMEM_MAINTAIN_MIN_MS;
	if (opts.policy->events & 1U << GMS_EV_MAINTAIN)
		queue_delayed_work(system_long_wq, &g->maintain, 0);
	*gmem = g;
	return 0;
}

void gms_gmem_stop(struct gms_gmem *g)
{
	if (g)
		cancel_delayed_work_sync(&g->maintain);
}

void gms_gmem_destroy(struct gms_gmem *g)
{
	if (!g)
		return;
	debugfs_remove(g->dir);
	g->freeing = true;
	gms_state_destroy(g->state);
	kfree(g);
}

/* ---- faults ---- */

bool gms_gmem_is_private(const struct gms_gmem *g, pgoff_t index)
{
	return gms_is_private(g->state, index);
}

struct folio *gms_gmem_get_folio(struct gms_gmem *g, pgoff_t index)
{
	struct gms_fault fault;
	struct folio *folio;
	int err = gms_fault_begin(g->state, index, GMS_GUEST, &fault);

	if (err)
		return ERR_PTR(err);
	folio = filemap_lock_folio(g->inode->i_mapping, index);
	gms_fault_end(g->state, &fault);
	if (!IS_ERR(folio) && folio_contain_hwpoisoned_page(folio)) {
		folio_unlock(folio);
		folio_put(folio);
		return ERR_PTR(-EHWPOISON);
	}
	return folio;
}

/* The lock of the folio keeps its order; a change of the state is seen by KVM (G3). */
int gms_gmem_max_order(const struct gms_gmem *g, const struct folio *folio, pgoff_t index,
		       gfn_t distance)
{
	if (folio_order(folio) < GMS_ORDER_2M || distance & (gms_order_pages(GMS_ORDER_2M) - 1))
		return GMS_ORDER_4K;
	return min(gms_max_order(g->state, index), GMS_ORDER_2M);
}

void gms_gmem_widen(struct kvm *kvm, gfn_t start, gfn_t end)
{
	kvm_mmu_invalidate_range_add(kvm, gms_order_down(start, GMS_ORDER_2M),
				     gms_order_up(end - 1, GMS_ORDER_2M));
}

/* Returns true if the entry is not what it was when the fault was taken. */
static bool gmem_pte_changed(const struct vm_fault *vmf)
{
	const pte_t pte = ptep_get(vmf->pte);

	if (vmf->flags & FAULT_FLAG_ORIG_PTE_VALID) /* a marker of userfaultfd, for example */
		return !pte_same(pte, vmf->orig_pte);
	return !pte_none(pte);
}

/*
 * Maps one page of a folio for the host. finish_fault() would map all of the folio, of which other
 * pages may be private.
 */
static vm_fault_t gmem_map_page(struct gms_gmem *g, struct vm_fault *vmf, struct folio *folio)
{
	struct mm_struct *mm = vmf->vma->vm_mm;

	if (pte_alloc(mm, vmf->pmd))
		return VM_FAULT_OOM;
	vmf->pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (!vmf->pte) /* another thread has mapped 2M meanwhile, or unmapped them */
		return VM_FAULT_NOPAGE;
	if (!gmem_pte_changed(vmf)) {
		folio_get(folio);
		set_pte_range(vmf, folio, folio_file_page(folio, vmf->pgoff), 1, vmf->address);
		add_mm_counter(mm, mm_counter_file(folio), 1);
		atomic64_inc(&g->host_pte);
	} else {
		update_mmu_tlb(vmf->vma, vmf->address, vmf->pte);
	}
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return VM_FAULT_NOPAGE;
}

/* Returns true if the host can have one mapping of a folio of 2M. */
static bool gmem_can_map_2m(const struct vm_fault *vmf, const struct folio *folio)
{
	const pmd_t pmd = pmdp_get_lockless(vmf->pmd);

	return folio_order(folio) == PMD_ORDER && (pmd_none(pmd) || pmd_trans_huge(pmd)) &&
	       thp_vma_suitable_order(vmf->vma, vmf->address, PMD_ORDER);
}

static vm_fault_t gmem_map(struct gms_gmem *g, struct vm_fault *vmf, struct folio *folio,
			   unsigned int max_order)
{
	vm_fault_t ret;

	if (folio_contain_hwpoisoned_page(folio))
		return VM_FAULT_HWPOISON;
	if (max_order < GMS_ORDER_2M || !gmem_can_map_2m(vmf, folio))
		return gmem_map_page(g, vmf, folio);
	ret = vmf_insert_folio_pmd(vmf, folio, vmf->flags & FAULT_FLAG_WRITE);
	if (ret == VM_FAULT_NOPAGE)
		atomic64_inc(&g->host_pmd);
	return ret;
}

/*
 * Maps under the lock of the folio: a split unmaps the folio first, and relies on that nobody maps
 * it meanwhile. The split need not be the state's.
 */
vm_fault_t gms_gmem_fault(struct gms_gmem *g, struct vm_fault *vmf)
{
	struct gms_fault fault;
	struct folio *folio;
	vm_fault_t ret;
	int err = gms_fault_begin(g->state, vmf->pgoff, GMS_HOST, &fault);

	if (err == -EAGAIN)
		return VM_FAULT_NOPAGE;
	if (err)
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	folio = filemap_lock_folio(g->inode->i_mapping, vmf->pgoff);
	if (WARN_ON_ONCE(IS_ERR(folio))) {
		ret = VM_FAULT_SIGBUS;
	} else {
		ret = gmem_map(g, vmf, folio, fault.max_order);
		folio_unlock(folio);
		folio_put(folio);
	}
	gms_fault_end(g->state, &fault);
	return ret;
}

/* ---- fallocate ---- */

static int gmem_allocate_locked(struct gms_gmem *g, pgoff_t start, pgoff_t end)
{
	pgoff_t at, next;
	int err = 0;

	for (at = start; at < end && !err; at = next) {
		if (signal_pending(current))
			return -EINTR;
		next = min(gms_order_up(at, GMS_ORDER_2M), end);
		err = gms_allocate(g->state, at, next - at, NULL);
		cond_resched();
	}
	return err;
}

long gms_gmem_allocate(struct gms_gmem *g, loff_t offset, loff_t len)
{
	struct address_space *mapping = g->inode->i_mapping;
	int err;

	if (offset + len > i_size_read(g->inode))
		return -EINVAL;
	filemap_invalidate_lock_shared(mapping);
	err = gmem_allocate_locked(g, offset >> PAGE_SHIFT, (offset + len) >> PAGE_SHIFT);
	filemap_invalidate_unlock_shared(mapping);
	return err;
}

long gms_gmem_punch_hole(struct gms_gmem *g, loff_t offset, loff_t len)
{
	struct address_space *mapping = g->inode->i_mapping;
	const pgoff_t start = offset >> PAGE_SHIFT;
	const pgoff_t end = min((u64)(offset + len) >> PAGE_SHIFT, gms_state_nr_pages(g->state));
	int err;

	if (start >= end)
		return 0;
	filemap_invalidate_lock(mapping);
	g->freeing = true;
	err = gms_punch_hole(g->state, start, end - start, NULL);
	g->freeing = false;
	filemap_invalidate_unlock(mapping);
	return err;
}

/* ---- conversion ---- */

static void gmem_account(struct gms_gmem *g, s64 ns)
{
	s64 max = atomic64_read(&g->convert_max_ns);

	atomic64_inc(&g->converts);
	atomic64_add(ns, &g->convert_ns);
	while (ns > max && !atomic64_try_cmpxchg(&g->convert_max_ns, &max, ns))
		;
}

/* Returns 0 or -EINVAL. */
static int gmem_check_attributes(const struct gms_gmem *g, const struct kvm *kvm,
				 const struct kvm_memory_attributes2 *a)
{
	if (a->flags || memchr_inv(a->reserved, 0, sizeof(a->reserved)))
		return -EINVAL;
	if (a->attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE)
		return -EINVAL;
	if (a->attributes && !kvm_arch_has_private_mem(kvm))
		return -EINVAL;
	if (!(g->flags & GUEST_MEMFD_FLAG_MMAP))
		return -EINVAL;
	if (!a->size || !PAGE_ALIGNED(a->offset) || !PAGE_ALIGNED(a->size))
		return -EINVAL;
	if (a->offset + a->size < a->offset || a->offset + a->size > i_size_read(g->inode))
		return -EINVAL;
	return 0;
}

/* Returns true if the host can read the private pages of a VM. */
static bool gmem_can_copy(const struct kvm *kvm)
{
#ifdef CONFIG_X86
	if (kvm->arch.vm_type == KVM_X86_SW_PROTECTED_VM)
		return true;
#endif
	return !kvm_arch_has_private_mem(kvm);
}

static long gmem_set_attributes(struct gms_gmem *g, struct kvm *kvm,
				struct kvm_memory_attributes2 *a)
{
	const enum gms_shareability to = a->attributes ? GMS_PRIVATE : GMS_SHARED;
	const u64 begin = ktime_get_ns();
	gms_pgoff_t at = 0;
	int err = gmem_check_attributes(g, kvm, a);

	if (err)
		return err;
	/* Only what was converted before is ever merged. */
	WRITE_ONCE(g->folios.can_copy, gmem_can_copy(kvm));
	filemap_invalidate_lock_shared(g->inode->i_mapping);
	err = gms_convert(g->state, a->offset >> PAGE_SHIFT, a->size >> PAGE_SHIFT, to, 0, &at);
	filemap_invalidate_unlock_shared(g->inode->i_mapping);
	if (!err)
		gmem_account(g, ktime_get_ns() - begin);
	else
		a->error_offset = at << PAGE_SHIFT;
	return err;
}

long gms_gmem_ioctl(struct gms_gmem *g, struct kvm *kvm, unsigned int ioctl, unsigned long arg)
{
	struct kvm_memory_attributes2 __user *user = (void __user *)arg;
	struct kvm_memory_attributes2 a;
	long err;

	if (ioctl != KVM_SET_MEMORY_ATTRIBUTES2)
		return -ENOTTY;
	if (copy_from_user(&a, user, sizeof(a)))
		return -EFAULT;
	err = gmem_set_attributes(g, kvm, &a);
	if (err == -EAGAIN && put_user(a.error_offset, &user->error_offset))
		err = -EFAULT;
	return err;
}
