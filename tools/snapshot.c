// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * snapshot.c - reads, walks and writes files that hold a snapshot: see snapshot.h
 */
#define _GNU_SOURCE
#include "snapshot.h"

#include <gmemstate/order.h>
#include <gmemstate/snapshot.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Offsets of fields in the header, and the size of the header. */
#define SNAPSHOT_VERSION 8
#define SNAPSHOT_SIZE 16
#define SNAPSHOT_FOLIO_ORDER 32
#define SNAPSHOT_NR_ATTRS 33
#define SNAPSHOT_HEADER 40

#define SNAPSHOT_BLOCK 65536

/* The sets, in the order of the file. */
enum { SNAPSHOT_PRIVATE, SNAPSHOT_QUARANTINED, SNAPSHOT_4K, SNAPSHOT_2M, SNAPSHOT_ATTRS };

bool snapshot_is(const char *head, size_t nr_head)
{
	static const char magic[] = "gmemsnap";

	return nr_head >= sizeof(magic) - 1 && !memcmp(head, magic, sizeof(magic) - 1);
}

/* ---- reading ---- */

/* Returns the size that the header states, once it was read; at most one more than is taken. */
static uint64_t snapshot_stated_size(const struct snapshot *snapshot)
{
	uint64_t size = 0;

	if (snapshot->size < SNAPSHOT_HEADER)
		return SNAPSHOT_MAX_BYTES + 1;
	for (unsigned int i = 0; i < 8; i++)
		size |= (uint64_t)snapshot->bytes[SNAPSHOT_SIZE + i] << (8 * i);
	return size < SNAPSHOT_MAX_BYTES ? size : SNAPSHOT_MAX_BYTES + 1;
}

/* Reads the file. Stops if it is longer than it says, so that a pipe may be endless. */
static int snapshot_read_bytes(struct snapshot *snapshot, FILE *file)
{
	size_t capacity = 0, nr;

	do {
		if (snapshot->size + SNAPSHOT_BLOCK > capacity) {
			unsigned char *bytes;

			capacity = 2 * capacity + SNAPSHOT_BLOCK;
			bytes = realloc(snapshot->bytes, capacity);
			if (!bytes)
				return -ENOMEM;
			snapshot->bytes = bytes;
		}
		nr = fread(snapshot->bytes + snapshot->size, 1, SNAPSHOT_BLOCK, file);
		snapshot->size += nr;
		if (snapshot->size > SNAPSHOT_MAX_BYTES)
			return -EFBIG;
		if (snapshot->size > snapshot_stated_size(snapshot))
			return -EBADMSG;
	} while (nr == SNAPSHOT_BLOCK);
	return ferror(file) ? -errno : 0;
}

/* An allocator that counts, and fails at SNAPSHOT_MAX_BYTES. Only one thread uses it. */
static void *snapshot_alloc(void *ctx, size_t size, size_t align)
{
	struct snapshot *snapshot = ctx;
	void *p;

	if (size > SNAPSHOT_MAX_BYTES - snapshot->memory || posix_memalign(&p, align, size))
		return NULL;
	snapshot->memory += size;
	return p;
}

static void snapshot_free(void *ctx, void *p, size_t size, size_t align)
{
	struct snapshot *snapshot = ctx;

	(void)align;
	snapshot->memory -= size;
	free(p);
}

int snapshot_read(struct snapshot *snapshot, FILE *file, uint64_t nr_pages)
{
	const struct gms_allocator allocator = {
		.struct_size = sizeof(allocator),
		.alloc = snapshot_alloc,
		.free = snapshot_free,
		.ctx = snapshot,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	int ret;

	*snapshot = (struct snapshot) {0};
	ret = snapshot_read_bytes(snapshot, file);
	if (ret)
		return ret;
	opts.nr_pages = nr_pages;
	opts.allocator = &allocator;
	ret = gms_snapshot_load(snapshot->bytes, snapshot->size, &opts, &snapshot->state);
	if (ret)
		return ret == -ENOMEM ? -EFBIG : ret;
	snapshot->version = snapshot->bytes[SNAPSHOT_VERSION];
	snapshot->folio_order = snapshot->bytes[SNAPSHOT_FOLIO_ORDER];
	snapshot->nr_attrs = snapshot->bytes[SNAPSHOT_NR_ATTRS];
	return 0;
}

void snapshot_fini(struct snapshot *snapshot)
{
	gms_state_destroy(snapshot->state);
	free(snapshot->bytes);
	*snapshot = (struct snapshot) {0};
}

/* ---- walking ---- */

/* Returns the length of a run of a set, a LEB128 number, and moves behind it. */
static uint64_t snapshot_length(const unsigned char **at)
{
	uint64_t length = 0;
	unsigned int shift = 0;
	unsigned char byte;

	do {
		byte = *(*at)++;
		length |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return length;
}

void snapshot_walk_init(struct snapshot_walk *walk, const struct snapshot *snapshot)
{
	const unsigned char *at = snapshot->bytes + SNAPSHOT_HEADER;

	*walk = (struct snapshot_walk) {
		.nr_sets = SNAPSHOT_ATTRS + snapshot->nr_attrs,
		.end = gms_state_nr_pages(snapshot->state),
	};
	for (unsigned int i = 0; i < walk->nr_sets; i++) {
		walk->set[i].lengths = at;
		/* The first length is that of pages that are not in the set. */
		walk->set[i].in = true;
		for (uint64_t pages = 0; pages < walk->end;)
			pages += snapshot_length(&at);
	}
}

bool snapshot_walk_next(struct snapshot_walk *walk, struct snapshot_run *run)
{
	uint64_t nr = walk->end - walk->at;

	if (!nr)
		return false;
	for (unsigned int i = 0; i < walk->nr_sets; i++) {
		while (!walk->set[i].left) {
			walk->set[i].left = snapshot_length(&walk->set[i].lengths);
			walk->set[i].in = !walk->set[i].in;
		}
		if (nr > walk->set[i].left)
			nr = walk->set[i].left;
	}
	*run = (struct snapshot_run) {
		.start = walk->at,
		.nr_pages = nr,
		.shareability = walk->set[SNAPSHOT_PRIVATE].in ? GMS_PRIVATE : GMS_SHARED,
		.quarantined = walk->set[SNAPSHOT_QUARANTINED].in,
		.max_order = walk->set[SNAPSHOT_4K].in   ? GMS_ORDER_4K
			     : walk->set[SNAPSHOT_2M].in ? GMS_ORDER_2M
							 : GMS_ORDER_1G,
	};
	for (unsigned int i = 0; i < walk->nr_sets; i++) {
		walk->set[i].left -= nr;
		if (i >= SNAPSHOT_ATTRS && walk->set[i].in)
			run->attrs |= 1U << (i - SNAPSHOT_ATTRS);
	}
	walk->at += nr;
	return true;
}

/* ---- writing ---- */

int snapshot_take(const struct gms_state *state, unsigned char **bytes, size_t *size)
{
	int ret = gms_snapshot_save(state, NULL, 0, size);

	*bytes = ret ? NULL : malloc(*size);
	if (*bytes)
		return gms_snapshot_save(state, *bytes, *size, NULL);
	return ret ? ret : -ENOMEM;
}

static int snapshot_write(const unsigned char *bytes, size_t size, const char *name)
{
	FILE *file = fopen(name, "wb");
	int ret = 0;

	if (!file || fwrite(bytes, 1, size, file) != size)
		ret = -errno;
	if (file && fclose(file) && !ret)
		ret = -errno;
	return ret;
}

/* Writes a file beside the old one, and renames it: the old one is there until the end. */
static int snapshot_replace(const unsigned char *bytes, size_t size, const char *name)
{
	struct stat old;
	char *part;
	int ret;

	if (!stat(name, &old) && !S_ISREG(old.st_mode)) /* a pipe or a device */
		return snapshot_write(bytes, size, name);
	if (asprintf(&part, "%s.part", name) < 0)
		return -ENOMEM;
	ret = snapshot_write(bytes, size, part);
	if (!ret && rename(part, name))
		ret = -errno;
	if (ret)
		unlink(part);
	free(part);
	return ret;
}

int snapshot_save(struct gms_state *state, const char *name)
{
	unsigned char *bytes;
	size_t size;
	int ret = snapshot_take(state, &bytes, &size);

	if (!ret)
		ret = snapshot_replace(bytes, size, name);
	free(bytes);
	return ret;
}
