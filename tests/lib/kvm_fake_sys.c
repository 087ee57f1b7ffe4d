// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvm_fake_sys.c - the system calls of the kernel in a few arrays: see kvm_fake.h
 */
#include "kvm_fake_priv.h"

#include "test.h"

/* ---- ioctls ---- */

static int check_extension(struct fake *fake, uintptr_t cap)
{
	const bool any = fake->has_in_place || fake->has_attributes || fake->has_memslots;

	switch (cap) {
	case KVM_CAP_NR_MEMSLOTS:
		return FAKE_SLOTS;
	case KVM_CAP_USER_MEMORY2:
	case KVM_CAP_GUEST_MEMFD:
		return any;
	case KVM_CAP_GUEST_MEMFD_FLAGS:
		return fake->has_in_place || fake->has_memslots ? BOTH : 0;
	case KVM_CAP_MEMORY_ATTRIBUTES:
		return fake->has_attributes ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;
	case KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES:
		return fake->cap;
	default:
		return 0;
	}
}

static bool overlap(uint64_t a, uint64_t nr_a, uint64_t b, uint64_t nr_b)
{
	return a < b + nr_b && b < a + nr_a;
}

/* Checks the rules that the backend has for memslots. The kernel has no such rules. */
static void check_slot(struct fake *fake, const struct fake_slot *slot)
{
	const struct fake_view *view = &fake->views[slot->view];

	if (slot->page != slot->offset - fake_file_of(fake, slot->fd)->first)
		fake_breaks(fake, "a memslot whose address is not that of its pages");
	if (fake->has_attributes && slot->view == fake->host && !view->theirs &&
	    fake_file_of(fake, view->fd[0])->grain == 1)
		fake_breaks(fake, "KVM looks for shared pages in the host's view");
}

static int set_region(struct fake *fake, const struct kvm_userspace_memory_region2 *region)
{
	const uint32_t flags = fake->takes_flags ? KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY : 0;
	struct fake_slot new = {
		.gfn = region->guest_phys_addr / PAGE,
		.nr_pages = region->memory_size / PAGE,
		.offset = region->guest_memfd_offset / PAGE,
		.flags = region->flags,
		.fd = (int)region->guest_memfd,
	};
	const void *at = (const void *)(uintptr_t)region->userspace_addr;
	const struct fake_view *view = fake_view_of(fake, at, &new.page);
	const struct fake_file *file = fake_file_of(fake, new.fd);

	if (fake->stopped && !*fake->stopped)
		fake_breaks(fake, "memslots were changed while vCPUs ran");
	if (region->slot >= FAKE_SLOTS)
		return -EINVAL;
	if (!region->memory_size) {
		if (!fake->slots[region->slot].nr_pages)
			return -EINVAL;
		memset(&fake->slots[region->slot], 0, sizeof(new));
		return 0;
	}
	if (fake->slots[region->slot].nr_pages || (region->flags & ~flags) != KVM_MEM_GUEST_MEMFD ||
	    !file || !view || !file->guest_memfd || region->guest_phys_addr % PAGE ||
	    region->memory_size % PAGE || region->userspace_addr % PAGE ||
	    region->guest_memfd_offset % PAGE || new.offset + new.nr_pages > file->nr_pages ||
	    new.gfn + new.nr_pages > FAKE_GFNS)
		return -EINVAL;
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *slot = &fake->slots[i];

		if (overlap(new.gfn, new.nr_pages, slot->gfn, slot->nr_pages))
			return -EEXIST;
		if (new.fd == slot->fd &&
		    overlap(new.offset, new.nr_pages, slot->offset, slot->nr_pages))
			return -EINVAL;
	}
	new.view = (unsigned int)(view - fake->views);
	check_slot(fake, &new);
	fake->slots[region->slot] = new;
	return 0;
}

/* Sets attributes. If @err is not 0, sets a part of them and returns @err. */
static int set_attributes(struct fake *fake, const struct kvm_memory_attributes *attributes,
			  int err)
{
	const uint64_t gfn = attributes->address / PAGE, nr = attributes->size / PAGE;

	if (!fake->has_attributes)
		return -ENOTTY;
	if (!nr || attributes->address % PAGE || attributes->size % PAGE || attributes->flags ||
	    (attributes->attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE) || gfn + nr > FAKE_GFNS)
		return -EINVAL;
	for (uint64_t i = 0; i < nr && (!err || i < fake->part); i++)
		fake->private[gfn + i] = attributes->attributes;
	fake->part = err && fake->part_once ? 0 : fake->part;
	return err;
}

static int set_attributes2(struct fake *fake, int fd, struct kvm_memory_attributes2 *attributes,
			   int err)
{
	const uint64_t start = attributes->offset / PAGE, nr = attributes->size / PAGE;
	struct fake_file *file = fake_file_of(fake, fd);
	uint64_t done = err && fake->part < nr ? fake->part : nr;

	if (!fake->has_in_place || !file || !file->guest_memfd)
		return -ENOTTY;
	if (!nr || attributes->offset % PAGE || attributes->size % PAGE || attributes->flags ||
	    (attributes->attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE) || start + nr > file->nr_pages)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(attributes->reserved); i++)
		if (attributes->reserved[i])
			return -EINVAL;
	for (uint64_t i = 0; attributes->attributes && i < done; i++) {
		if (file->pinned[start + i] && !file->private[start + i]) {
			attributes->error_offset = (start + i) * PAGE;
			err = -EAGAIN;
			done = fake->part_of_pinned ? i : 0;
		}
	}
	for (uint64_t i = 0; i < done; i++)
		file->private[start + i] = attributes->attributes;
	fake->part = err && fake->part_once ? 0 : fake->part;
	return err;
}

/* ---- system calls ---- */

static __thread uint64_t calls;

uint64_t fake_calls_of_thread(void)
{
	return calls;
}

static int fails(struct fake *fake)
{
	const uint64_t call = fake->calls++;

	calls++;

	if (call < fake->fail_from || call >= fake->fail_to)
		return 0;
	fake->failed++;
	return fake->fail_err;
}

static int fake_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	struct fake *fake = ctx;
	const int err = fails(fake);
	int ret;

	if (request == KVM_SET_MEMORY_ATTRIBUTES2)
		ret = set_attributes2(fake, fd, arg, err);
	else if (fd != FAKE_VM)
		ret = -ENOTTY;
	else if (request == KVM_SET_MEMORY_ATTRIBUTES)
		ret = set_attributes(fake, arg, err);
	else if (err)
		ret = err;
	else if (request == KVM_CHECK_EXTENSION)
		ret = check_extension(fake, (uintptr_t)arg);
	else if (request == KVM_SET_USER_MEMORY_REGION2)
		ret = set_region(fake, arg);
	else
		ret = -ENOTTY;
	fake_check_safety(fake);
	return err ? err : ret;
}

static int fake_guest_memfd(void *ctx, int vm_fd, uint64_t size, uint64_t flags)
{
	struct fake *fake = ctx;
	const uint64_t known = fake->has_in_place || fake->has_memslots ? BOTH : 0;
	const int err = fails(fake);

	if (err)
		return err;
	if (vm_fd != FAKE_VM)
		return -ENOTTY;
	if (!size || size % PAGE || (flags & ~known))
		return -EINVAL;
	if (size / PAGE > FAKE_PAGES)
		return -ENOMEM;
	return fake_open(fake, true, size, flags);
}

/* Returns true if a new mapping of @nr pages at @page cuts one mapping into two. */
static bool cuts(const struct fake_view *view, uint64_t page, uint64_t nr)
{
	if (!page || page + nr == view->nr_pages)
		return false;
	for (uint64_t i = page; i <= page + nr; i++)
		if (view->fd[i] != view->fd[i - 1])
			return false;
	return true;
}

/* Returns true if the limit of mappings is reached. As in Linux, merging is not considered. */
static bool too_many(const struct fake *fake, const struct fake_view *view, uint64_t page,
		     uint64_t nr)
{
	const unsigned int vmas = fake_nr_vmas(fake);

	return view == &fake->views[fake->host] &&
	       (vmas > fake->max_vmas || (vmas == fake->max_vmas && cuts(view, page, nr)));
}

static void check_map(struct fake *fake, const struct fake_view *view, uint64_t page, uint64_t nr)
{
	if (page + nr > view->nr_pages || view->theirs)
		fake_breaks(fake, "a mapping that is not the backend's was replaced");
	if (fake->has_attributes && fake_is_pointed_to(fake, view))
		fake_breaks(fake, "KVM's window was changed");
}

static int fake_map(void *ctx, void **addr, uint64_t size, int fd, uint64_t offset)
{
	struct fake *fake = ctx;
	const struct fake_file *file = fake_file_of(fake, fd);
	const int err = fails(fake);
	uint64_t page = 0, nr = size / PAGE;
	struct fake_view *view = *addr ? fake_view_of(fake, *addr, &page) : NULL;

	if (*addr && !view) {
		fake_breaks(fake, "a mapping that is not the backend's was replaced");
		return -EINVAL;
	}
	for (uint64_t i = 0; err && fake->tear && *addr && i < nr; i++)
		view->fd[page + i] = -1;
	if (err)
		return err;
	if (!file || !size || size % PAGE || offset % PAGE)
		return -EINVAL;
	nr = (nr + file->grain - 1) / file->grain * file->grain; /* as hugetlbfs does */
	if (file->guest_memfd && !(file->flags & GUEST_MEMFD_FLAG_MMAP))
		return -ENODEV;
	if (offset / PAGE - file->first != page)
		fake_breaks(fake, "a mapping whose offset is not its index");
	if (!view) {
		view = fake_new_view(fake, nr, 0);
		*addr = (void *)(uintptr_t)view->base;
	}
	check_map(fake, view, page, nr);
	if (page + nr > view->nr_pages)
		return -EINVAL;
	if (too_many(fake, view, page, nr))
		return -ENOMEM;
	for (uint64_t i = 0; i < nr; i++) {
		view->fd[page + i] = fd;
		view->page[page + i] = offset / PAGE + i;
	}
	fake_check_safety(fake);
	return 0;
}

static int fake_reserve(void *ctx, void **addr, uint64_t size, uint64_t align)
{
	struct fake *fake = ctx;
	const int err = fails(fake);

	if (err)
		return err;
	if (align != 2 << 20)
		fake_breaks(fake, "reserved addresses are not aligned");
	*addr = (void *)(uintptr_t)fake_new_view(fake, size / PAGE, align)->base;
	return 0;
}

static int fake_unmap(void *ctx, void *addr, uint64_t size)
{
	struct fake *fake = ctx;
	uint64_t page;
	struct fake_view *view = fake_view_of(fake, addr, &page);
	const int err = fails(fake);

	if (err)
		return err;
	if (!view || view->theirs || page || size != view->nr_pages * PAGE) {
		fake_breaks(fake, "a range that is not the backend's was unmapped");
		return -EINVAL;
	}
	if (fake_is_pointed_to(fake, view))
		fake_breaks(fake, "a range that a memslot points to was unmapped");
	view->nr_pages = 0;
	return 0;
}

static int fake_look(void *ctx, void *addr, uint64_t size)
{
	struct fake *fake = ctx;
	const int err = fails(fake);
	uint64_t page;
	const struct fake_view *view = fake_view_of(fake, addr, &page);

	if (err)
		return err;
	for (uint64_t i = 0; i < size / PAGE; i++)
		if (view->fd[page + i] < 0)
			return -ENOMEM;
	return 0;
}

/* Checks that the guest sees none of the @nr pages of a file that begin at @from. */
static void check_punch(struct fake *fake, const unsigned int *from, uint64_t nr)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *slot = &fake->slots[i];

		for (uint64_t k = 0; !slot->left && k < slot->nr_pages; k++) {
			unsigned int *content = NULL;

			fake_guest_sees(fake, slot->gfn + k, &content);
			if (content >= from && content < from + nr)
				fake_breaks(fake, "a page that the guest sees was punched out");
		}
	}
}

static int fake_discard(void *ctx, void *addr, uint64_t size)
{
	struct fake *fake = ctx;
	const int err = fails(fake);
	uint64_t page;
	const struct fake_view *view = fake_view_of(fake, addr, &page);

	if (err)
		return err;
	if (!view || !view->theirs || page + size / PAGE > view->nr_pages) {
		fake_breaks(fake, "a range that is not the caller's mapping was discarded");
		return -EINVAL;
	}
	for (uint64_t i = page; i < page + size / PAGE; i++) {
		unsigned int *content = &fake_file_of(fake, view->fd[i])->content[view->page[i]];

		check_punch(fake, content, 1);
		*content = 0;
	}
	return 0;
}

static int64_t fake_grain(void *ctx, int fd)
{
	struct fake *fake = ctx;
	const int err = fails(fake);

	if (err)
		return err;
	return fake_file_of(fake, fd) ? (int64_t)(fake_file_of(fake, fd)->grain * PAGE) : -EBADF;
}

static int fake_punch(void *ctx, int fd, uint64_t offset, uint64_t size)
{
	struct fake *fake = ctx;
	struct fake_file *file = fake_file_of(fake, fd);
	int err = fails(fake);

	if (err)
		return err;
	if (!file || !size || size % PAGE || offset % PAGE ||
	    (offset + size) / PAGE > file->nr_pages)
		return -EINVAL;
	check_punch(fake, &file->content[offset / PAGE], size / PAGE);
	memset(&file->content[offset / PAGE], 0, size / PAGE * sizeof(file->content[0]));
	return 0;
}

static int fake_memfd(void *ctx, const char *name, uint64_t size)
{
	struct fake *fake = ctx;
	const int err = fails(fake);

	(void)name;
	if (err)
		return err;
	return fake_open(fake, false, size, GUEST_MEMFD_FLAG_INIT_SHARED);
}

static void fake_close(void *ctx, int fd)
{
	struct fake *fake = ctx;
	struct fake_file *file = fake_file_of(fake, fd);

	if (!file || file->theirs) {
		fake_breaks(fake, "a file that is not open, or not the backend's, was closed");
		return;
	}
	for (unsigned int i = 0; i < FAKE_SLOTS; i++)
		if (fake->slots[i].nr_pages && fake->slots[i].fd == fd)
			fake_breaks(fake, "a file that a memslot shows was closed");
	file->open = false;
}

void fake_init_sys(struct fake *fake)
{
	fake->sys = (struct gms_kvm_sys) {
		.ctx = fake,
		.ioctl = fake_ioctl,
		.guest_memfd = fake_guest_memfd,
		.map = fake_map,
		.unmap = fake_unmap,
		.look = fake_look,
		.punch = fake_punch,
		.memfd = fake_memfd,
		.close = fake_close,
		.reserve = fake_reserve,
		.discard = fake_discard,
		.grain = fake_grain,
	};
}
