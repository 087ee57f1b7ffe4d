// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * steps.c - the steps of the cmocka tests: each does something and asserts what must come of it
 */
#include "steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STAMP_STEP (1ULL << 32)

struct variant variant;

static struct seen seen[PROBE_MAX];

/* ---- variants ---- */

struct choice {
	bool any_folio, any_policy, any_first;
	struct variant only;
	const char *test;
};

static int parse(int argc, char **argv, struct choice *choice)
{
	for (int i = 1; i < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		int err = -EINVAL;

		if (!value)
			return -EINVAL;
		if (!strcmp(name, "--order")) {
			err = folio_parse(value, &choice->only.folio);
			choice->any_folio = false;
		} else if (!strcmp(name, "--policy")) {
			err = policy_parse(value, &choice->only.policy);
			choice->any_policy = false;
		} else if (!strcmp(name, "--first")) {
			err = side_parse(value, &choice->only.first);
			choice->any_first = false;
		} else if (!strcmp(name, "--test")) {
			choice->test = value;
			err = 0;
		}
		if (err)
			return err;
	}
	return 0;
}

/*
 * Returns true if the variant is to run. If the options leave it open, the defaults of the kernel
 * are one variant, and folios of 4K begin on one side only: policies do nothing there.
 */
static bool chosen(const struct choice *choice, const struct variant *v)
{
	if (!choice->any_folio && v->folio != choice->only.folio)
		return false;
	if (!choice->any_policy && v->policy != choice->only.policy)
		return false;
	if (!choice->any_first && v->first != choice->only.first)
		return false;
	if (!choice->any_folio || !choice->any_policy)
		return true;
	if (choice->any_first && v->folio == FOLIO_4K && (unsigned int)v->first != v->policy % 2)
		return false;
	return (v->folio == FOLIO_DEFAULT) == (v->policy == POLICY_DEFAULT);
}

int run_variants(int argc, char **argv, const char *program, const struct CMUnitTest *tests,
		 size_t nr_tests)
{
	struct choice choice = {.any_folio = true, .any_policy = true, .any_first = true};
	const unsigned int nr = FOLIO_NR * POLICY_NR * 2;
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse(argc, argv, &choice)) {
		fprintf(stderr,
			"usage: %s [--order 4K|2M|default] [--policy NAME] "
			"[--first shared|private] [--test PATTERN]\n",
			program);
		return EXIT_CANNOT;
	}
	if (!gmem_supported()) {
		printf("skipped: no guest_memfd here can be converted in place\n");
		return EXIT_SKIPPED;
	}
	if (choice.test)
		cmocka_set_test_filter(choice.test);
	for (unsigned int i = 0; i < nr; i++) {
		char name[128];

		variant.folio = (enum folio)(i / POLICY_NR / 2);
		variant.policy = (enum policy)(i / 2 % POLICY_NR);
		variant.first = (enum side)(i % 2);
		if (!chosen(&choice, &variant))
			continue;
		snprintf(name, sizeof(name), "%s: %s folios, %s, %s at first", program,
			 folio_name(variant.folio), policy_name(variant.policy),
			 side_name(variant.first));
		printf("%s\n", name);
		failed += _cmocka_run_group_tests(name, tests, nr_tests, NULL, NULL);
	}
	printf("%s: %d failed\n", program, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

uint64_t new_stamp(void)
{
	static uint64_t stamp;

	return stamp += STAMP_STEP;
}

/* ---- failures ---- */

void fail_at(struct place at, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	print_error("%s\n", what);
	_fail(at.file, at.line);
}

void step_works(struct place at, const char *call, int err)
{
	if (err)
		fail_at(at, "%s returns %d (%s)", call, err, strerror(-err));
}

void step_returns(struct place at, const char *call, int want, int err)
{
	if (err != want)
		fail_at(at, "%s returns %d (%s), not %d (%s)", call, err, strerror(-err), want,
			strerror(-want));
}

/* ---- memory, conversions ---- */

static bool patient; /* step_be_patient() */

void step_be_patient(void)
{
	patient = true;
}

#define PATIENCE 2000 /* tries, of some 5 ms each */

/* Waits a moment. Returns false if a call that got @err is not to be tried again. */
static bool try_again(int err, unsigned int tried)
{
	if (err != -EAGAIN || !patient || tried >= PATIENCE)
		return false;
	usleep(1000);
	return true;
}

void open_memory(struct gmem *g, uint64_t nr_pages)
{
	patient = false;
	/* in each test, because cmocka sets its own handlers before each test */
	works(host_start());
	works(gmem_create(g, nr_pages, gmem_flags(variant.folio, variant.policy, variant.first)));
}

void close_memory(struct gmem *g)
{
	gmem_destroy(g);
}

void step_convert(struct place at, const struct gmem *g, uint64_t page, uint64_t nr_pages,
		  enum side to, int err)
{
	unsigned int tried = 0;
	uint64_t wrong;
	int got;

	do
		got = gmem_convert(g->fd, page, nr_pages, to, &wrong);
	while (got != err && try_again(got, tried++));
	if (got != err)
		fail_at(at, "pages %llu + %llu to %s: %d (%s) at page %lld, not %d (%s)",
			(unsigned long long)page, (unsigned long long)nr_pages, side_name(to), got,
			strerror(-got), (long long)wrong, err, strerror(-err));
}

void step_punch(struct place at, const struct gmem *g, uint64_t page, uint64_t nr_pages)
{
	unsigned int tried = 0;
	int err;

	do
		err = gmem_punch(g->fd, page, nr_pages);
	while (try_again(err, tried++));
	step_works(at, "gmem_punch()", err);
}

void step_refuses_at(struct place at, const struct gmem *g, uint64_t page, uint64_t nr_pages,
		     enum side to, uint64_t wrong)
{
	uint64_t got_page;
	int got = gmem_convert(g->fd, page, nr_pages, to, &got_page);

	if (got != -EAGAIN || got_page != wrong)
		fail_at(at, "pages %llu + %llu to %s: %d (%s) at page %lld, not EAGAIN at %llu",
			(unsigned long long)page, (unsigned long long)nr_pages, side_name(to), got,
			strerror(-got), (long long)got_page, (unsigned long long)wrong);
}

/* ---- touches by the host ---- */

/* The context of a touch of one page. */
struct touching {
	uint64_t stamp;
	size_t differs;
	uint64_t got;
};

static void touch_fill(unsigned char *page, void *ctx)
{
	const struct touching *t = ctx;

	page_fill(page, t->stamp);
}

static void touch_read(unsigned char *page, void *ctx)
{
	struct touching *t = ctx;

	t->differs = page_differs(page, t->stamp);
	if (t->differs < PAGE)
		t->got = *(volatile uint64_t *)(page + t->differs);
}

static void touch_read_0(unsigned char *page, void *ctx)
{
	struct touching *t = ctx;
	const volatile uint64_t *words = (void *)page;

	for (t->differs = 0; t->differs < PAGE; t->differs += sizeof(*words)) {
		t->got = words[t->differs / sizeof(*words)];
		if (t->got)
			return;
	}
}

static void touch_read_ends(unsigned char *page, void *ctx)
{
	struct touching *t = ctx;
	const volatile uint64_t *words = (void *)page;
	const size_t last = PAGE - sizeof(*words);
	const struct words want = probe_written(t->stamp, 0);

	t->got = words[0];
	t->differs = t->got == want.first ? PAGE : 0;
	if (t->differs < PAGE)
		return;
	t->got = words[last / sizeof(*words)];
	t->differs = t->got == want.last ? PAGE : last;
}

static void touch_read_word(unsigned char *page, void *ctx)
{
	(void)ctx;
	(void)*(volatile uint64_t *)page;
}

static void touch_write_word(unsigned char *page, void *ctx)
{
	(void)ctx;
	*(volatile uint64_t *)page = 0xbad;
}

static enum answer host_touch(unsigned char *host, uint64_t page,
			      void (*touch)(unsigned char *page, void *ctx), struct touching *t)
{
	t->differs = PAGE;
	return host_touch_by(host + page * PAGE, touch, t);
}

void step_host_writes(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages,
		      uint64_t stamp)
{
	for (uint64_t i = page; i < page + nr_pages; i++) {
		struct touching t = {.stamp = stamp + i};
		enum answer answer = host_touch(host, i, touch_fill, &t);

		if (answer != ANSWER_DATA)
			fail_at(at, "page %llu: the host writes and gets %s", (unsigned long long)i,
				answer_name(answer));
	}
}

/* Reports a page that the host has read and that is not what it should be. */
static void judge_read(struct place at, uint64_t page, enum answer answer, const struct touching *t)
{
	if (answer != ANSWER_DATA)
		fail_at(at, "page %llu: the host reads and gets %s", (unsigned long long)page,
			answer_name(answer));
	if (t->differs < PAGE)
		fail_at(at, "page %llu: at byte %zu the host reads 0x%llx; the stamp is 0x%llx",
			(unsigned long long)page, t->differs, (unsigned long long)t->got,
			(unsigned long long)t->stamp);
}

void step_host_reads(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages,
		     uint64_t stamp)
{
	for (uint64_t i = page; i < page + nr_pages; i++) {
		struct touching t = {.stamp = stamp + i};

		judge_read(at, i, host_touch(host, i, touch_read, &t), &t);
	}
}

void step_host_reads_ends(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages,
			  uint64_t stamp)
{
	for (uint64_t i = page; i < page + nr_pages; i++) {
		struct touching t = {.stamp = stamp + i};

		judge_read(at, i, host_touch(host, i, touch_read_ends, &t), &t);
	}
}

void step_host_reads_0(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages)
{
	for (uint64_t i = page; i < page + nr_pages; i++) {
		struct touching t = {.stamp = 0};

		judge_read(at, i, host_touch(host, i, touch_read_0, &t), &t);
	}
}

void step_host_refused(struct place at, unsigned char *host, uint64_t page, uint64_t nr_pages)
{
	for (uint64_t i = page; i < page + nr_pages; i++) {
		struct touching t = {.stamp = 0};

		if (host_touch(host, i, touch_read_word, &t) != ANSWER_SIGBUS)
			fail_at(at, "page %llu: the host can read it", (unsigned long long)i);
		if (host_touch(host, i, touch_write_word, &t) != ANSWER_SIGBUS)
			fail_at(at, "page %llu: the host can write to it", (unsigned long long)i);
	}
}

void step_pages_are(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		    enum side side)
{
	const enum answer want = side == PRIVATE ? ANSWER_SIGBUS : ANSWER_DATA;

	for (uint64_t i = page; i < page + nr_pages; i++) {
		struct touching t = {.stamp = 0};
		enum answer answer = host_touch(g->host, i, touch_read_word, &t);

		if (answer != want)
			fail_at(at, "page %llu should be %s: the host gets %s",
				(unsigned long long)i, side_name(side), answer_name(answer));
	}
}

/* ---- touches by the guest ---- */

static void guest_touches(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
			  enum probe_mode mode, uint64_t stamp)
{
	int err = guest_probe(&g->m, MAIN_GPA + page * PAGE, nr_pages, mode, stamp + page, seen);

	if (err)
		fail_at(at, "the guest is stuck: %d (%s)", err, strerror(-err));
	for (uint64_t i = 0; i < nr_pages; i++)
		if (seen[i].answer != ANSWER_DATA)
			fail_at(at, "page %llu: the guest gets %s", (unsigned long long)(page + i),
				answer_name(seen[i].answer));
}

/* Compares what the guest has read with @want, which @step changes from page to page. */
static void compare(struct place at, uint64_t page, uint64_t nr_pages, struct words want,
		    uint64_t step)
{
	for (uint64_t i = 0; i < nr_pages; i++, want.first += step, want.last -= step)
		if (seen[i].words.first != want.first || seen[i].words.last != want.last)
			fail_at(at, "page %llu: the guest reads 0x%llx, 0x%llx, not 0x%llx, 0x%llx",
				(unsigned long long)(page + i),
				(unsigned long long)seen[i].words.first,
				(unsigned long long)seen[i].words.last,
				(unsigned long long)want.first, (unsigned long long)want.last);
}

void step_guest_writes(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		       uint64_t stamp)
{
	guest_touches(at, g, page, nr_pages, PROBE_READ_WRITE, stamp);
}

void step_guest_reads(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		      uint64_t stamp)
{
	guest_touches(at, g, page, nr_pages, PROBE_READ, 0);
	compare(at, page, nr_pages, probe_written(stamp, page), 1);
}

void step_guest_reads_0(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages)
{
	guest_touches(at, g, page, nr_pages, PROBE_READ, 0);
	compare(at, page, nr_pages, (struct words) {0, 0}, 0);
}

enum answer guest_answer(struct gmem *g, uint64_t gpa, struct words *words)
{
	struct seen one;

	works(guest_probe(&g->m, gpa, 1, PROBE_READ, 0, &one));
	*words = one.words;
	return one.answer;
}

void step_pages_hold(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		     enum side side, uint64_t stamp)
{
	step_guest_reads(at, g, page, nr_pages, stamp);
	if (side == PRIVATE)
		step_host_refused(at, g->host, page, nr_pages);
	else
		step_host_reads(at, g->host, page, nr_pages, stamp);
}

void step_pages_hold_0(struct place at, struct gmem *g, uint64_t page, uint64_t nr_pages,
		       enum side side)
{
	step_guest_reads_0(at, g, page, nr_pages);
	if (side == PRIVATE)
		step_host_refused(at, g->host, page, nr_pages);
	else
		step_host_reads_0(at, g->host, page, nr_pages);
}
