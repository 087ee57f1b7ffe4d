/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * snapshot.h - reads, walks and writes files that hold a snapshot (docs/snapshot-format.md)
 *
 * Invariant: the bytes of a file are not trusted. The library has checked all of them before
 * anything else looks at them, and the memory that they make it take is bounded.
 */
#ifndef GMS_TOOL_SNAPSHOT_H
#define GMS_TOOL_SNAPSHOT_H

#include <gmemstate/attr.h>
#include <gmemstate/state.h>

#include <stdio.h>

/* The largest file that is read, and the most memory that its object may take. */
#define SNAPSHOT_MAX_BYTES (1ULL << 30)

/* The sets of a snapshot: private, quarantined, limited to 4K, limited to 2M, attributes. */
#define SNAPSHOT_MAX_SETS (4 + GMS_MAX_ATTRS)

/**
 * struct snapshot - a snapshot that was read
 * @bytes: its bytes
 * @size: their number
 * @version: version of the format
 * @folio_order: order of the folios
 * @nr_attrs: number of attributes
 * @state: the object
 * @memory: bytes that the object takes
 */
struct snapshot {
	unsigned char *bytes;
	size_t size;
	unsigned int version;
	unsigned int folio_order;
	unsigned int nr_attrs;
	struct gms_state *state;
	uint64_t memory;
};

/**
 * struct snapshot_run - pages that are alike
 * @start: index of the first page
 * @nr_pages: length in pages
 * @shareability: whether they are shared or private
 * @quarantined: they are quarantined
 * @max_order: order of the largest mapping that inhibits allow: 0, 9 or 18
 * @attrs: their attributes, a bit for each
 */
struct snapshot_run {
	gms_pgoff_t start;
	uint64_t nr_pages;
	enum gms_shareability shareability;
	bool quarantined;
	unsigned int max_order;
	unsigned int attrs;
};

/**
 * struct snapshot_walk - a walk over the runs of a snapshot
 * @set: for each set, where its lengths go on, how many pages are left of the last one, and
 *       whether these are in the set
 * @nr_sets: number of sets
 * @at: index of the page where the walk is
 * @end: size of the object in pages
 */
struct snapshot_walk {
	struct {
		const unsigned char *lengths;
		uint64_t left;
		bool in;
	} set[SNAPSHOT_MAX_SETS];
	unsigned int nr_sets;
	gms_pgoff_t at;
	gms_pgoff_t end;
};

/**
 * snapshot_is() - find out if a file is a snapshot
 * @head: first bytes of the file
 * @nr_head: number of bytes in @head
 *
 * Return: true if it is.
 */
bool snapshot_is(const char *head, size_t nr_head);

/**
 * snapshot_read() - read a snapshot
 * @snapshot: filled in; after a failure, too, the caller frees it with snapshot_fini()
 * @file: the file, which is read to its end
 * @nr_pages: the size that is expected in pages; 0: any
 *
 * Return: 0; -EBADMSG: damaged, cut short, or no snapshot; -EPROTONOSUPPORT: of a newer version;
 * -EINVAL: of another size than @nr_pages; -EFBIG: the file has, or its object takes, more than
 * SNAPSHOT_MAX_BYTES; -ENOMEM; another -errno: reading failed.
 */
int snapshot_read(struct snapshot *snapshot, FILE *file, uint64_t nr_pages);

/**
 * snapshot_walk_init() - begin a walk over the runs of a snapshot
 * @walk: filled in
 * @snapshot: the snapshot; must outlive the walk
 */
void snapshot_walk_init(struct snapshot_walk *walk, const struct snapshot *snapshot);

/**
 * snapshot_walk_next() - find the next run of a walk
 * @walk: the walk
 * @run: stores the run, which is as long as possible; written only if the call returns true
 *
 * Return: true if there is a run; false at the end of the object.
 */
bool snapshot_walk_next(struct snapshot_walk *walk, struct snapshot_run *run);

/**
 * snapshot_take() - make the bytes of a snapshot of an object
 * @state: the object, which does not change meanwhile
 * @bytes: where to store the bytes, which the caller frees, or NULL; also on failure
 * @size: where to store how many there are
 *
 * Return: 0; -ENOMEM.
 */
int snapshot_take(const struct gms_state *state, unsigned char **bytes, size_t *size);

/**
 * snapshot_save() - write a snapshot of an object to a file
 * @state: the object
 * @name: name of the file, which is replaced; there is a file @name.part meanwhile
 *
 * Return: 0; -ENOMEM; another -errno: writing failed. The file is as it was; a pipe or a device
 * may have got a part.
 */
int snapshot_save(struct gms_state *state, const char *name);

/**
 * snapshot_fini() - free what a snapshot holds
 * @snapshot: the snapshot
 */
void snapshot_fini(struct snapshot *snapshot);

#endif /* GMS_TOOL_SNAPSHOT_H */
