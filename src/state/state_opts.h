/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * state_opts.h - checking the options of a state object
 */
#ifndef GMS_STATE_OPTS_H
#define GMS_STATE_OPTS_H

#include <gmemstate/state.h>

/*
 * Copies the caller's options. Returns NULL, or why they are not valid. Does not look at nr_pages,
 * nor at the structs that the options point to.
 */
const char *gms_state_opts_copy(struct gms_state_opts *to, const struct gms_state_opts *from);

#endif /* GMS_STATE_OPTS_H */
