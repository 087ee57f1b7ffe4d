// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_plant.c - mismatches made on purpose, behind the model's back
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAK (2 * BLOCK * PAGE)

static const char *const names[LOAD_NR_PLANTS] = {
	[LOAD_NOTHING] = "nothing", [LOAD_WORD] = "word",       [LOAD_NUMBER] = "number",
	[LOAD_LEAK] = "leak",       [LOAD_MESSAGE] = "message", [LOAD_SIDE] = "side",
	[LOAD_HALF] = "half",
};

int load_plant_parse(const char *text, enum load_plant *plant)
{
	for (unsigned int i = 0; i < LOAD_NR_PLANTS; i++)
		if (!strcmp(text, names[i])) {
			*plant = (enum load_plant)i;
			return 0;
		}
	return -EINVAL;
}

/* Draws a page of which the model says that it is shared. Returns NULL if it finds none. */
static volatile uint64_t *draw_shared(struct load *l, uint64_t *rng, uint64_t *page)
{
	for (int i = 0; i < 100; i++) {
		*page = load_draw(rng, l->nr_pages);
		if (!(atomic_load(&l->sides[*page]) & LOAD_PRIVATE))
			return (volatile uint64_t *)(void *)(l->g.host + *page * PAGE);
	}
	return NULL;
}

void load_plant_now(struct load *l, uint64_t *rng)
{
	volatile uint64_t *words;
	uint64_t page;
	uint32_t done;

	words = draw_shared(l, rng, &page);
	if (!words)
		return;
	switch (l->options->plant) {
	case LOAD_WORD:
		words[load_draw(rng, LOAD_HOST)] ^= 1ULL << load_draw(rng, 64);
		break;
	case LOAD_NUMBER:
		done = atomic_load(&l->records[page].host[0].done);
		if (done)
			words[LOAD_HOST] = load_page_number(page, 0, done - 1);
		break;
	case LOAD_SIDE:
		gmem_convert(l->g.fd, page, 1, PRIVATE, NULL);
		break;
	default:
		break;
	}
}

void load_plant_after(enum load_plant plant)
{
	if (plant == LOAD_LEAK) {
		volatile unsigned char *lost = malloc(LEAK);

		for (size_t i = 0; lost && i < LEAK; i += PAGE)
			lost[i] = 1;
	} else if (plant == LOAD_MESSAGE) {
		FILE *file = fopen("/dev/kmsg", "we");

		if (file) {
			fputs("<4>WARNING: planted by load\n", file);
			fclose(file);
		}
	}
}
