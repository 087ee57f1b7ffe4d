/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* kshim.c - see kshim.h */
#include "kshim.h"

bool kshim_readers;

/* The XArray calls this to clear marks. No peer uses marks. */
void __bitmap_clear(unsigned long *map, unsigned int start, int nr);
void __bitmap_clear(unsigned long *map, unsigned int start, int nr)
{
	for (unsigned int i = start; nr > 0; i++, nr--)
		map[i / 64] &= ~(1UL << (i % 64));
}
