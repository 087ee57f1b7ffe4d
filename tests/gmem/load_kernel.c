// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_kernel.c - the kernel's free memory, and its messages
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Adds up the free pages of all zones, and those that the CPUs keep for themselves. */
static uint64_t count_free(FILE *file)
{
	uint64_t sum = 0, number;
	char line[256];

	while (fgets(line, sizeof(line), file)) {
		unsigned long long value;

		number = 0;
		if (sscanf(line, " pages free %llu", &value) == 1 ||
		    sscanf(line, " count: %llu", &value) == 1)
			number = value;
		sum += number;
	}
	return sum;
}

/* Writes to a file of the kernel, if it exists. */
static void poke(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

/* Makes the kernel free what it keeps without need: caches of files, and empty slabs. */
static void drop_caches(void)
{
	glob_t slabs;

	poke("/proc/sys/vm/drop_caches", "3");
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &slabs))
		return;
	for (size_t i = 0; i < slabs.gl_pathc; i++)
		poke(slabs.gl_pathv[i], "1");
	globfree(&slabs);
}

uint64_t load_kernel_free_pages(void)
{
	uint64_t free_pages;
	FILE *file;

	for (int i = 0; i < 2; i++) {
		usleep(500000); /* for what RCU frees */
		drop_caches();
	}
	file = fopen("/proc/zoneinfo", "re");
	if (!file)
		return 0;
	free_pages = count_free(file);
	fclose(file);
	return free_pages;
}

int load_kernel_messages(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	return fd;
}

/* KCSAN also reports races of the kernel itself, so scripts/test-gmem judges its reports. */
static bool is_complaint(const char *message)
{
	static const char *const words[] = {
		"WARNING:",           "BUG:",       "INFO:",    "Oops",  "Call Trace",
		"general protection", "corruption", "Bad page", "KASAN", "UBSAN",
	};

	if (strstr(message, "BUG: KCSAN"))
		return false;
	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(message, words[i]))
			return true;
	return false;
}

unsigned int load_kernel_complaints(int messages)
{
	unsigned int nr = 0;
	char text[8192];
	ssize_t length;

	for (;;) {
		length = read(messages, text, sizeof(text) - 1);
		if (length < 0 && errno == EPIPE) /* messages were overwritten */
			continue;
		if (length <= 0)
			return nr;
		text[length] = '\0';
		if (!is_complaint(text))
			continue;
		printf("the kernel: %s", text);
		nr++;
	}
}
