// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lock.c - locking a range against conversions
 */
#include "core/entry.h"

int gms_lock_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages) GMS_NO_TSA
{
	const int err = gms_enter_shared(s, GMS_ENTER_FROZEN, start, nr_pages);

	return gms_unlikely(err) ? gms_refused(s, err) : 0;
}

void gms_unlock_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)gms_leave_shared(s, start, nr_pages, 0);
}
