// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bare.c - a row of pages without guest_memfd, whose private pages KVM cannot provide
 *
 * In a VM of the software-protected type a guest's access has no shareability of its own: KVM
 * takes it as what the page is. So with a guest_memfd in the memslot there is no
 * KVM_EXIT_MEMORY_FAULT, except beside a conversion. Therefore this file has a second state
 * object, over ordinary memory. Its backend sets KVM's attributes, and does nothing else.
 */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "attributes.h"

#define BARE_PAGES 256

static int bare_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		      gms_pgoff_t *failed)
{
	const struct compare *c = ctx;

	(void)failed;
	return set_attributes(c->m.vm, BARE_GFN + start, nr_pages, to == GMS_PRIVATE);
}

static const struct gms_backend_ops bare_backend = {
	.struct_size = sizeof(bare_backend),
	.apply = bare_apply,
};

static int bare_memory(struct compare *c)
{
	struct kvm_userspace_memory_region slot = {
		.slot = BARE_SLOT,
		.guest_phys_addr = BARE_GFN << 12,
		.memory_size = BARE_PAGES * PROBE_PAGE,
	};
	void *memory = mmap(NULL, slot.memory_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	c->bare.memory = memory;
	slot.userspace_addr = (uintptr_t)memory;
	return ioctl(c->m.vm, KVM_SET_USER_MEMORY_REGION, &slot) ? -errno : 0;
}

int bare_create(struct compare *c)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	int err = bare_memory(c);

	if (err)
		return err;
	opts.nr_pages = BARE_PAGES;
	opts.backend = &bare_backend;
	opts.backend_ctx = c;
	c->bare.row = (struct row) {
		.m = &c->m,
		.nr_pages = BARE_PAGES,
		.gfn = BARE_GFN,
		.bare = true,
		.keeps = true,
		.tally = &c->tally,
		.stamp = &c->stamp,
	};
	err = row_init(&c->bare.row, false);
	if (!err)
		err = gms_state_create(&opts, &c->bare.row.state);
	return err;
}

void bare_destroy(struct compare *c)
{
	gms_state_destroy(c->bare.row.state);
	free(c->bare.row.pages);
	if (c->bare.memory)
		munmap(c->bare.memory, BARE_PAGES * PROBE_PAGE);
}

int bare_convert_something(struct compare *c)
{
	enum gms_shareability to = draw(c, 2) ? GMS_PRIVATE : GMS_SHARED;
	uint64_t at = draw(c, BARE_PAGES), nr_pages = 1 + draw(c, 16);
	uint64_t first, last;
	int err;

	if (nr_pages > BARE_PAGES - at)
		nr_pages = BARE_PAGES - at;
	err = gms_convert(c->bare.row.state, at, nr_pages, to, 0, NULL);
	if (err) {
		mismatch(&c->tally, "bare pages %llu + %llu: gms_convert() returns %d",
			 (unsigned long long)at, (unsigned long long)nr_pages, err);
		return 0;
	}
	row_converted(&c->bare.row, at, nr_pages, to);
	first = at ? at - 1 : 0;
	last = at + nr_pages < BARE_PAGES ? at + nr_pages : BARE_PAGES - 1;
	return check_guest(&c->bare.row, first, last - first + 1, draw_mode(c));
}
