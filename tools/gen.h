/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gen.h - generates logs of workloads, for guests of 256 MiB to 16 TiB, as CSV that `gmemstate
 * replay` reads
 *
 * The conversions are like those of real guests, but their times are not. The notes of a log
 * (log_note.h) name what protects the guest, the state of its pages at first, its memory and its
 * vCPUs. The same workload and options always give the same log, byte for byte.
 */
#ifndef GMS_TOOL_GEN_H
#define GMS_TOOL_GEN_H

#include <stdint.h>
#include <stdio.h>

/* Limits on the size of a guest in pages: 256 MiB and 16 TiB. */
#define GEN_MIN_PAGES (1ULL << 16)
#define GEN_MAX_PAGES (1ULL << 32)

/* The most vCPUs: what KVM on x86 has if its configuration says nothing else. */
#define GEN_MAX_VCPUS 1024

/**
 * struct gen_opts - what to generate
 * @name: name of the workload, in either case
 * @nr_pages: size of the guest's memory in pages, from GEN_MIN_PAGES to GEN_MAX_PAGES. Where the
 *            memory has a hole, the highest address is higher than the size
 * @nr_vcpus: number of vCPUs, at most GEN_MAX_VCPUS; 0: one for each 2 GiB, from 1 to 64
 * @seed: seed of all random choices
 */
struct gen_opts {
	const char *name;
	uint64_t nr_pages;
	unsigned int nr_vcpus;
	uint64_t seed;
};

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
 * @opts: what to generate
 *
 * A log has at most 110,000 rows. In a large guest, a workload that goes through all memory takes
 * larger steps, or stops early: see the comment of the workload. After a failure nothing has been
 * written.
 *
 * Return: 0; -ENOENT: no such workload; -ERANGE: no such size or number of vCPUs; -ENOSPC: the
 * workload does not fit into a guest of this size with so many vCPUs.
 */
int gen_run(FILE *out, const struct gen_opts *opts);

#endif /* GMS_TOOL_GEN_H */
