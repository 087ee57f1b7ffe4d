// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * orderings.c - numbers the orderings in the sources that are checked
 *
 * Each use of a platform macro is a struct weak_site (platform.h). A use in a header is compiled
 * into several objects, and all of its sites share one number. Numbers ascend by file and line.
 */
#include <stdlib.h>
#include <string.h>

#include "weak.h"

#define ORDERINGS_MAX 256u

extern struct weak_site *const __start_weak_sites[] __attribute__((weak));
extern struct weak_site *const __stop_weak_sites[] __attribute__((weak));

static struct {
	const struct weak_site *site;
	enum weak_order part;
	bool weakened;
} ordering[ORDERINGS_MAX + 1];

static int orderings_compare(const void *a, const void *b)
{
	const struct weak_site *x = *(struct weak_site *const *)a;
	const struct weak_site *y = *(struct weak_site *const *)b;
	const int files = strcmp(x->file, y->file);

	if (files)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->op != y->op)
		return x->op < y->op ? -1 : 1;
	return strcmp(x->text, y->text);
}

unsigned int weak_orderings_init(void)
{
	const size_t nr = (size_t)(__stop_weak_sites - __start_weak_sites);
	struct weak_site **site = calloc(nr + 1, sizeof(*site));
	unsigned int last = 0, first = 0;

	if (!site)
		abort();
	memcpy(site, __start_weak_sites, nr * sizeof(*site));
	qsort(site, nr, sizeof(*site), orderings_compare);
	for (size_t i = 0; i < nr; i++) {
		if (i && !orderings_compare(&site[i - 1], &site[i])) {
			site[i]->first = first;
			continue;
		}
		first = site[i]->order == WEAK_RELAXED ? 0 : last + 1;
		site[i]->first = first;
		for (unsigned int part = WEAK_ACQUIRE; part <= WEAK_RELEASE; part <<= 1) {
			if (!(site[i]->order & part))
				continue;
			if (last == ORDERINGS_MAX)
				abort();
			ordering[++last].site = site[i];
			ordering[last].part = (enum weak_order)part;
		}
	}
	free(site);
	return last;
}

const struct weak_site *weak_ordering_site(unsigned int number, enum weak_order *part)
{
	*part = ordering[number].part;
	return ordering[number].site;
}

void weak_weaken(unsigned int number, bool on)
{
	ordering[number].weakened = on;
}

bool weak_is_weakened(unsigned int number)
{
	return ordering[number].weakened;
}

/* The orderings of a site have neighbouring numbers, acquire first. */
enum weak_order weak_effective_order(enum weak_order order, const struct weak_site *site)
{
	unsigned int n;

	if (!site || !site->first)
		return order;
	n = site->first;
	for (unsigned int part = WEAK_ACQUIRE; part <= WEAK_RELEASE; part <<= 1)
		if (order & part && ordering[n++].weakened)
			order &= ~part;
	return order;
}
