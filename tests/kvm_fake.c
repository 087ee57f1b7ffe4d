// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvm_fake.c - a kernel in a few arrays: see kvm_fake.h
 */
#include "kvm_fake.h"

#include "test.h"
#include "uapi.h"

#define PAGE (1ULL << GMS_PAGE_SHIFT)
#define BOTH (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

static void breaks(struct fake *fake, const char *rule)
{
	if (!fake->broken)
		fake->broken = rule;
}

static struct fake_file *file_of(struct fake *fake, int fd)
{
	const int i = fd - FAKE_VM - 1;

	return i >= 0 && i < FAKE_FILES && fake->files[i].open ? &fake->files[i] : NULL;
}

static int open_file(struct fake *fake, bool guest_memfd, uint64_t size, uint64_t flags)
{
	for (int i = 0; i < FAKE_FILES; i++) {
		struct fake_file *file = &fake->files[i];

		if (file->open)
			continue;
		memset(file, 0, sizeof(*file));
		file->open = true;
		file->guest_memfd = guest_memfd;
		file->flags = flags;
		file->nr_pages = size / PAGE;
		for (unsigned int page = 0; page < FAKE_PAGES; page++)
			file->private[page] = !(flags & GUEST_MEMFD_FLAG_INIT_SHARED);
		return FAKE_VM + 1 + i;
	}
	return -EMFILE;
}

/* ---- who sees what ---- */

enum fake_sees fake_host_sees(struct fake *fake, uint64_t page, unsigned int **content)
{
	struct fake_file *file;

	if (page >= fake->host_pages || fake->host_fd[page] < 0)
		return FAKE_TORN;
	file = file_of(fake, fake->host_fd[page]);
	if (!file)
		return FAKE_TORN;
	if (page >= file->nr_pages || (file->guest_memfd && file->private[page]))
		return FAKE_PRIVATE;
	if (content)
		*content = &file->content[page];
	return FAKE_SHARED;
}

static struct fake_slot *slot_of(struct fake *fake, uint64_t gfn)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		struct fake_slot *slot = &fake->slots[i];

		if (gfn - slot->gfn < slot->nr_pages)
			return slot;
	}
	return NULL;
}

enum fake_sees fake_guest_sees(struct fake *fake, uint64_t gfn, unsigned int **content)
{
	struct fake_slot *slot = slot_of(fake, gfn);
	struct fake_file *file;
	uint64_t offset;

	if (!slot)
		return FAKE_NOTHING;
	file = file_of(fake, slot->fd);
	offset = slot->offset + gfn - slot->gfn;
	if (!file || (fake->has_attributes && !fake->private[gfn])) {
		if (!file ||
		    fake_host_sees(fake, slot->page + gfn - slot->gfn, content) != FAKE_SHARED)
			return FAKE_TORN;
		return FAKE_SHARED;
	}
	if (content)
		*content = &file->content[offset];
	return file->private[offset] ? FAKE_PRIVATE : FAKE_SHARED;
}

static void check_safety(struct fake *fake)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *slot = &fake->slots[i];

		for (uint64_t k = 0; k < slot->nr_pages; k++)
			if (fake_guest_sees(fake, slot->gfn + k, NULL) == FAKE_PRIVATE &&
			    fake_host_sees(fake, slot->page + k, NULL) == FAKE_SHARED)
				breaks(fake, "the host can touch what is private to the guest");
	}
}

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
	default:
		return 0;
	}
}

static bool overlap(uint64_t a, uint64_t nr_a, uint64_t b, uint64_t nr_b)
{
	return a < b + nr_b && b < a + nr_a;
}

static int set_region(struct fake *fake, const struct kvm_userspace_memory_region2 *region)
{
	struct fake_slot new = {
		.gfn = region->guest_phys_addr / PAGE,
		.nr_pages = region->memory_size / PAGE,
		.page = (region->userspace_addr - FAKE_HOST) / PAGE,
		.offset = region->guest_memfd_offset / PAGE,
		.fd = (int)region->guest_memfd,
	};
	const struct fake_file *file = file_of(fake, new.fd);

	if (fake->stopped && !*fake->stopped)
		breaks(fake, "memslots were changed while vCPUs ran");
	if (region->slot >= FAKE_SLOTS)
		return -EINVAL;
	if (!region->memory_size) {
		if (!fake->slots[region->slot].nr_pages)
			return -EINVAL;
		memset(&fake->slots[region->slot], 0, sizeof(new));
		return 0;
	}
	if (fake->slots[region->slot].nr_pages || region->flags != KVM_MEM_GUEST_MEMFD || !file ||
	    !file->guest_memfd || region->guest_phys_addr % PAGE || region->memory_size % PAGE ||
	    region->userspace_addr % PAGE || region->guest_memfd_offset % PAGE ||
	    new.offset + new.nr_pages > file->nr_pages || new.gfn + new.nr_pages > FAKE_GFNS)
		return -EINVAL;
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *slot = &fake->slots[i];

		if (overlap(new.gfn, new.nr_pages, slot->gfn, slot->nr_pages))
			return -EEXIST;
		if (new.fd == slot->fd &&
		    overlap(new.offset, new.nr_pages, slot->offset, slot->nr_pages))
			return -EINVAL;
	}
	if (new.page != new.offset)
		breaks(fake, "a memslot whose address is not that of its pages");
	fake->slots[region->slot] = new;
	return 0;
}

static int set_attributes(struct fake *fake, const struct kvm_memory_attributes *attributes)
{
	const uint64_t gfn = attributes->address / PAGE, nr = attributes->size / PAGE;

	if (!fake->has_attributes)
		return -ENOTTY;
	if (!nr || attributes->address % PAGE || attributes->size % PAGE || attributes->flags ||
	    (attributes->attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE) || gfn + nr > FAKE_GFNS)
		return -EINVAL;
	for (uint64_t i = 0; i < nr; i++)
		fake->private[gfn + i] = attributes->attributes;
	return 0;
}

static int set_attributes2(struct fake *fake, int fd, struct kvm_memory_attributes2 *attributes)
{
	const uint64_t start = attributes->offset / PAGE, nr = attributes->size / PAGE;
	struct fake_file *file = file_of(fake, fd);

	if (!fake->has_in_place || !file || !file->guest_memfd)
		return -ENOTTY;
	if (!nr || attributes->offset % PAGE || attributes->size % PAGE || attributes->flags ||
	    (attributes->attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE) || start + nr > file->nr_pages)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(attributes->reserved); i++)
		if (attributes->reserved[i])
			return -EINVAL;
	for (uint64_t i = 0; attributes->attributes && i < nr; i++) {
		if (file->pinned[start + i]) {
			attributes->error_offset = (start + i) * PAGE;
			return -EAGAIN;
		}
	}
	for (uint64_t i = 0; i < nr; i++)
		file->private[start + i] = attributes->attributes;
	return 0;
}

/* ---- system calls ---- */

static int fails(struct fake *fake)
{
	const uint64_t call = fake->calls++;

	if (call < fake->fail_from || call >= fake->fail_to)
		return 0;
	fake->failed++;
	return fake->fail_err;
}

static int fake_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	struct fake *fake = ctx;
	int ret = fails(fake);

	if (ret)
		return ret;
	if (request == KVM_SET_MEMORY_ATTRIBUTES2)
		ret = set_attributes2(fake, fd, arg);
	else if (fd != FAKE_VM)
		ret = -ENOTTY;
	else if (request == KVM_CHECK_EXTENSION)
		ret = check_extension(fake, (uintptr_t)arg);
	else if (request == KVM_SET_USER_MEMORY_REGION2)
		ret = set_region(fake, arg);
	else if (request == KVM_SET_MEMORY_ATTRIBUTES)
		ret = set_attributes(fake, arg);
	else
		ret = -ENOTTY;
	check_safety(fake);
	return ret;
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
	return open_file(fake, true, size, flags);
}

unsigned int fake_nr_vmas(const struct fake *fake)
{
	unsigned int nr = 0;

	for (uint64_t page = 0; page < fake->host_pages; page++)
		nr += fake->host_fd[page] >= 0 &&
		      (!page || fake->host_fd[page] != fake->host_fd[page - 1]);
	return nr;
}

/* Would it cut one mapping into two? */
static bool cuts(const struct fake *fake, uint64_t page, uint64_t nr)
{
	if (!page || page + nr == fake->host_pages)
		return false;
	for (uint64_t i = page; i <= page + nr; i++)
		if (fake->host_fd[i] != fake->host_fd[i - 1])
			return false;
	return true;
}

/* As Linux does: the limit comes first, and does not look at what would merge. */
static int map_over(struct fake *fake, uint64_t page, uint64_t nr, int fd)
{
	const unsigned int vmas = fake_nr_vmas(fake);

	if (page + nr > fake->host_pages) {
		breaks(fake, "mapped over what is not ours");
		return -EINVAL;
	}
	if (vmas > fake->max_vmas || (vmas == fake->max_vmas && cuts(fake, page, nr)))
		return -ENOMEM;
	for (uint64_t i = 0; i < nr; i++)
		fake->host_fd[page + i] = fd;
	return 0;
}

static int fake_map(void *ctx, void **addr, uint64_t size, int fd, uint64_t offset)
{
	const uint64_t page = *addr ? ((uintptr_t)*addr - FAKE_HOST) / PAGE : 0, nr = size / PAGE;
	struct fake *fake = ctx;
	const struct fake_file *file = file_of(fake, fd);
	int err = fails(fake);

	if (err) {
		for (uint64_t i = 0; fake->tear && *addr && i < nr; i++)
			fake->host_fd[page + i] = -1;
		return err;
	}
	if (!file || !size || size % PAGE || offset % PAGE)
		return -EINVAL;
	if (file->guest_memfd && !(file->flags & GUEST_MEMFD_FLAG_MMAP))
		return -ENODEV;
	if (offset / PAGE != page)
		breaks(fake, "a mapping whose offset is not its index");
	if (!*addr) {
		fake->host_pages = nr;
		for (uint64_t i = 0; i < nr; i++)
			fake->host_fd[i] = -1;
		*addr = (void *)(uintptr_t)FAKE_HOST;
	}
	err = map_over(fake, page, nr, fd);
	check_safety(fake);
	return err;
}

static int fake_unmap(void *ctx, void *addr, uint64_t size)
{
	struct fake *fake = ctx;

	if ((uintptr_t)addr != FAKE_HOST || size != fake->host_pages * PAGE)
		breaks(fake, "unmapped something else");
	fake->host_pages = 0;
	return 0;
}

static int fake_look(void *ctx, void *addr, uint64_t size)
{
	const uint64_t page = ((uintptr_t)addr - FAKE_HOST) / PAGE;
	struct fake *fake = ctx;
	const int err = fails(fake);

	if (err)
		return err;
	for (uint64_t i = 0; i < size / PAGE; i++)
		if (fake->host_fd[page + i] < 0)
			return -ENOMEM;
	return 0;
}

static int fake_punch(void *ctx, int fd, uint64_t offset, uint64_t size)
{
	struct fake *fake = ctx;
	struct fake_file *file = file_of(fake, fd);
	int err = fails(fake);

	if (err)
		return err;
	if (!file || !size || size % PAGE || offset % PAGE ||
	    (offset + size) / PAGE > file->nr_pages)
		return -EINVAL;
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
	return open_file(fake, false, size, GUEST_MEMFD_FLAG_INIT_SHARED);
}

static void fake_close(void *ctx, int fd)
{
	struct fake *fake = ctx;
	struct fake_file *file = file_of(fake, fd);

	if (!file)
		breaks(fake, "closed what is not open");
	else
		file->open = false;
}

void fake_init(struct fake *fake, enum gms_kvm_way way)
{
	memset(fake, 0, sizeof(*fake));
	fake->has_in_place = way == GMS_KVM_IN_PLACE;
	fake->has_attributes = way == GMS_KVM_ATTRIBUTES;
	fake->has_memslots = way == GMS_KVM_MEMSLOTS;
	fake->max_vmas = FAKE_PAGES;
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
	};
}

const char *fake_check(const struct fake *fake)
{
	return fake->broken;
}

void fake_fail(struct fake *fake, uint64_t skip, uint64_t count, int err)
{
	fake->fail_from = fake->calls + skip;
	fake->fail_to = count < UINT64_MAX - fake->fail_from ? fake->fail_from + count : UINT64_MAX;
	fake->fail_err = err;
	fake->failed = 0;
}

void fake_fail_never(struct fake *fake)
{
	fake->fail_from = fake->fail_to = 0;
	fake->tear = false;
}

unsigned int fake_nr_files(const struct fake *fake)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < FAKE_FILES; i++)
		nr += fake->files[i].open;
	return nr;
}

unsigned int fake_nr_slots(const struct fake *fake)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < FAKE_SLOTS; i++)
		nr += fake->slots[i].nr_pages > 0;
	return nr;
}
