// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// guest_memfd.cocci - puts the calls of gmem.h into KVM of Linux 7.3, in three files:
// virt/kvm/guest_memfd.c, virt/kvm/kvm_main.c and include/linux/kvm_host.h
//
// scripts/gmem-kernel applies it, and fails if a rule finds nothing to change.

// ---- the object of an inode ----

@include@
@@
 #include <linux/pseudo_fs.h>
+#include "../gmemstate/kernel/gmem/gmem.h"

@object@
@@
 struct gmem_inode {
 	...
+	struct gms_gmem *gms;
 	struct inode vfs_inode;
 	...
 };

@alloc_inode@
expression gi;
@@
 struct inode *kvm_gmem_alloc_inode(...)
 {
 	...
 	gi->flags = 0;
+	gi->gms = NULL;
 	...
 }

@create@
expression inode, e;
@@
 int __kvm_gmem_create(...)
 {
 	<...
 	GMEM_I(inode)->flags = e;
+	err = gms_gmem_create(inode, &GMEM_I(inode)->policy, e, &GMEM_I(inode)->gms);
+	if (err)
+		goto err_inode;
 	...>
 }

@evict@
@@
+static void kvm_gmem_evict_inode(struct inode *inode)
+{
+	gms_gmem_stop(GMEM_I(inode)->gms);
+	truncate_inode_pages_final(&inode->i_data);
+	clear_inode(inode);
+	gms_gmem_destroy(GMEM_I(inode)->gms);
+}
+
 void kvm_gmem_destroy_inode(...) { ... }

@super@
identifier ops, destroy =~ "kvm_gmem_destroy_inode";
@@
 struct super_operations ops = {
+	.evict_inode = kvm_gmem_evict_inode,
 	.destroy_inode = destroy,
 };

// ---- shareability ----

@is_private@
typedef bool, pgoff_t, gfn_t, loff_t, vm_fault_t, u64;
identifier inode, index;
expression e;
@@
 bool kvm_gmem_is_private_mem(struct inode *inode, pgoff_t index)
 {
-	return e;
+	return gms_gmem_is_private(GMEM_I(inode)->gms, index);
 }

@is_shared@
@@
-bool kvm_gmem_is_shared_mem(...) { ... }

@fault@
@@
-vm_fault_t kvm_gmem_fault_user_mapping(...) { ... }

@new_functions@
@@
+static vm_fault_t kvm_gmem_fault_user_mapping(struct vm_fault *vmf)
+{
+	return gms_gmem_fault(GMEM_I(file_inode(vmf->vma->vm_file))->gms, vmf);
+}
+
+bool kvm_gmem_slot_is_private(struct kvm_memory_slot *slot, gfn_t gfn)
+{
+	CLASS(gmem_get_file, file)(slot);
+
+	return file && kvm_gmem_is_private_mem(file_inode(file), kvm_gmem_get_index(slot, gfn));
+}
+
 bool kvm_gmem_supports_mmap(...) { ... }

@mem_is_private@
identifier kvm, gfn;
@@
+bool kvm_gmem_slot_is_private(struct kvm_memory_slot *slot, gfn_t gfn);
+
 bool kvm_mem_is_private(struct kvm *kvm, gfn_t gfn)
 {
+	struct kvm_memory_slot *slot;
+
+	if (!kvm_arch_has_private_mem(kvm))
+		return false;
+	slot = gfn_to_memslot(kvm, gfn);
+	if (slot && kvm_memslot_is_gmem_only(slot))
+		return kvm_gmem_slot_is_private(slot, gfn);
 	return kvm_get_memory_attributes(kvm, gfn) & KVM_MEMORY_ATTRIBUTE_PRIVATE;
 }

@ioctl@
identifier ops, map =~ "kvm_gmem_mmap";
@@
+static long kvm_gmem_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
+{
+	const struct gmem_file *f = file->private_data;
+
+	return gms_gmem_ioctl(GMEM_I(file_inode(file))->gms, f->kvm, ioctl, arg);
+}
+
 struct file_operations ops = {
+	.unlocked_ioctl = kvm_gmem_ioctl,
+	.compat_ioctl = compat_ptr_ioctl,
 	.mmap = map,
 };

// ---- invalidation ----

@filter@
identifier inode;
statement list body;
@@
 enum kvm_gfn_range_filter kvm_gmem_get_invalidate_filter(struct inode *inode)
 {
-	body
+	return KVM_FILTER_SHARED | KVM_FILTER_PRIVATE;
 }

@widen@
expression kvm;
identifier gfn_range, flush;
@@
 void __kvm_gmem_invalidate_start(...)
 {
 	<...
+	gms_gmem_widen(kvm, gfn_range.start, gfn_range.end);
 	flush |= kvm_mmu_unmap_gfn_range(kvm, &gfn_range);
 	...>
 }

@invalidate_start@
@@
-static
 void kvm_gmem_invalidate_start(...) { ... }

@invalidate_end@
@@
-static
 void kvm_gmem_invalidate_end(...) { ... }

// ---- folios and faults ----

@get_folio@
identifier inode, index;
statement list body;
@@
 struct folio *kvm_gmem_get_folio(struct inode *inode, pgoff_t index)
 {
-	body
+	return gms_gmem_get_folio(GMEM_I(inode)->gms, index);
 }

@max_order@
identifier slot, file, index, folio, max_order;
@@
 struct folio *__kvm_gmem_get_pfn(struct file *file, struct kvm_memory_slot *slot, pgoff_t index,
 				 ...)
 {
 	<...
-	*max_order = 0;
+	*max_order = gms_gmem_max_order(GMEM_I(file_inode(file))->gms, folio, index,
+					slot->base_gfn - slot->gmem.pgoff);
 	...>
 }

@punch_hole@
identifier inode, offset, len;
statement list body;
@@
 long kvm_gmem_punch_hole(struct inode *inode, loff_t offset, loff_t len)
 {
-	body
+	return gms_gmem_punch_hole(GMEM_I(inode)->gms, offset, len);
 }

@allocate@
@@
-long kvm_gmem_allocate(...) { ... }

@new_allocate@
@@
+static long kvm_gmem_allocate(struct inode *inode, loff_t offset, loff_t len)
+{
+	return gms_gmem_allocate(GMEM_I(inode)->gms, offset, len);
+}
+
 long kvm_gmem_fallocate(...) { ... }

// ---- what userspace may ask for ----

@host_include@
@@
 #include <linux/kvm_types.h>
+#include "../../virt/gmemstate/kernel/gmem/uapi.h"

@supported_flags@
identifier flags;
@@
 u64 kvm_gmem_get_supported_flags(...)
 {
 	...
-	return flags;
+	return flags | GUEST_MEMFD_FLAG_INIT_SHARED | GUEST_MEMFD_FLAGS_GMS;
 }

@capability@
typedef __u64;
identifier kvm, arg;
@@
 int kvm_vm_ioctl_check_extension_generic(struct kvm *kvm, long arg)
 {
+	if (arg == KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES)
+		return kvm_supported_mem_attributes(kvm);
 	...
 }
