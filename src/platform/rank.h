/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rank.h - the order of locks, which is the same on each platform
 */
#ifndef GMS_RANK_H
#define GMS_RANK_H

/* The ranks of locks, the outermost first. */
enum gms_rank {
	GMS_RANK_CONVERT = 1,
	GMS_RANK_LISTENER,
	GMS_RANK_INVALIDATE,
	GMS_RANK_FOLIO,
	GMS_RANK_TREE,
	GMS_RANK_BLOCKS,
	GMS_NR_RANKS
};

#endif /* GMS_RANK_H */
