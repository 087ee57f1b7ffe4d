// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lib.c - a VM whose memory is one guest_memfd that is converted in place
 */
#define _GNU_SOURCE
#include "lib.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUGFS "/sys/kernel/debug"
#define ALIGNMENT (BLOCK * PAGE)

static const char *const policy_names[POLICY_NR] = {
	[POLICY_DEFAULT] = "default",   [POLICY_EAGER_RFC] = "eager-rfc",
	[POLICY_EAGER] = "eager",       [POLICY_EAGER_NONUNIFORM] = "eager-nonuniform",
	[POLICY_LAZY_4K] = "lazy-4k",   [POLICY_LAZY] = "lazy",
	[POLICY_ADAPTIVE] = "adaptive",
};

static const char *const folio_names[FOLIO_NR] = {
	[FOLIO_DEFAULT] = "default",
	[FOLIO_4K] = "4K",
	[FOLIO_2M] = "2M",
};

static const char *const side_names[] = {"shared", "private"};

const char *policy_name(enum policy policy)
{
	return policy_names[policy];
}

const char *folio_name(enum folio folio)
{
	return folio_names[folio];
}

const char *side_name(enum side side)
{
	return side_names[side];
}

static int find(const char *text, const char *const *names, unsigned int nr, unsigned int *found)
{
	for (*found = 0; *found < nr; ++*found)
		if (!strcmp(text, names[*found]))
			return 0;
	return -EINVAL;
}

int policy_parse(const char *text, enum policy *policy)
{
	unsigned int found;
	int err = find(text, policy_names, POLICY_NR, &found);

	*policy = (enum policy)found;
	return err;
}

int folio_parse(const char *text, enum folio *folio)
{
	static const char *const orders[FOLIO_NR] = {"default", "0", "9"};
	unsigned int found;
	int err = find(text, folio_names, FOLIO_NR, &found);

	if (err)
		err = find(text, orders, FOLIO_NR, &found);
	*folio = (enum folio)found;
	return err;
}

int side_parse(const char *text, enum side *side)
{
	unsigned int found;
	int err = find(text, side_names, 2, &found);

	*side = (enum side)found;
	return err;
}

/* ---- files, memslots, conversions ---- */

uint64_t gmem_flags(enum folio folio, enum policy policy, enum side first)
{
	return GUEST_MEMFD_FLAG_MMAP | (first == SHARED ? GUEST_MEMFD_FLAG_INIT_SHARED : 0) |
	       GUEST_MEMFD_FLAG_POLICY((uint64_t)policy) |
	       (folio == FOLIO_4K   ? GUEST_MEMFD_FLAG_4K
		: folio == FOLIO_2M ? GUEST_MEMFD_FLAG_2M
				    : 0);
}

bool gmem_supported(void)
{
	struct machine m = MACHINE_INIT;
	bool supported = false;

	if (!machine_create(&m, MACHINE_VM_SW_PROTECTED))
		supported =
			ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) > 0;
	machine_destroy(&m);
	return supported;
}

int gmem_create_fd(int vm, uint64_t nr_pages, uint64_t flags)
{
	struct kvm_create_guest_memfd create = {.size = nr_pages * PAGE, .flags = flags};
	int fd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create);

	return fd < 0 ? -errno : fd;
}

void *gmem_map(int fd, uint64_t page, uint64_t nr_pages)
{
	const size_t size = nr_pages * PAGE;
	unsigned char *all = mmap(NULL, size + ALIGNMENT, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t head;
	void *at;

	if (all == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)all % ALIGNMENT;
	at = mmap(all + head, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		  (off_t)(page * PAGE));
	if (head)
		munmap(all, head);
	munmap(all + head + size, ALIGNMENT - head);
	if (at != MAP_FAILED)
		return at;
	munmap(all + head, size);
	return NULL;
}

int gmem_set_slot(const struct gmem *g, unsigned int slot, uint64_t gpa, uint64_t page,
		  uint64_t nr_pages)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = nr_pages ? KVM_MEM_GUEST_MEMFD : 0,
		.guest_phys_addr = gpa,
		.memory_size = nr_pages * PAGE,
		.userspace_addr = (uintptr_t)g->host + page * PAGE,
		.guest_memfd_offset = page * PAGE,
		.guest_memfd = (uint32_t)g->fd,
	};

	return ioctl(g->m.vm, KVM_SET_USER_MEMORY_REGION2, &region) ? -errno : 0;
}

int gmem_create(struct gmem *g, uint64_t nr_pages, uint64_t flags)
{
	int err;

	*g = (struct gmem)GMEM_INIT;
	g->nr_pages = nr_pages;
	err = machine_create(&g->m, MACHINE_VM_SW_PROTECTED);
	if (err)
		return err;
	g->fd = gmem_create_fd(g->m.vm, nr_pages, flags);
	if (g->fd < 0)
		return g->fd;
	g->host = gmem_map(g->fd, 0, nr_pages);
	if (!g->host)
		return -errno;
	err = gmem_set_slot(g, MAIN_SLOT, MAIN_GPA, 0, nr_pages);
	return err ? err : guest_start(&g->m);
}

void gmem_destroy(struct gmem *g)
{
	if (g->host)
		munmap(g->host, g->nr_pages * PAGE);
	if (g->fd >= 0)
		close(g->fd);
	machine_destroy(&g->m);
	*g = (struct gmem)GMEM_INIT;
}

int gmem_convert(int fd, uint64_t page, uint64_t nr_pages, enum side to, uint64_t *at)
{
	struct kvm_memory_attributes2 attributes = {
		.offset = page * PAGE,
		.size = nr_pages * PAGE,
		.attributes = to == PRIVATE ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};
	int err = ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES2, &attributes) ? -errno : 0;

	if (at)
		*at = attributes.error_offset / PAGE;
	return err;
}

int gmem_allocate(int fd, uint64_t page, uint64_t nr_pages)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)(page * PAGE), (off_t)(nr_pages * PAGE))
		       ? -errno
		       : 0;
}

int gmem_punch(int fd, uint64_t page, uint64_t nr_pages)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, (off_t)(page * PAGE),
			 (off_t)(nr_pages * PAGE))
		       ? -errno
		       : 0;
}

int gmem_pre_fault(struct machine_vcpu *vcpu, uint64_t gpa, uint64_t nr_pages)
{
	struct kvm_pre_fault_memory range = {.gpa = gpa, .size = nr_pages * PAGE};

	/* after a part of the range, KVM stores what is left of it, and may return EINTR */
	while (range.size)
		if (ioctl(vcpu->fd, KVM_PRE_FAULT_MEMORY, &range) && errno != EINTR)
			return -errno;
	return 0;
}

/* ---- what a page holds ---- */

/* No two words of a page are alike, nor are words of pages with different stamps. */
static uint64_t word_of(uint64_t stamp, size_t i)
{
	const size_t last = PAGE / sizeof(uint64_t) - 1;

	if (!i)
		return probe_written(stamp, 0).first;
	if (i == last)
		return probe_written(stamp, 0).last;
	return (stamp + 1) * 0x9e3779b97f4a7c15ULL + i;
}

void page_fill(unsigned char *page, uint64_t stamp)
{
	volatile uint64_t *words = (void *)page;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		words[i] = word_of(stamp, i);
}

size_t page_differs(const unsigned char *page, uint64_t stamp)
{
	const volatile uint64_t *words = (const void *)page;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		if (words[i] != word_of(stamp, i))
			return i * sizeof(*words);
	return PAGE;
}

/* ---- debugfs ---- */

/* Reads a small file. Mounts debugfs if nobody has done so. */
static int read_file(const char *path, char *text, size_t size)
{
	ssize_t length;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && access(DEBUGFS "/kvm", F_OK) &&
	    !mount("debugfs", DEBUGFS, "debugfs", 0, NULL))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	close(fd);
	if (length < 0)
		return -EIO;
	text[length] = '\0';
	return 0;
}

/* Finds a line "name value". */
static int find_value(const char *text, const char *name, uint64_t *value)
{
	const size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && (line[length] == ' ' || line[length] == ':')) {
			*value = strtoull(line + length + 1, NULL, 10);
			return 0;
		}
	}
	return -ENOENT;
}

int gmem_counter(int fd, const char *name, uint64_t *value)
{
	static const char *const files[] = {"stats", "gmem"};
	int err = -ENOENT;
	char path[128], text[8192];
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	for (int i = 0; err == -ENOENT && i < 2; i++) {
		snprintf(path, sizeof(path), DEBUGFS "/gmemstate/gmem-%llu/%s",
			 (unsigned long long)st.st_ino, files[i]);
		err = read_file(path, text, sizeof(text));
		if (!err)
			err = find_value(text, name, value);
	}
	return err;
}

int vm_counter(int vm, const char *name, uint64_t *value)
{
	char path[128], text[64];
	int err;

	snprintf(path, sizeof(path), DEBUGFS "/kvm/%d-%d/%s", (int)getpid(), vm, name);
	err = read_file(path, text, sizeof(text));
	if (!err)
		*value = strtoull(text, NULL, 10);
	return err;
}
