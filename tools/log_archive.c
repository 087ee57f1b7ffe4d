// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_archive.c - reads compressed text with libarchive: see log_source.h
 *
 * libarchive says if a file is cut. It does not look at the checksum of gzip (3.6), so a damaged
 * file may show in lines that are malformed only. Only filters that are compiled into libarchive
 * are allowed, because for others it runs programs.
 */
#include "log_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARCHIVE_BLOCK 65536

/**
 * struct log_archive - a compressed file
 * @archive: libarchive's reader
 * @is_first: no text was read yet
 * @is_empty: there is no text
 * @block: a block of the file
 */
struct log_archive {
	struct archive *archive;
	bool is_first;
	bool is_empty;
	char block[ARCHIVE_BLOCK];
};

static la_ssize_t archive_read_file(struct archive *archive, void *context, const void **buf)
{
	struct log_source *source = context;
	struct log_archive *reader = source->reader;
	ssize_t nr = log_source_read(source, reader->block, sizeof(reader->block));

	*buf = reader->block;
	if (nr < 0)
		archive_set_error(archive, errno, "%s", strerror(errno));
	return nr;
}

/* Keeps libarchive's reason of a failure. Returns a negative errno. */
static int archive_failed(struct log_source *source)
{
	struct log_archive *reader = source->reader;
	const char *reason = archive_error_string(reader->archive);

	snprintf(source->reason, sizeof(source->reason), "damaged or cut: %s",
		 reason ? reason : "no reason given");
	return -EPROTONOSUPPORT;
}

static void archive_close_reader(struct log_source *source)
{
	struct log_archive *reader = source->reader;

	archive_read_free(reader->archive);
	free(reader);
}

int log_archive_open(struct log_source *source)
{
	struct log_archive *reader = calloc(1, sizeof(*reader));
	struct archive_entry *entry;
	struct archive *archive;
	int ret;

	if (!reader)
		return -ENOMEM;
	source->reader = reader;
	source->close_reader = archive_close_reader;
	reader->is_first = true;
	reader->archive = archive = archive_read_new();
	if (!archive)
		return -ENOMEM;
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_lz4(archive);
	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	ret = archive_read_open(archive, source, NULL, archive_read_file, NULL);
	if (ret == ARCHIVE_OK)
		ret = archive_read_next_header(archive, &entry);
	reader->is_empty = ret == ARCHIVE_EOF;
	return ret == ARCHIVE_OK || reader->is_empty ? 0 : archive_failed(source);
}

ssize_t log_archive_read(void *context, char *buf, size_t size)
{
	struct log_source *source = context;
	struct log_archive *reader = source->reader;
	la_ssize_t nr = reader->is_empty ? 0 : archive_read_data(reader->archive, buf, size);

	if (nr < 0) {
		errno = -archive_failed(source);
		return -1;
	}
	if (reader->is_first && log_source_is_recording(buf, (size_t)nr)) {
		snprintf(source->reason, sizeof(source->reason),
			 "a trace.dat inside: decompress it first");
		errno = EPROTONOSUPPORT;
		return -1;
	}
	reader->is_first = false;
	return nr;
}
