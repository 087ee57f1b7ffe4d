/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* start_key.h - the key of the maps in intervals.h */
#ifndef BENCH_START_KEY_H
#define BENCH_START_KEY_H

#include <stdint.h>

struct start_key {
	mutable uint64_t at;
};

static inline bool operator<(const start_key &a, const start_key &b)
{
	return a.at < b.at;
}
#endif /* BENCH_START_KEY_H */
