/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * selftest.h - a quick check of the library in this build, and of what /dev/kvm offers
 */
#ifndef GMS_TOOL_SELFTEST_H
#define GMS_TOOL_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How long the check of the library takes. */
#define SELFTEST_NS 1000000000ULL

/**
 * struct selftest - a check of the library
 * @seed: seed of all random choices
 * @plant: for tests: the model is made wrong by a page, just before the first walk
 * @nr_conversions: conversions of random ranges
 * @nr_refused: those of them that found no memory, and changed nothing
 * @nr_queries: queries of random pages and blocks
 * @nr_walks: walks over all pages, each followed by a snapshot that was saved and loaded
 * @ns: how long it took
 * @reason: what was wrong; empty: nothing
 */
struct selftest {
	uint64_t seed;
	bool plant;
	uint64_t nr_conversions;
	uint64_t nr_refused;
	uint64_t nr_queries;
	uint64_t nr_walks;
	uint64_t ns;
	char reason[160];
};

/**
 * selftest_run() - compare the library with an array of one byte a page
 * @test: has the seed; the rest is filled in
 * @ns: how long to go on
 *
 * Return: true if all was right, else @test->reason says what was wrong.
 */
bool selftest_run(struct selftest *test, uint64_t ns);

/**
 * selftest_kvm() - write which ways of conversion /dev/kvm offers
 * @out: the stream to write to
 */
void selftest_kvm(FILE *out);

#endif /* GMS_TOOL_SELFTEST_H */
