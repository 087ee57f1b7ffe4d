// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 06_blocks.c - several guest_memfds as one memory: NUMA nodes, RAM blocks, hotplug
 *
 * There is one state object for all of the guest, and each block of memory has a range of its
 * indices. A conversion of gfns in two blocks is then one transaction: both convert, or none.
 *
 *	gfn     0x00000 |-- node 0, 1G --|-- node 1, 1G --|-- plugged later, 1G --|
 *	index         0 |-- node 0 ------|-- node 1 ------|-- room ----- ...      4G
 *
 * Each block begins at a multiple of 1G, so that no folio is in two blocks. The object is as large
 * as the guest may ever be: 1G of room costs 22 bytes. Room is private. Therefore a listener
 * for all of the object is not notified of it, and needs no second registration at a hotplug.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <gmemstate/gmemstate.h>

#define PAGES_1G 0x40000ULL
#define NR_BLOCKS 3

/* What a VMM knows of a block; here a number takes the place of the guest_memfd. */
struct block {
	int fd;
	gms_pgoff_t start; /* the index of the first page, which is at offset 0 of the fd */
	bool refuses;
};

static struct block blocks[NR_BLOCKS] = {
	{100, 0, false},
	{101, PAGES_1G, false},
	{102, 2 * PAGES_1G, false},
};

/* Changes pages of one guest_memfd, by KVM_SET_MEMORY_ATTRIBUTES2 for example. */
static int change(const struct block *b, gms_pgoff_t start, uint64_t nr_pages,
		  enum gms_shareability to)
{
	printf("    fd %d: %" PRIu64 " pages at %#" PRIx64 " %s%s\n", b->fd, nr_pages,
	       start - b->start, to == GMS_PRIVATE ? "to private" : "to shared",
	       b->refuses ? ": refused" : "");
	return b->refuses ? -EBUSY : 0;
}

/* A run may be in several blocks. If a block fails, *failed says which pages are applied. */
static int apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		 gms_pgoff_t *failed)
{
	const gms_pgoff_t end = start + nr_pages;
	int err = 0;

	(void)ctx;
	while (!err && start < end) {
		const gms_pgoff_t block_end = gms_order_down(start, GMS_ORDER_1G) + PAGES_1G;
		const gms_pgoff_t next = block_end < end ? block_end : end;

		*failed = start;
		err = change(&blocks[start / PAGES_1G], start, next - start, to);
		start = next;
	}
	return err;
}

static int undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	gms_pgoff_t failed;

	return apply(ctx, start, nr_pages, back_to, &failed);
}

/* A device that maps what is shared. A real one would cut a run at the edge of a block, too. */
static int device(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	(void)ctx;
	for (; *done < count; ++*done)
		printf("    device: %s %" PRIu64 " pages at index %#" PRIx64 "\n",
		       to == GMS_SHARED ? "maps" : "unmaps", runs[*done].nr_pages,
		       runs[*done].start);
	return 0;
}

static int ask(struct gms_state *state, uint64_t gfn, uint64_t nr_pages, enum gms_shareability to)
{
	int err;

	printf("guest: %" PRIu64 " pages at gfn %#" PRIx64 " to %s\n", nr_pages, gfn,
	       to == GMS_PRIVATE ? "private" : "shared");
	err = gms_convert_gfn(state, gfn, nr_pages, to, 0, NULL);
	printf("  %s; %" PRIu64 " pages are shared\n", err ? strerror(-err) : "done",
	       gms_count(state, 0, gms_state_nr_pages(state), GMS_SHARED));
	return err;
}

static int run(struct gms_state *state)
{
	const uint64_t edge = PAGES_1G; /* the first gfn of node 1 */
	unsigned int id;
	int err;

	err = gms_bind(state, 0, 0, PAGES_1G, &id);
	err = err ? err : gms_bind(state, PAGES_1G, PAGES_1G, PAGES_1G, &id);
	if (err)
		return err;

	/* Node 1 refuses at first: what node 0 did is undone. */
	blocks[1].refuses = true;
	if (ask(state, edge - 8, 16, GMS_SHARED) != -EBUSY)
		return -EIO;
	blocks[1].refuses = false;
	err = ask(state, edge - 8, 16, GMS_SHARED);

	/* Hotplug: a guest_memfd, a memslot, and a binding. */
	if (ask(state, 2 * PAGES_1G, 4, GMS_SHARED) != -ENOENT)
		return -EIO;
	err = err ? err : gms_bind(state, 2 * PAGES_1G, 2 * PAGES_1G, PAGES_1G, &id);
	err = err ? err : ask(state, 2 * PAGES_1G - 4, 8, GMS_SHARED);

	/* Unplug: make all of the block private, which withdraws it from the device. */
	err = err ? err : ask(state, 2 * PAGES_1G, PAGES_1G, GMS_PRIVATE);
	return err ? err : gms_unbind(state, id);
}

int main(void)
{
	struct gms_backend_ops backend = GMS_BACKEND_OPS_INIT;
	struct gms_listener_ops listener = GMS_LISTENER_OPS_INIT;
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	unsigned int id;
	int err;

	backend.apply = apply;
	backend.undo = undo;
	listener.flags = GMS_LISTENER_CAN_SPLIT;
	listener.change = device;
	opts.nr_pages = 4 * PAGES_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.backend = &backend;
	err = gms_state_create(&opts, &state);
	if (!err) {
		err = gms_listener_register(state, &listener, NULL, 0, opts.nr_pages, 1, &id);
		err = err ? err : run(state);
		gms_state_destroy(state);
	}
	if (err)
		fprintf(stderr, "06_blocks: %s\n", strerror(-err));
	return err ? 1 : 0;
}
