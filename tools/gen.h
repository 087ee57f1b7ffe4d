/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gen.h - generates logs of workloads, for guests of 64 MiB to 16 TiB, as CSV that `gmemstate
 * replay` reads
 *
 * The conversions are like those of real guests, but their times are not. The same workload, size
 * and seed always give the same log, byte for byte.
 */
#ifndef GMS_TOOL_GEN_H
#define GMS_TOOL_GEN_H

#include <stdint.h>
#include <stdio.h>

/* Limits on the size of a guest in pages: 64 MiB and 16 TiB. */
#define GEN_MIN_PAGES (1ULL << 14)
#define GEN_MAX_PAGES (1ULL << 32)

/**
 * gen_name() - return the name of a workload
 * @i: number of the workload, from 0
 *
 * Return: a static string; NULL: no workload has this number.
 */
const char *gen_name(unsigned int i);

/**
 * gen_run() - write a log
 * @out: the stream to write to; the caller checks it with ferror()
 * @name: name of the workload
 * @nr_pages: size of the guest in pages
 * @seed: seed of all random choices
 *
 * A log has at most some 100,000 rows. In a large guest, a workload that goes through all memory
 * takes larger steps, or stops early: see the comment of the workload.
 *
 * Return: 0; -ENOENT: no such workload; -ERANGE: no such size.
 */
int gen_run(FILE *out, const char *name, uint64_t nr_pages, uint64_t seed);

#endif /* GMS_TOOL_GEN_H */
