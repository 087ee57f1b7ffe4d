/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gen.h - invented logs: workloads of any size, as CSV that `gmemstate replay` reads
 *
 * They have the shape of what guests are known to do, and nothing of their timing. The same
 * workload, size and seed make the same log, byte for byte.
 */
#ifndef GMS_TOOL_GEN_H
#define GMS_TOOL_GEN_H

#include <stdint.h>
#include <stdio.h>

/* Sizes of guests, in pages: 64 MiB to 16 TiB. */
#define GEN_MIN_PAGES (1ULL << 14)
#define GEN_MAX_PAGES (1ULL << 32)

/**
 * gen_name() - the name of a workload
 * @i: its number, from 0
 *
 * Return: a static string; NULL: there are no more.
 */
const char *gen_name(unsigned int i);

/**
 * gen_run() - write a log
 * @out: where to; whether writing worked is the stream's to tell
 * @name: the workload's
 * @nr_pages: size of the guest in pages
 * @seed: of what is random
 *
 * At most some 100,000 rows: what goes in steps over all memory is cut short, or takes
 * larger steps, in large guests, as is told at each workload.
 *
 * Return: 0; -ENOENT: no such workload; -ERANGE: no such size.
 */
int gen_run(FILE *out, const char *name, uint64_t nr_pages, uint64_t seed);

#endif /* GMS_TOOL_GEN_H */
