// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * backing.c - the guest_memfd of a conversion in place
 */
#define _GNU_SOURCE
#include "backing.h"

#include <gmemstate/order.h>
#include <gmemstate/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../kernel/gmem/uapi.h"

static const char *const policies[] = {
	"default", "eager-rfc", "eager", "eager-nonuniform", "lazy-4k", "lazy", "adaptive",
};

static int parse_order(const char *value, uint64_t *flags)
{
	*flags &= ~(GUEST_MEMFD_FLAG_4K | GUEST_MEMFD_FLAG_2M);
	if (!strcmp(value, "0"))
		*flags |= GUEST_MEMFD_FLAG_4K;
	else if (!strcmp(value, "9"))
		*flags |= GUEST_MEMFD_FLAG_2M;
	else
		return -EINVAL;
	return 0;
}

static int parse_policy(const char *value, uint64_t *flags)
{
	*flags &= ~GUEST_MEMFD_FLAG_POLICY_MASK;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (!strcmp(value, policies[i])) {
			*flags |= GUEST_MEMFD_FLAG_POLICY(i);
			return 0;
		}
	return -EINVAL;
}

int backing_option(const char *name, const char *value, uint64_t *flags)
{
	if (!strcmp(name, "--folio-order"))
		return parse_order(value, flags);
	if (!strcmp(name, "--policy"))
		return parse_policy(value, flags);
	return -ENOENT;
}

int backing_create(int vm, uint64_t nr_pages, uint64_t flags)
{
	struct kvm_create_guest_memfd create = {
		.size = nr_pages << GMS_PAGE_SHIFT,
		.flags = flags | GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED,
	};
	int fd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create);

	return fd < 0 ? -errno : fd;
}

unsigned int backing_folio_order(uint64_t flags)
{
	unsigned int order = GMS_ORDER_4K;
	FILE *file;

	if (flags & (GUEST_MEMFD_FLAG_4K | GUEST_MEMFD_FLAG_2M))
		return flags & GUEST_MEMFD_FLAG_2M ? GMS_ORDER_2M : GMS_ORDER_4K;
	file = fopen("/sys/module/gmem/parameters/order", "re");
	if (file && fscanf(file, "%u", &order) != 1)
		order = GMS_ORDER_4K;
	if (file)
		fclose(file);
	return order;
}

int backing_convert(int fd, uint64_t start, uint64_t nr_pages, bool private)
{
	struct kvm_memory_attributes2 attributes = {
		.offset = start << GMS_PAGE_SHIFT,
		.size = nr_pages << GMS_PAGE_SHIFT,
		.attributes = private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES2, &attributes) ? -errno : 0;
}

int backing_discard(int fd, uint64_t start, uint64_t nr_pages)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)(start << GMS_PAGE_SHIFT), (off_t)(nr_pages << GMS_PAGE_SHIFT))
		       ? -errno
		       : 0;
}

/* Prints those lines of a file that contain @only, each after a comma and @name. */
static void print_lines(const char *path, const char *name, const char *only)
{
	FILE *file = fopen(path, "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strstr(line, only))
			printf(", %s%s", name, line);
	}
	if (file)
		fclose(file);
}

void backing_report(int fd, int vm)
{
	static const char *const names[] = {"pages_2m ", "pages_4k "};
	const char *const debugfs = "/sys/kernel/debug";
	char path[128];
	struct stat st;

	if (fstat(fd, &st) || access("/sys/kernel/debug/gmemstate", R_OK))
		return;
	printf("kernel: gmem-%llu", (unsigned long long)st.st_ino);
	snprintf(path, sizeof(path), "%s/gmemstate/gmem-%llu/gmem", debugfs,
		 (unsigned long long)st.st_ino);
	print_lines(path, "", "");
	snprintf(path, sizeof(path), "%s/gmemstate/gmem-%llu/stats", debugfs,
		 (unsigned long long)st.st_ino);
	print_lines(path, "", "s_2m ");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/kvm/%d-%d/%.8s", debugfs, (int)getpid(), vm,
			 names[i]);
		print_lines(path, names[i], "");
	}
	puts("");
}
