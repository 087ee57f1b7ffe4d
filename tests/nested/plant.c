// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * plant.c - mismatches made on purpose, behind the library's back
 *
 * Each mismatch is a mistake that a backend could make. With one of them planted, the comparison
 * must report mismatches. Otherwise a result of 0 mismatches would prove nothing.
 */
#include "compare.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static const char *const plant_names[PLANT_NR] = {
	"nothing", "attribute", "deaf", "slot", "host", "lost", "skip", "drained",
};

const char *plant_name(enum plant plant)
{
	return plant_names[plant];
}

int plant_parse(const char *name, enum plant *plant)
{
	for (int i = PLANT_ATTRIBUTE; i < PLANT_NR; i++)
		if (!strcmp(name, plant_names[i])) {
			*plant = (enum plant)i;
			return 0;
		}
	return -EINVAL;
}

/* Returns a random page that is private, or shared; the row's size if there is none. */
static uint64_t draw_page(struct compare *c, bool private)
{
	uint64_t nr_pages = c->row.nr_pages, from = draw(c, nr_pages);

	for (uint64_t i = 0; i < nr_pages; i++)
		if (c->row.pages[(from + i) % nr_pages].private == private)
			return (from + i) % nr_pages;
	return nr_pages;
}

static int plant_attribute(struct compare *c)
{
	uint64_t at = draw(c, c->row.nr_pages);

	return memory_deceive(&c->memory, at, 1, !c->row.pages[at].private);
}

/* Deletes the first memslot of the backend. */
static int plant_slot(struct compare *c)
{
	struct kvm_userspace_memory_region slot = {.slot = FIRST_SLOT};

	for (; slot.slot < FIRST_SLOT + NR_SLOTS; slot.slot++)
		if (!ioctl(c->m.vm, KVM_SET_USER_MEMORY_REGION, &slot))
			return 0;
	return -ENOENT;
}

static int plant_host(struct compare *c)
{
	uint64_t at = draw_page(c, true);

	if (at == c->row.nr_pages)
		return -ENOENT;
	if (mmap(c->row.host + at * PROBE_PAGE, PROBE_PAGE, PROT_READ | PROT_WRITE,
		 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

/* Discards a page that was written. */
static int plant_discarded(struct compare *c)
{
	uint64_t nr_pages = c->row.nr_pages, from = draw(c, nr_pages), at;

	for (uint64_t i = 0; i < nr_pages; i++) {
		at = (from + i) % nr_pages;
		if (c->row.pages[at].words.first)
			return memory_discard(&c->memory, at, 1);
	}
	return -ENOENT;
}

/* Converts a page there and back, and leaves the array as it is. */
static int plant_lost(struct compare *c)
{
	uint64_t at = draw_page(c, false);
	gms_pgoff_t index = c->row.start + at;
	int err;

	if (at == c->row.nr_pages)
		return -ENOENT;
	err = gms_convert(c->row.state, index, 1, GMS_PRIVATE, 0, NULL);
	return err ? err : gms_convert(c->row.state, index, 1, GMS_SHARED, 0, NULL);
}

int plant_now(struct compare *c)
{
	switch (c->options.plant) {
	case PLANT_ATTRIBUTE:
		return plant_attribute(c);
	case PLANT_DEAF:
		c->deaf = true;
		return 0;
	case PLANT_SLOT:
		return plant_slot(c);
	case PLANT_HOST:
		return plant_host(c);
	case PLANT_LOST:
		return c->in_place ? plant_discarded(c) : plant_lost(c);
	case PLANT_SKIP:
		c->skip = true;
		return 0;
	case PLANT_DRAINED:
		c->drained = true;
		return c->in_place ? 0 : -EINVAL;
	default:
		return 0;
	}
}
