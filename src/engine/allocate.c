// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * allocate.c - allocating memory ahead of faults
 */
#include "core/entry.h"
#include "populate.h"

int gms_allocate(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *err_index)
{
	gms_pgoff_t failed = start;
	int err = 0;

	if (!gms_state_range_ok(s, start, nr_pages)) {
		err = gms_because(-EINVAL, gms_range_why(s->nr_pages, start, nr_pages));
		gms_refused(s, err);
		goto out;
	}
	gms_for_each_1g(at, next, start, start + nr_pages) {
		failed = at;
		err = gms_enter_shared(s, GMS_ENTER_RANGE, at, next - at);
		if (err) {
			gms_refused(s, err);
			break;
		}
		err = gms_populate_range(s, at, next, &failed);
		gms_leave_shared(s, at, next - at, err);
		if (err)
			break;
	}
out:
	if (err && err_index)
		*err_index = failed;
	return err;
}
