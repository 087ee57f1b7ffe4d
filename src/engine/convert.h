/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * convert.h - one conversion as a transaction
 */
#ifndef GMS_ENGINE_CONVERT_H
#define GMS_ENGINE_CONVERT_H

#include "core/ranges.h"

struct gms_converted {
	uint64_t changed; /* how many pages were converted; 0 on failure */
	gms_pgoff_t err_index; /* on failure: what gms_convert() reports in atomic mode */
	gms_pgoff_t stop; /* on failure: nothing is known to be in the way of the pages before it */
	bool named; /* with -EAGAIN and -ENOTRECOVERABLE: err_index is the page in the way */
};

/*
 * Converts all of the parts, or nothing. They ascend, no two touch, and all lie in the object. The
 * caller holds the convert locks from the first part to the last. Returns what gms_convert()
 * returns in atomic mode.
 */
int gms_convert_parts(struct gms_state *s, const struct gms_range *parts, size_t nr_parts,
		      enum gms_shareability to, struct gms_converted *done)
	GMS_REQUIRES(gms_convert_lock);

#endif /* GMS_ENGINE_CONVERT_H */
