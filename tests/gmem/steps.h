/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * steps.h - the steps of the cmocka tests: each does something and asserts what must come of it
 *
 * A step that fails prints the page, what it got, and the line of the test. All tests of a program
 * run once for each variant: an order of folios, a policy, and what the pages are at first.
 *
 * A stamp stands for the content of a row of pages: page i is filled by page_fill(stamp + i),
 * where i is the page's number in the memory. So a page that is found at the wrong place differs.
 */
#ifndef STEPS_H
#define STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct variant {
	enum folio folio;
	enum policy policy;
	enum side first;
};

/* The variant of the tests that run at the moment. */
extern struct variant variant;

/*
 * Runs all tests once for each variant. The options --order, --policy and --first of the command
 * line choose variants, and --test chooses tests by a pattern. Returns the exit status: 77 if the
 * kernel does not have what the tests need.
 */
int run_variants(int argc, char **argv, const char *program, const struct CMUnitTest *tests,
		 size_t nr_tests);

/* Creates the memory of a test, by the variant. The tests end with close_memory(). */
void open_memory(struct gmem *g, uint64_t nr_pages);
void close_memory(struct gmem *g);

/* Returns a new stamp. */
uint64_t new_stamp(void);

struct place {
	const char *file;
	int line;
};

#define HERE ((struct place) {__FILE__, __LINE__})

/* Ends the test as failed. */
void fail_at(struct place at, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * converts(g, page, nr_pages, to): the conversion succeeds. refuses(..., err): it returns the
 * error. refuses_at(..., wrong): it returns -EAGAIN and names the page.
 */
#define converts(g, page, nr_pages, to) step_convert(HERE, g, page, nr_pages, to, 0)
#define refuses(g, page, nr_pages, to, err) step_convert(HERE, g, page, nr_pages, to, err)
#define refuses_at(g, page, nr_pages, to, wrong) step_refuses_at(HERE, g, page, nr_pages, to, wrong)

/* The host writes or reads pages with a stamp; gets SIGBUS, by reads and by writes; reads 0. */
#define host_writes(g, page, nr_pages, stamp) \
	step_host_writes(HERE, (g)->host, page, nr_pages, stamp)
#define host_reads(g, page, nr_pages, stamp) step_host_reads(HERE, (g)->host, page, nr_pages, stamp)
#define host_refused(g, page, nr_pages) step_host_refused(HERE, (g)->host, page, nr_pages)
#define host_reads_0(g, page, nr_pages) step_host_reads_0(HERE, (g)->host, page, nr_pages)

/*
 * The guest writes or reads the first word and the last of pages with a stamp; reads 0. The host
 * reads these two words by host_reads_ends().
 */
#define guest_writes(g, page, nr_pages, stamp) step_guest_writes(HERE, g, page, nr_pages, stamp)
#define guest_reads(g, page, nr_pages, stamp) step_guest_reads(HERE, g, page, nr_pages, stamp)
#define guest_reads_0(g, page, nr_pages) step_guest_reads_0(HERE, g, page, nr_pages)
#define host_reads_ends(g, page, nr_pages, stamp) \
	step_host_reads_ends(HERE, (g)->host, page, nr_pages, stamp)

/* The pages are of this side: the host can touch them or not. Their content is not looked at. */
#define pages_are(g, page, nr_pages, side) step_pages_are(HERE, g, page, nr_pages, side)

/* The pages are of this side, and hold what the stamp says, or 0: the guest and the host look. */
#define pages_hold(g, page, nr_pages, side, stamp) \
	step_pages_hold(HERE, g, page, nr_pages, side, stamp)
#define pages_hold_0(g, page, nr_pages, side) step_pages_hold_0(HERE, g, page, nr_pages, side)

/*
 * From here on, to the end of the test, converts() and punches() try again while they get EAGAIN,
 * for some seconds: another thread has references for moments, or a reference was given back by a
 * call that lets a worker end it (io_uring).
 */
void step_be_patient(void);

/* A hole is punched. */
#define punches(g, page, nr_pages) step_punch(HERE, g, page, nr_pages)

/* A call returned 0. */
#define works(call) step_works(HERE, #call, call)

/* A call returned an error. */
#define returns(err, call) step_returns(HERE, #call, err, call)

void step_convert(struct place at, const struct gmem *g, uint64_t page, uint64_t nr_pages,
		  enum side to, int err);
void step_punch(struct place at, const struct gmem *g, uint64_t page, uint64_t nr_pages);
void step_refuses_at(struct place at, const struct gmem *g, uint64_t page, uint64_t nr_pages,
		     enum side to, uint64_t wrong);
void step_host_writes(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages,
		      uint64_t stamp);
void step_host_reads(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages,
		     uint64_t stamp);
void step_host_reads_ends(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages,
			  uint64_t stamp);
void step_host_refused(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages);
void step_host_reads_0(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages);
void step_guest_writes(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		       uint64_t stamp);
void step_guest_reads(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		      uint64_t stamp);
void step_guest_reads_0(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages);
void step_pages_are(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		    enum side side);
void step_pages_hold(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		     enum side side, uint64_t stamp);
void step_pages_hold_0(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		       enum side side);
void step_works(struct place at, const char *call, int err);
void step_returns(struct place at, const char *call, int want, int err);

/* What the guest gets when it touches one page, at any gpa. */
enum answer guest_answer(struct gmem *g, uint64_t gpa, struct words *words);

#endif /* STEPS_H */
