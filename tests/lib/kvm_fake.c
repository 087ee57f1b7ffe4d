// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvm_fake.c - a kernel in a few arrays: see kvm_fake.h
 */
#include "kvm_fake_priv.h"

#include "test.h"

void fake_breaks(struct fake *fake, const char *rule)
{
	if (!fake->broken)
		fake->broken = rule;
}

struct fake_file *fake_file_of(struct fake *fake, int fd)
{
	const int i = fd - FAKE_VM - 1;

	return i >= 0 && i < FAKE_FILES && fake->files[i].open ? &fake->files[i] : NULL;
}

int fake_open(struct fake *fake, bool guest_memfd, uint64_t size, uint64_t flags)
{
	for (int i = 0; i < FAKE_FILES; i++) {
		struct fake_file *file = &fake->files[i];

		if (file->open)
			continue;
		memset(file, 0, sizeof(*file));
		file->open = true;
		file->guest_memfd = guest_memfd;
		file->grain = 1;
		file->flags = flags;
		file->nr_pages = size / PAGE;
		for (unsigned int page = 0; page < FAKE_PAGES; page++)
			file->private[page] = !(flags & GUEST_MEMFD_FLAG_INIT_SHARED);
		return FAKE_VM + 1 + i;
	}
	return -EMFILE;
}

/* ---- views ---- */

struct fake_view *fake_new_view(struct fake *fake, uint64_t nr_pages, uint64_t align)
{
	for (unsigned int i = 0; i < FAKE_VIEWS; i++) {
		struct fake_view *view = &fake->views[i];

		if (view->nr_pages)
			continue;
		*view = (struct fake_view) {.nr_pages = nr_pages};
		view->base = ((uint64_t)i + 1) << 40 | (align ? align : 5 * PAGE);
		for (unsigned int page = 0; page < FAKE_PAGES; page++)
			view->fd[page] = -1;
		return view;
	}
	return NULL;
}

struct fake_view *fake_view_of(struct fake *fake, const void *at, uint64_t *page)
{
	for (unsigned int i = 0; i < FAKE_VIEWS; i++) {
		struct fake_view *view = &fake->views[i];

		*page = ((uintptr_t)at - view->base) / PAGE;
		if (*page < view->nr_pages)
			return view;
	}
	return NULL;
}

bool fake_is_pointed_to(const struct fake *fake, const struct fake_view *view)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++)
		if (fake->slots[i].nr_pages && &fake->views[fake->slots[i].view] == view)
			return true;
	return false;
}

int fake_adopt_file(struct fake *fake, bool guest_memfd, uint64_t nr_pages, uint64_t first,
		    uint64_t grain)
{
	const uint64_t flags = guest_memfd && fake->has_attributes ? 0 : BOTH;
	const int fd = fake_open(fake, guest_memfd, nr_pages * PAGE, flags);
	struct fake_file *file = fake_file_of(fake, fd);

	file->theirs = true;
	file->first = first;
	file->grain = grain;
	return fd;
}

void *fake_adopt_view(struct fake *fake, int fd)
{
	const struct fake_file *file = fake_file_of(fake, fd);
	struct fake_view *view = fake_new_view(fake, file->nr_pages - file->first, 2 << 20);

	view->theirs = true;
	for (uint64_t page = 0; page < view->nr_pages; page++) {
		view->fd[page] = fd;
		view->page[page] = file->first + page;
	}
	return (void *)(uintptr_t)view->base;
}

void fake_set_host(struct fake *fake, const void *at)
{
	uint64_t page;

	fake->host = (unsigned int)(fake_view_of(fake, at, &page) - fake->views);
}

/* ---- what the host and the guest see ---- */

static enum fake_sees view_sees(struct fake *fake, const struct fake_view *view, uint64_t page,
				unsigned int **content)
{
	struct fake_file *file;
	uint64_t at;

	if (page >= view->nr_pages || view->fd[page] < 0)
		return FAKE_TORN;
	file = fake_file_of(fake, view->fd[page]);
	at = view->page[page];
	if (!file)
		return FAKE_TORN;
	if (at >= file->nr_pages || (file->guest_memfd && file->private[at]))
		return FAKE_PRIVATE;
	if (content)
		*content = &file->content[at];
	return FAKE_SHARED;
}

enum fake_sees fake_host_sees(struct fake *fake, uint64_t page, unsigned int **content)
{
	return view_sees(fake, &fake->views[fake->host], page, content);
}

static struct fake_slot *slot_of(struct fake *fake, uint64_t gfn)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		struct fake_slot *slot = &fake->slots[i];

		if (gfn - slot->gfn < slot->nr_pages)
			return slot;
	}
	return NULL;
}

enum fake_sees fake_guest_sees(struct fake *fake, uint64_t gfn, unsigned int **content)
{
	struct fake_slot *slot = slot_of(fake, gfn);
	struct fake_file *file;
	uint64_t offset;

	if (!slot)
		return FAKE_NOTHING;
	file = fake_file_of(fake, slot->fd);
	if (!file)
		return FAKE_TORN;
	offset = slot->offset + gfn - slot->gfn;
	if (fake->has_attributes && !fake->private[gfn]) {
		const enum fake_sees sees = view_sees(fake, &fake->views[slot->view],
						      slot->page + gfn - slot->gfn, content);

		return sees == FAKE_SHARED ? FAKE_SHARED : FAKE_TORN;
	}
	if (content)
		*content = &file->content[offset];
	return file->private[offset] ? FAKE_PRIVATE : FAKE_SHARED;
}

/* Returns true if the host's view may show a page although the guest sees it as private. */
static bool excused(struct fake *fake, uint64_t index)
{
	const struct fake_view *view = &fake->views[fake->host];
	const struct fake_file *file = fake_file_of(fake, view->fd[index]);

	if (fake->has_in_place)
		return false;
	if (view->theirs || file->grain > 1) /* the view cannot hide; it shows the other side */
		return true;
	return fake->state && gms_is_quarantined(fake->state, index);
}

void fake_check_safety(struct fake *fake)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *slot = &fake->slots[i];

		for (uint64_t k = 0; !slot->left && k < slot->nr_pages; k++) {
			const uint64_t index = slot->page + k;

			if (fake_guest_sees(fake, slot->gfn + k, NULL) == FAKE_PRIVATE &&
			    fake_host_sees(fake, index, NULL) == FAKE_SHARED &&
			    !excused(fake, index))
				fake_breaks(fake,
					    "the host can touch what is private to the guest");
		}
	}
}

void fake_init(struct fake *fake, enum gms_kvm_way mode)
{
	memset(fake, 0, sizeof(*fake));
	fake->has_in_place = mode == GMS_KVM_IN_PLACE;
	fake->has_attributes = mode == GMS_KVM_ATTRIBUTES;
	fake->has_memslots = mode == GMS_KVM_MEMSLOTS;
	fake->max_vmas = FAKE_PAGES;
	fake_init_sys(fake);
}

const char *fake_check(const struct fake *fake)
{
	return fake->broken;
}

void fake_fail(struct fake *fake, uint64_t skip, uint64_t count, int err)
{
	fake->fail_from = fake->calls + skip;
	fake->fail_to = count < UINT64_MAX - fake->fail_from ? fake->fail_from + count : UINT64_MAX;
	fake->fail_err = err;
	fake->failed = 0;
}

void fake_fail_never(struct fake *fake)
{
	fake->fail_from = fake->fail_to = 0;
	fake->tear = false;
	fake->part = 0;
	fake->part_once = false;
}

unsigned int fake_nr_files(const struct fake *fake)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < FAKE_FILES; i++)
		nr += fake->files[i].open && !fake->files[i].theirs;
	return nr;
}

unsigned int fake_nr_views(const struct fake *fake)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < FAKE_VIEWS; i++)
		nr += fake->views[i].nr_pages && !fake->views[i].theirs;
	return nr;
}

unsigned int fake_nr_vmas(const struct fake *fake)
{
	const struct fake_view *view = &fake->views[fake->host];
	unsigned int nr = 0;

	for (uint64_t page = 0; page < view->nr_pages; page++)
		nr += view->fd[page] >= 0 && (!page || view->fd[page] != view->fd[page - 1]);
	return nr;
}

unsigned int fake_nr_slots(const struct fake *fake)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < FAKE_SLOTS; i++)
		nr += fake->slots[i].nr_pages > 0;
	return nr;
}
