/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab_text.h - runs a log of a few lines under one policy
 */
#ifndef GMS_TESTS_LAB_TEXT_H
#define GMS_TESTS_LAB_TEXT_H

#include "test.h"

#include "lab.h"
#include "policies.h"

#include <string.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PAGES(bytes) ((bytes) / 4096)

static struct costs costs;

/* Options of a run under one policy: pins by page, all as the log says. */
static inline struct lab_opts opts_of(enum policies_id id, uint64_t size, unsigned int folio_order,
				      bool init_private)
{
	return (struct lab_opts) {
		.policy = policies_ops(id),
		.costs = &costs,
		.nr_pages = PAGES(size),
		.folio_order = folio_order,
		.init_private = init_private,
		.pin_us = LAB_PIN_US,
	};
}

static inline void run_text(struct lab_result *result, const char *text, size_t len,
			    const struct lab_opts *opts)
{
	FILE *file = fmemopen((void *)text, len, "r");
	struct log log;

	assert_non_null(file);
	assert_int_equal(log_read(&log, file, LOG_AUTO), 0);
	fclose(file);
	assert_int_equal(lab_run(result, &log, opts), 0);
	log_fini(&log);
	if (*result->broken)
		fail_msg("%s: %s", opts->policy->name, result->broken);
	lab_result_fini(result);
}

/* 4 GiB by 1G, private at first. */
static inline struct lab_result run(const char *text, enum policies_id id)
{
	struct lab_opts opts = opts_of(id, 4 * GIB, GMS_ORDER_1G, true);
	struct lab_result result;

	run_text(&result, text, strlen(text), &opts);
	return result;
}

static inline void check_maps(const struct lab_result *result, int accessor, uint64_t by_1g,
			      uint64_t by_2m, uint64_t by_4k)
{
	const uint64_t *pages = result->totals.mapped_pages[accessor];

	assert_int_equal(pages[2] * 4096, by_1g);
	assert_int_equal(pages[1] * 4096, by_2m);
	assert_int_equal(pages[0] * 4096, by_4k);
}

#define ACCEPT_2G "0,accept,0x0,2147483648\n"
#define SHARE "10,to_shared,0x1000,4096\n"
#define READ "20,host_read,0x1010,16\n"
#define UNSHARE "5000,to_private,0x1000,4096\n"

#endif /* GMS_TESTS_LAB_TEXT_H */
