// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_source.c - finds out what a file is, and opens it: see log_source.h
 */
#define _GNU_SOURCE /* fopencookie */
#include "log_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* How much text is read at once. */
#define SOURCE_BUFFER 65536

/* How the first bytes of a file show that it is compressed. The program has the name, too. */
static const struct {
	const char *magic;
	const char *name;
} source_filters[] = {
	{"\x1f\x8b", "gzip"}, {"\xfd\x37zXZ", "xz"},       {"\x28\xb5\x2f\xfd", "zstd"},
	{"BZh", "bzip2"},     {"\x04\x22\x4d\x18", "lz4"},
};

#define SOURCE_NR_FILTERS (sizeof(source_filters) / sizeof(*source_filters))

bool log_source_is_recording(const char *head, size_t nr_head)
{
	static const char magic[] = "\x17\x08\x44tracing";

	return nr_head >= sizeof(magic) - 1 && !memcmp(head, magic, sizeof(magic) - 1);
}

ssize_t log_source_read_fd(int fd, char *buf, size_t size)
{
	ssize_t nr;

	do {
		nr = read(fd, buf, size);
	} while (nr < 0 && errno == EINTR);
	return nr;
}

ssize_t log_source_read(struct log_source *source, char *buf, size_t size)
{
	const size_t left = source->nr_head - source->head_at;

	if (!left)
		return log_source_read_fd(source->fd, buf, size);
	if (size > left)
		size = left;
	memcpy(buf, source->head + source->head_at, size);
	source->head_at += size;
	return (ssize_t)size;
}

static ssize_t source_read_text(void *source, char *buf, size_t size)
{
	return log_source_read(source, buf, size);
}

/* Names a file that only its own tool reads. Returns 0 if it is none. */
static int source_refuse_foreign(struct log_source *source)
{
	static const struct {
		const char magic[LOG_SOURCE_HEAD + 1];
		const char *what;
	} foreign[] = {
		{"PERFILE2", "a perf.data: give the output of perf script"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xb4\x29",
		 "of QEMU's simple backend: give the output of scripts/simpletrace.py"},
	};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		const size_t len = strlen(foreign[i].magic);

		if (source->nr_head < len || memcmp(source->head, foreign[i].magic, len))
			continue;
		snprintf(source->reason, sizeof(source->reason), "%s", foreign[i].what);
		return -EPROTONOSUPPORT;
	}
	return 0;
}

/* Reads the first bytes of the file. A pipe may give them one by one. */
static int source_read_head(struct log_source *source)
{
	while (source->nr_head < sizeof(source->head)) {
		ssize_t nr = log_source_read_fd(source->fd, source->head + source->nr_head,
						sizeof(source->head) - source->nr_head);

		if (nr < 0)
			return -errno;
		if (!nr)
			break;
		source->nr_head += (size_t)nr;
	}
	return 0;
}

/* Returns which filter the file is compressed with; SOURCE_NR_FILTERS: none. */
static size_t source_find_filter(const struct log_source *source)
{
	size_t i;

	for (i = 0; i < SOURCE_NR_FILTERS; i++) {
		const size_t len = strlen(source_filters[i].magic);

		if (source->nr_head >= len && !memcmp(source->head, source_filters[i].magic, len))
			break;
	}
	return i;
}

/* Opens compressed text. Sets *read to what reads it. */
static int source_open_archive(struct log_source *source, size_t filter,
			       cookie_read_function_t **read)
{
#ifdef GMS_WITH_LIBARCHIVE
	(void)filter;
	*read = log_archive_read;
	return log_archive_open(source);
#else
	(void)read;
	snprintf(source->reason, sizeof(source->reason),
		 "%s: built without libarchive, so read it with %s -dc FILE | gmemstate ... -",
		 source_filters[filter].name, source_filters[filter].name);
	return -EPROTONOSUPPORT;
#endif
}

/* Opens a recording of trace-cmd. Sets *read to what reads it. */
static int source_open_recording(struct log_source *source, cookie_read_function_t **read)
{
#ifdef GMS_WITH_LIBTRACECMD
	if (lseek(source->fd, 0, SEEK_SET) == 0) {
		*read = log_recording_read;
		return log_recording_open(source);
	}
	snprintf(source->reason, sizeof(source->reason),
		 "a trace.dat cannot be read from a pipe: name the file, or give the output of "
		 "trace-cmd report");
#else
	(void)read;
	snprintf(source->reason, sizeof(source->reason),
		 "trace.dat: built without libtracecmd, so read it with trace-cmd report -i FILE | "
		 "gmemstate ... -");
#endif
	return -EPROTONOSUPPORT;
}

int log_source_open(struct log_source *source, const char *name)
{
	cookie_read_function_t *reader = source_read_text;
	size_t filter;
	int ret;

	*source = (struct log_source) {.fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC)
							       : dup(STDIN_FILENO)};
	if (source->fd < 0)
		return -errno;
	ret = source_read_head(source);
	if (!ret)
		ret = source_refuse_foreign(source);
	filter = source_find_filter(source);
	if (!ret && log_source_is_recording(source->head, source->nr_head))
		ret = source_open_recording(source, &reader);
	else if (!ret && filter < SOURCE_NR_FILTERS)
		ret = source_open_archive(source, filter, &reader);
	if (ret)
		return ret;
	source->file = fopencookie(source, "r", (cookie_io_functions_t) {.read = reader});
	if (!source->file)
		return -errno;
	setvbuf(source->file, NULL, _IOFBF, SOURCE_BUFFER);
	return 0;
}

void log_source_close(struct log_source *source)
{
	if (source->file)
		fclose(source->file);
	if (source->close_reader)
		source->close_reader(source);
	if (source->fd >= 0)
		close(source->fd);
	*source = (struct log_source) {.fd = -1};
}
