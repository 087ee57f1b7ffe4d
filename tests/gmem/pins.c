// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins.c - a page that somebody in the kernel refers to does not become private
 *
 *	pins [--order 4K|2M|default] [--policy NAME] [--first shared|private] [--test PATTERN]
 *
 * The references are real ones: pins.h lists them. While there is one,
 *
 *  - a conversion to private of a range with the page returns EAGAIN, error_offset is the page, or
 *    the first page of the range that is in the page's folio, and no page has changed;
 *  - a hole with the page is refused by EAGAIN, and no page has changed;
 *  - a conversion to shared works.
 *
 * When the reference is gone, the same calls work, and the holder has read the right data.
 */
#define _GNU_SOURCE
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"

#define PAGES (2 * BLOCK + 20)
#define AT (BLOCK + 100) /* the page that most tests pin */

/* Creates shared memory in which page i holds what page_fill(@return + i) writes. */
static uint64_t open_filled(struct gmem *g)
{
	const uint64_t stamp = new_stamp();
	struct timespec before, after;
	uint64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &before);
	open_memory(g, PAGES);
	converts(g, 0, PAGES, SHARED);
	host_writes(g, 0, PAGES, stamp);
	clock_gettime(CLOCK_MONOTONIC, &after);

	/* I/O has to last for some such steps, and this machine may be slow */
	ms = (uint64_t)((after.tv_sec - before.tv_sec) * 1000 +
			(after.tv_nsec - before.tv_nsec) / 1000000);
	if (6 * ms > pins_direct_ms)
		pins_direct_ms = 6 * ms;
	return stamp;
}

#define takes(pin, kind, g, page) step_take(HERE, pin, kind, g, page, 1)

static void step_take(struct place at, struct pin *pin, const struct pin_kind *kind,
		      const struct gmem *g, uint64_t page, uint64_t nr_pages)
{
	int err;

	pin->kind = kind;
	pin->at = g->host + page * PAGE;
	pin->nr_pages = nr_pages;
	err = kind->take(pin, pin->at, nr_pages);
	if (err == -EOPNOTSUPP) {
		print_message("skipped: this kernel cannot do it\n");
		skip();
	}
	if (err)
		fail_at(at, "%s of page %llu: %d", kind->name, (unsigned long long)page, err);
}

/* Returns the kind of pin of a test. Tests of slow I/O run for some variants only. */
static const struct pin_kind *kind_of(void **state)
{
	const struct pin_kind *kind = *state;
	const bool often = variant.policy == POLICY_DEFAULT || variant.policy == POLICY_EAGER ||
			   variant.policy == POLICY_LAZY;

	if (kind->slow && (variant.first == PRIVATE || !often))
		skip();
	return kind;
}

/* Ends a pin, and compares what the holder has read. */
#define releases(pin, stamp) step_release(HERE, pin, stamp)

static void step_release(struct place at, struct pin *pin, uint64_t stamp)
{
	static unsigned char copy[PIN_MAX * PAGE];
	int err;

	if (!pin->kind->holds(pin))
		fail_at(at, "the pin was gone before the test was over: nothing is known");
	err = pin->kind->release(pin, copy);
	step_be_patient();
	if (err)
		fail_at(at, "%s: the holder gets %d", pin->kind->name, err);
	for (uint64_t i = 0; i < pin->nr_pages; i++)
		if (page_differs(copy + i * PAGE, stamp + i) < PAGE)
			fail_at(at, "%s: page %llu of the pin holds other data", pin->kind->name,
				(unsigned long long)i);
}

/* How the references of a folio count: for each page, or for all of the folio. */
enum grain { BY_PAGE, BY_BLOCK, UNKNOWN };

/* Returns the grain of memory that is all shared, and that the host has touched. */
static enum grain shared_grain(void)
{
	if (variant.folio == FOLIO_4K)
		return BY_PAGE;
	if (variant.folio == FOLIO_DEFAULT || variant.policy == POLICY_DEFAULT)
		return UNKNOWN;
	return variant.policy == POLICY_LAZY || variant.policy == POLICY_ADAPTIVE ||
			       variant.policy == POLICY_EAGER_NONUNIFORM
		       ? BY_BLOCK
		       : BY_PAGE;
}

/* Tries to make a range private in which page @pinned is pinned. */
#define refuses_pinned(g, page, nr_pages, pinned) \
	step_refuses_pinned(HERE, g, page, nr_pages, pinned, shared_grain())

static void step_refuses_pinned(struct place at, const struct gmem *g, uint64_t page,
				uint64_t nr_pages, uint64_t pinned, enum grain grain)
{
	const uint64_t block = pinned / BLOCK * BLOCK, first = page > block ? page : block;
	uint64_t wrong;
	int err;

	if (grain != UNKNOWN) {
		step_refuses_at(at, g, page, nr_pages, PRIVATE, grain == BY_PAGE ? pinned : first);
		return;
	}
	err = gmem_convert(g->fd, page, nr_pages, PRIVATE, &wrong);
	if (err != -EAGAIN || (wrong != pinned && wrong != first))
		fail_at(at, "pages %llu + %llu: %d at %llu, not EAGAIN", (unsigned long long)page,
			(unsigned long long)nr_pages, err, (unsigned long long)wrong);
}

/* ---- one pin ---- */

static void refused(void **state)
{
	const struct pin_kind *kind = kind_of(state);
	const uint64_t ranges[][2] = {
		{AT, 1}, {AT - 5, 6}, {AT, 300}, {AT - 3, 7}, {BLOCK, BLOCK}, {5, AT}, {0, PAGES},
	};
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	guest_reads(&g, 0, PAGES, stamp);
	takes(&pin, kind, &g, AT);
	for (size_t i = 0; i < LENGTH(ranges); i++)
		refuses_pinned(&g, ranges[i][0], ranges[i][1], AT);
	host_reads(&g, AT - 1, 3, stamp);
	releases(&pin, stamp + AT);

	pages_hold(&g, 0, PAGES, SHARED, stamp);
	for (size_t i = 0; i < LENGTH(ranges); i++) {
		converts(&g, ranges[i][0], ranges[i][1], PRIVATE);
		host_refused(&g, ranges[i][0], ranges[i][1]);
		guest_reads(&g, 0, PAGES, stamp);
		converts(&g, ranges[i][0], ranges[i][1], SHARED);
	}
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	close_memory(&g);
}

static void hole_refused(void **state)
{
	const struct pin_kind *kind = kind_of(state);
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	takes(&pin, kind, &g, AT);
	returns(-EAGAIN, gmem_punch(g.fd, AT, 1));
	returns(-EAGAIN, gmem_punch(g.fd, AT - 10, 20));
	returns(-EAGAIN, gmem_punch(g.fd, BLOCK, BLOCK));
	returns(-EAGAIN, gmem_punch(g.fd, 0, PAGES));
	releases(&pin, stamp + AT);

	pages_hold(&g, 0, PAGES, SHARED, stamp);
	punches(&g, AT - 10, 20);
	pages_hold_0(&g, AT - 10, 20, SHARED);
	pages_hold(&g, 0, AT - 10, SHARED, stamp);
	pages_hold(&g, AT + 10, PAGES - AT - 10, SHARED, stamp);
	punches(&g, 0, PAGES);
	pages_hold_0(&g, 0, PAGES, SHARED);
	close_memory(&g);
}

/* A pin counts against its folio, and against nothing else. */
static void neighbours(void **state)
{
	const enum grain grain = shared_grain();
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	takes(&pin, *state, &g, AT);
	converts(&g, 0, BLOCK, PRIVATE);
	converts(&g, 2 * BLOCK, 20, PRIVATE);
	if (grain == BY_BLOCK) {
		refuses_at(&g, AT - 1, 1, PRIVATE, AT - 1);
		refuses_at(&g, BLOCK - 9, 20, PRIVATE, BLOCK);
		refuses_at(&g, AT + 1, PAGES - AT - 1, PRIVATE, AT + 1);
	} else if (grain == BY_PAGE) {
		converts(&g, BLOCK, AT - BLOCK, PRIVATE);
		converts(&g, AT + 1, 2 * BLOCK - AT - 1, PRIVATE);
		refuses_at(&g, 0, PAGES, PRIVATE, AT);
	}
	releases(&pin, stamp + AT);
	guest_reads(&g, 0, PAGES, stamp);
	host_reads(&g, AT, 1, stamp);
	host_refused(&g, 0, BLOCK);
	converts(&g, 0, PAGES, PRIVATE);
	pages_hold(&g, 0, PAGES, PRIVATE, stamp);
	close_memory(&g);
}

/* The pinned page is in a block that has private pages, too. */
static void mixed_block(void **state)
{
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	converts(&g, AT + 10, 20, PRIVATE);
	host_reads(&g, BLOCK, AT + 10 - BLOCK, stamp); /* a lazy policy splits now */
	takes(&pin, *state, &g, AT);
	step_refuses_pinned(HERE, &g, AT - 20, 100, AT, BY_PAGE);
	refuses_at(&g, 0, PAGES, PRIVATE, AT);
	returns(-EAGAIN, gmem_punch(g.fd, AT - 2, 4));

	/* other pages of the block go to and fro */
	converts(&g, AT + 30, 5, PRIVATE);
	converts(&g, AT + 10, 25, SHARED);
	converts(&g, AT - 1, 1, PRIVATE);
	converts(&g, AT + 1, 300, PRIVATE);
	works(gmem_punch(g.fd, AT + 300, 1));
	host_reads(&g, AT, 1, stamp);
	releases(&pin, stamp + AT);

	host_refused(&g, AT - 1, 1);
	host_refused(&g, AT + 1, 300);
	guest_reads_0(&g, AT + 300, 1);
	guest_reads(&g, 0, AT + 300, stamp);
	converts(&g, BLOCK, BLOCK, PRIVATE);
	guest_reads(&g, 0, AT + 300, stamp);
	converts(&g, 0, PAGES, SHARED);
	pages_hold(&g, 0, AT + 300, SHARED, stamp);
	pages_hold(&g, AT + 301, PAGES - AT - 301, SHARED, stamp);
	close_memory(&g);
}

/* Conversions to shared of a range with the page, of which other pages are private. */
static void to_shared_works(void **state)
{
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	converts(&g, 0, BLOCK, PRIVATE);
	converts(&g, AT + 3, 50, PRIVATE);
	host_reads(&g, AT, 1, stamp);
	takes(&pin, *state, &g, AT);
	converts(&g, AT, 1, SHARED);
	converts(&g, AT - 1, 10, SHARED);
	converts(&g, 0, PAGES, SHARED);
	host_reads(&g, AT - 3, 20, stamp);
	step_refuses_pinned(HERE, &g, AT, 1, AT, BY_PAGE);
	releases(&pin, stamp + AT);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	converts(&g, 0, PAGES, PRIVATE);
	pages_hold(&g, 0, PAGES, PRIVATE, stamp);
	close_memory(&g);
}

/* No pin is possible while a page is private, and a pin that failed leaves nothing behind. */
static void private_page(void **state)
{
	const struct pin_kind *kind = kind_of(state);
	struct pin pin = {.kind = kind};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	converts(&g, AT, 1, PRIVATE);
	pin.at = g.host + AT * PAGE;
	pin.nr_pages = 1;
	returns(-EFAULT, kind->take(&pin, pin.at, 1));
	if (kind == &pin_uring) {
		/* a buffer of shared and private pages: none of them stays pinned */
		pin.at -= 2 * PAGE;
		pin.nr_pages = 4;
		returns(-EFAULT, kind->take(&pin, pin.at, 4));
	}
	converts(&g, 0, PAGES, PRIVATE);
	converts(&g, 0, PAGES, SHARED);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	close_memory(&g);
}

/* Live: the holder reads what the host writes while the page is pinned. It is the same page. */
static void data_of_the_holder(void **state)
{
	const struct pin_kind *kind = kind_of(state);
	const uint64_t later = new_stamp();
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	takes(&pin, kind, &g, AT);
	refuses_pinned(&g, 0, PAGES, AT);
	host_writes(&g, AT, 1, later);
	guest_reads(&g, AT, 1, later);
	releases(&pin, (kind->live ? later : stamp) + AT);
	pages_hold(&g, AT, 1, SHARED, later);
	converts(&g, 0, PAGES, PRIVATE);
	pages_hold(&g, AT, 1, PRIVATE, later);
	guest_reads(&g, 0, AT, stamp);
	close_memory(&g);
}

/* The mapping goes, and the page stays pinned. */
static void unmapped(void **state)
{
	const struct pin_kind *kind = kind_of(state);
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	takes(&pin, kind, &g, AT);
	assert_int_equal(madvise(g.host, PAGES * PAGE, MADV_DONTNEED), 0);
	refuses_pinned(&g, AT - 7, 20, AT);
	assert_int_equal(munmap(g.host, PAGES * PAGE), 0);
	refuses_pinned(&g, 0, PAGES, AT);
	returns(-EAGAIN, gmem_punch(g.fd, 0, PAGES));
	releases(&pin, stamp + AT);
	g.host = gmem_map(g.fd, 0, PAGES);
	assert_non_null(g.host);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	converts(&g, 0, PAGES, PRIVATE);
	pages_hold(&g, 0, PAGES, PRIVATE, stamp);
	close_memory(&g);
}

/* All of the memory goes, and new memory comes. The holder still reads the old data. */
static void destroyed(void **state)
{
	const struct pin_kind *kind = kind_of(state);
	const uint64_t other = new_stamp();
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	takes(&pin, kind, &g, AT);
	close_memory(&g);
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, BLOCK, BLOCK, other);
	releases(&pin, stamp + AT);
	host_writes(&g, 0, PAGES, other);
	converts(&g, 0, PAGES, PRIVATE);
	guest_reads(&g, 0, PAGES, other);
	close_memory(&g);
}

/* ---- several pins ---- */

static void several_pins(void **state)
{
	struct pin first = {0}, second = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	takes(&second, *state, &g, AT);
	takes(&first, *state, &g, 7);
	refuses_pinned(&g, 0, PAGES, 7);
	refuses_pinned(&g, 3, 20, 7);
	refuses_pinned(&g, BLOCK, BLOCK, AT);
	releases(&first, stamp + 7);
	refuses_pinned(&g, 0, PAGES, AT);
	converts(&g, 0, BLOCK, PRIVATE);
	releases(&second, stamp + AT);
	converts(&g, 0, PAGES, PRIVATE);
	pages_hold(&g, 0, PAGES, PRIVATE, stamp);
	close_memory(&g);
}

static void pinned_twice(void **state)
{
	struct pin first = {0}, second = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	takes(&first, *state, &g, AT);
	takes(&second, *state, &g, AT);
	refuses_pinned(&g, AT - 1, 3, AT);
	releases(&first, stamp + AT);
	refuses_pinned(&g, AT - 1, 3, AT);
	releases(&second, stamp + AT);
	converts(&g, AT - 1, 3, PRIVATE);
	guest_reads(&g, 0, PAGES, stamp);
	close_memory(&g);
}

/* A pin of several pages, which lie in two blocks. */
static void many_pages(void **state)
{
	const uint64_t at = BLOCK - 5, nr = 12;
	struct pin pin = {0};
	uint64_t stamp;
	struct gmem g;

	stamp = open_filled(&g);
	step_take(HERE, &pin, *state, &g, at, nr);
	refuses_pinned(&g, 0, PAGES, at);
	refuses_pinned(&g, at + 4, 100, at + 4);
	refuses_pinned(&g, BLOCK, 1, BLOCK);
	refuses_pinned(&g, at + nr - 1, 1, at + nr - 1);
	if (shared_grain() == BY_PAGE) {
		converts(&g, at + nr, 10, PRIVATE);
		converts(&g, 0, at, PRIVATE);
	}
	releases(&pin, stamp + at);
	converts(&g, 0, PAGES, PRIVATE);
	guest_reads(&g, 0, PAGES, stamp);
	close_memory(&g);
}

/* ---- references that last for a moment ---- */

struct reader {
	const struct gmem *g;
	ssize_t (*read)(const struct reader *r, unsigned char *to, uint64_t page);
	uint64_t stamp;
	int mem; /* /proc/self/mem */
	_Atomic bool stop;
	_Atomic uint64_t pages; /* that were read */
	_Atomic uint64_t wrong; /* 1 + a page that held other data */
	_Atomic int err; /* an error that is not one of a private page */
};

static ssize_t read_vm(const struct reader *r, unsigned char *to, uint64_t page)
{
	const struct iovec local = {.iov_base = to, .iov_len = PAGE};
	const struct iovec remote = {.iov_base = r->g->host + page * PAGE, .iov_len = PAGE};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

static ssize_t read_mem(const struct reader *r, unsigned char *to, uint64_t page)
{
	return pread(r->mem, to, PAGE, (off_t)(uintptr_t)(r->g->host + page * PAGE));
}

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	unsigned char copy[PAGE];

	for (uint64_t i = 0; !atomic_load(&r->stop); i++) {
		const uint64_t page = AT - 8 + i % 16;
		const ssize_t length = r->read(r, copy, page);

		if (length == (ssize_t)PAGE) {
			atomic_fetch_add(&r->pages, 1);
			if (page_differs(copy, r->stamp + page) < PAGE)
				atomic_store(&r->wrong, page + 1);
		} else if (length >= 0 || (errno != EFAULT && errno != EIO)) {
			atomic_store(&r->err, length < 0 ? -errno : -ERANGE);
		}
	}
	return NULL;
}

static void beside_reader(struct reader *r)
{
	uint64_t refused_so_far = 0;
	pthread_t thread;
	struct gmem g;
	int err;

	r->stamp = open_filled(&g);
	r->g = &g;
	assert_int_equal(pthread_create(&thread, NULL, reader_thread, r), 0);
	for (uint64_t i = 0; i < 150 || atomic_load(&r->pages) < 500; i++) {
		const uint64_t page = AT - i % 5, nr_pages = 1 + i % 7;

		while ((err = gmem_convert(g.fd, page, nr_pages, PRIVATE, NULL)) == -EAGAIN)
			if (++refused_so_far > 10000000)
				fail_at(HERE, "the conversion never succeeds");
		works(err);
		host_refused(&g, page, nr_pages);
		converts(&g, page, nr_pages, SHARED);
	}
	atomic_store(&r->stop, true);
	pthread_join(thread, NULL);
	print_message("%llu times refused, %llu pages read\n", (unsigned long long)refused_so_far,
		      (unsigned long long)r->pages);
	assert_int_equal(r->wrong, 0);
	assert_int_equal(r->err, 0);
	converts(&g, 0, PAGES, PRIVATE);
	converts(&g, 0, PAGES, SHARED);
	pages_hold(&g, 0, PAGES, SHARED, r->stamp);
	close_memory(&g);
}

static void beside_process_vm_readv(void **state)
{
	struct reader r = {.read = read_vm};
	char byte = 1, copy;
	const struct iovec local = {&copy, 1}, remote = {&byte, 1};

	(void)state;
	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0 && errno == ENOSYS) {
		print_message("skipped: CONFIG_CROSS_MEMORY_ATTACH is not set\n");
		skip();
	}
	beside_reader(&r);
}

static void beside_proc_mem(void **state)
{
	struct reader r = {.read = read_mem};

	(void)state;
	r.mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	assert_true(r.mem >= 0);
	beside_reader(&r);
	close(r.mem);
}

#define WITH(kind, test)                                                \
	{                                                               \
#kind ": " #test, test, NULL, NULL, (void *)&pin_##kind \
	}

/* Tests of each kind, and tests for which I/O in flight does not last long enough. */
#define COMMON(kind)                                                             \
	WITH(kind, refused), WITH(kind, hole_refused), WITH(kind, private_page), \
		WITH(kind, data_of_the_holder), WITH(kind, unmapped), WITH(kind, destroyed)
#define LONG(kind)                                                                    \
	WITH(kind, neighbours), WITH(kind, mixed_block), WITH(kind, to_shared_works), \
		WITH(kind, several_pins), WITH(kind, pinned_twice), WITH(kind, many_pages)

static const struct CMUnitTest tests[] = {
	COMMON(vmsplice),
	LONG(vmsplice),
	COMMON(uring),
	LONG(uring),
	COMMON(direct_write),
	COMMON(direct_read),
	cmocka_unit_test(beside_process_vm_readv),
	cmocka_unit_test(beside_proc_mem),
};

int main(int argc, char **argv)
{
	return run_variants(argc, argv, "pins", tests, LENGTH(tests));
}
