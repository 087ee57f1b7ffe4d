/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log_source.h - opens a log: text, compressed text, or a recording of trace-cmd
 *
 * The first bytes of a file say what it is. Text that is compressed with gzip, xz, zstd, bzip2 or
 * lz4 is read with libarchive, and a recording (trace.dat) with libtracecmd, line by line, as
 * trace-cmd report prints it. The tool may be built without either library: then it says which
 * library, and which command, the file needs.
 *
 * Invariant: what is read is not kept. A file of any size takes the memory of one block, and what
 * the library needs for its window.
 */
#ifndef GMS_TOOL_LOG_SOURCE_H
#define GMS_TOOL_LOG_SOURCE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define LOG_SOURCE_HEAD 10

/**
 * struct log_source - an open log
 * @file: the log's text
 * @reason: why opening or reading failed; empty: errno says it
 * @fd: the file
 * @head: its first bytes, which were read to find out what it is
 * @nr_head: number of bytes in @head
 * @head_at: how many of them were read again
 * @reader: what turns @fd into text; NULL: @fd is text
 * @close_reader: frees @reader; NULL: there is none
 */
struct log_source {
	FILE *file;
	char reason[160];
	int fd;
	char head[LOG_SOURCE_HEAD];
	size_t nr_head;
	size_t head_at;
	void *reader;
	void (*close_reader)(struct log_source *source);
};

/**
 * log_source_open() - open a log
 * @source: filled in; the caller closes it with log_source_close() after a failure, too
 * @name: name of the file; "-" is standard input. A recording can only be read from a file
 *
 * Return: 0; -EPROTONOSUPPORT: @source->reason says why; -ENOMEM; another -errno.
 */
int log_source_open(struct log_source *source, const char *name);

/**
 * log_source_read() - read bytes of the file, as they are in it
 * @source: the open log
 * @buf: stores the bytes
 * @size: how many to read at most
 *
 * Return: the number of bytes; 0: the end of the file; -1: errno says why.
 */
ssize_t log_source_read(struct log_source *source, char *buf, size_t size);

/**
 * log_source_read_fd() - read from a file as often as a signal interrupts that
 * @fd: the file
 * @buf: stores the bytes
 * @size: how many to read at most
 *
 * Return: as read().
 */
ssize_t log_source_read_fd(int fd, char *buf, size_t size);

/**
 * log_source_is_recording() - find out if a file is a recording of trace-cmd
 * @head: first bytes of the file
 * @nr_head: number of bytes in @head
 *
 * Return: true if it is.
 */
bool log_source_is_recording(const char *head, size_t nr_head);

/**
 * log_source_close() - close a log
 * @source: the log
 */
void log_source_close(struct log_source *source);

/*
 * The readers. An open function sets @reader and @close_reader of the source. A read function is
 * one for fopencookie(); if it returns -1, errno or @reason of the source says why.
 */
int log_archive_open(struct log_source *source);
ssize_t log_archive_read(void *source, char *buf, size_t size);
int log_recording_open(struct log_source *source);
ssize_t log_recording_read(void *source, char *buf, size_t size);

#endif /* GMS_TOOL_LOG_SOURCE_H */
