// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_host.c - the host's threads: they touch pages, pin them, and change their mappings
 *
 * A touch of a private page ends by SIGBUS. If no conversion of the page was under way from before
 * the touch until after it, the touch must end as the model says. Allocations fail by chance in
 * these threads, so the signal may come without its siginfo: the handler does not use it.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DONTNEED_LOCKED 24 /* MADV_DONTNEED_LOCKED, which an older libc lacks */
#define ONFAULT 1U /* MLOCK_ONFAULT, likewise */

#define STACK (64 * PAGE) /* much more than a touch and a signal take */
#define MAX_RANGE (4 * BLOCK) /* pages of one madvise() */

/* Where the thread continues after a signal, if it is touching a page. */
static _Thread_local sigjmp_buf jump;
static _Thread_local volatile sig_atomic_t touching;

static void caught(int signo)
{
	if (touching)
		siglongjmp(jump, signo);
	signal(signo, SIG_DFL);
}

int load_hosts_init(void)
{
	/* SA_NODEFER: the jump out of the handler need not restore the mask of signals */
	struct sigaction action = {.sa_handler = caught, .sa_flags = SA_NODEFER};

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL) || sigaction(SIGSEGV, &action, NULL))
		return -errno;
	return 0;
}

/* What a touch does, in this order; and what came of it. */
struct touch {
	volatile uint64_t *words; /* the page */
	bool write_first, read, write_last;
	uint64_t own, value; /* the word to write, and its new value */
	volatile bool written;
	uint64_t copy[PAGE / sizeof(uint64_t)];
};

/* Returns 0 or the number of a signal. */
static int touch_page(struct touch *t)
{
	int signo = sigsetjmp(jump, 0);

	if (!signo) {
		touching = 1;
		if (t->write_first) {
			t->words[t->own] = t->value;
			t->written = true;
		}
		for (size_t i = 0; t->read && i < PAGE / sizeof(uint64_t); i++)
			t->copy[i] = t->words[i];
		if (t->write_last) {
			t->words[t->own] = t->value;
			t->written = true;
		}
	}
	touching = 0;
	return signo;
}

/* Judges how a touch has ended. */
static void judge(struct load *l, uint64_t page, uint32_t before, uint32_t after, int signo)
{
	if (signo == SIGSEGV)
		load_mismatch(l, "page %llu: SIGSEGV", (unsigned long long)page);
	if (signo)
		atomic_fetch_add(&l->tally->sigbus, 1);
	if (before != after || before & LOAD_MOVING || !signo == !(before & LOAD_PRIVATE))
		return;
	load_mismatch(l, "page %llu is %s, and the host %s", (unsigned long long)page,
		      before & LOAD_PRIVATE ? "private" : "shared",
		      signo ? "gets a signal" : "reads it");
}

/* Touches with a new number of the thread. */
static int touch_with_number(struct load *l, unsigned int thread, uint64_t page, struct touch *t)
{
	struct load_record *record = &l->records[page];
	const uint32_t old = atomic_load(&record->host[thread].done);
	int signo;

	t->own = LOAD_HOST + thread;
	t->value = load_page_number(page, thread, old + 1);
	atomic_store(&record->host[thread].begun, old + 1);
	signo = touch_page(t);
	if (t->written)
		atomic_store(&record->host[thread].done, old + 1);
	else
		atomic_store(&record->host[thread].begun, old);
	return signo;
}

static void touch(struct load *l, const unsigned char *host, unsigned int thread, uint64_t page,
		  struct touch *t)
{
	struct load_look look;
	uint32_t before;
	int signo;

	t->words = (void *)(host + page * PAGE);
	t->read = true;
	before = atomic_load(&l->sides[page]);
	load_look_begin(l, page, &look);
	if (t->write_first || t->write_last)
		signo = touch_with_number(l, thread, page, t);
	else
		signo = touch_page(t);
	judge(l, page, before, atomic_load(&l->sides[page]), signo);
	if (!signo)
		load_look_end(l, &look, t->copy);
}

void load_host_touch(struct load *l, const unsigned char *host, unsigned int thread, uint64_t page)
{
	struct touch t = {.written = false};

	touch(l, host, thread, page, &t);
}

/* There is one load at a time. */
static struct host {
	struct load *l;
	unsigned int i;
	uint64_t rng;
	unsigned char *at; /* the thread's mapping of all pages */
	struct load_fail fail;
	int pipe[2];
	pthread_t thread;
	bool started;
} hosts[LOAD_HOSTS];

/* Draws a page: one half is in the pages of the last conversion. */
static uint64_t draw_page(struct host *h)
{
	const uint64_t focus = atomic_load(&h->l->focus), nr = atomic_load(&h->l->focus_nr);
	uint64_t page = h->l->nr_pages;

	if (nr && load_draw(&h->rng, 2))
		page = focus + load_draw(&h->rng, nr);
	return page < h->l->nr_pages ? page : load_draw(&h->rng, h->l->nr_pages);
}

/* Reads a page through a pipe, which has a reference on the page for a moment, or for longer. */
static void touch_by_pipe(struct host *h, uint64_t page)
{
	const struct iovec vec = {h->at + page * PAGE, PAGE};
	const uint32_t before = atomic_load(&h->l->sides[page]);
	uint64_t copy[PAGE / sizeof(uint64_t)];
	struct load_look look;
	int err = 0;

	load_look_begin(h->l, page, &look);
	if (vmsplice(h->pipe[1], &vec, 1, 0) < 0)
		err = errno;
	if (!err && !load_draw(&h->rng, 4))
		usleep(2000);
	if (!err && read(h->pipe[0], copy, sizeof(copy)) != sizeof(copy))
		load_mismatch(h->l, "page %llu: lost in a pipe", (unsigned long long)page);
	judge(h->l, page, before, atomic_load(&h->l->sides[page]), err == EFAULT ? SIGBUS : err);
	if (!err)
		load_look_end(h->l, &look, copy);
}

static void advise(struct host *h, int advice, const char *name)
{
	const uint64_t page = draw_page(h);
	uint64_t nr = 1 + load_draw(&h->rng, MAX_RANGE);

	if (nr > h->l->nr_pages - page)
		nr = h->l->nr_pages - page;
	/* EFAULT: a private page; ENOMEM: an allocation failed; EINVAL: a locked mapping */
	if (madvise(h->at + page * PAGE, nr * PAGE, advice) && errno != ENOMEM && errno != EFAULT &&
	    (errno != EINVAL || advice != MADV_PAGEOUT))
		load_mismatch(h->l, "%s of pages %llu + %llu returns %d", name,
			      (unsigned long long)page, (unsigned long long)nr, errno);
	atomic_fetch_add(&h->l->tally->mappings, 1);
}

/* Maps all pages anew, at another address. The first thread's mapping is used by others, too. */
static void map_again(struct host *h)
{
	struct load *l = h->l;
	unsigned char *at;

	if (!h->i)
		return;
	at = gmem_map(l->g.fd, 0, l->nr_pages);
	if (!at)
		return;
	if (load_draw(&h->rng, 2))
		syscall(SYS_mlock2, at, l->nr_pages * PAGE, ONFAULT);
	munmap(h->at, l->nr_pages * PAGE);
	h->at = at;
	atomic_fetch_add(&l->tally->mappings, 2);
}

/* Makes the kernel look at all pages that it could move. */
static void compact(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1", 1);
	close(fd);
}

static void do_without_failures(struct host *h)
{
	load_fail_by_chance(&h->fail, false);
	switch (load_draw(&h->rng, 32)) {
	case 0:
		compact();
		break;
	case 1:
	case 2:
		map_again(h);
		break;
	default:
		touch_by_pipe(h, draw_page(h));
	}
	load_fail_by_chance(&h->fail, true);
}

static void do_something(struct host *h)
{
	struct touch t = {.written = false};

	switch (load_draw(&h->rng, 128)) {
	case 0:
	case 1:
		advise(h, DONTNEED_LOCKED, "MADV_DONTNEED_LOCKED");
		break;
	case 2:
		advise(h, MADV_POPULATE_READ, "MADV_POPULATE_READ");
		break;
	case 3:
		advise(h, MADV_PAGEOUT, "MADV_PAGEOUT");
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		do_without_failures(h);
		break;
	default:
		t.write_first = !load_draw(&h->rng, 3);
		t.write_last = !load_draw(&h->rng, 3);
		touch(h->l, h->at, h->i, draw_page(h), &t);
	}
}

/*
 * Touches the pages of the stack below the caller. Where a signal's frame meets a page that has to
 * be allocated, and that fails, the thread gets SIGSEGV.
 */
static void populate_stack(void)
{
	volatile char below[STACK];

	for (size_t i = 0; i < sizeof(below); i += PAGE)
		below[i] = 0;
}

static void *host_thread(void *arg)
{
	struct host *h = arg;
	int err = load_fail_open(&h->fail);

	if (!err && pipe(h->pipe))
		err = -errno;
	if (err) {
		atomic_store(&h->l->err, err);
		return NULL;
	}
	populate_stack();
	load_fail_by_chance(&h->fail, true);
	while (!atomic_load(&h->l->stop) && !load_failed(h->l))
		do_something(h);
	load_fail_by_chance(&h->fail, false);
	load_fail_close(&h->fail);
	close(h->pipe[0]);
	close(h->pipe[1]);
	return NULL;
}

int load_hosts_start(struct load *l, uint64_t seed)
{
	for (unsigned int i = 0; i < LOAD_HOSTS; i++) {
		struct host *h = &hosts[i];
		int err;

		*h = (struct host) {.l = l, .i = i, .rng = seed + i, .at = l->g.host};
		if (i)
			h->at = gmem_map(l->g.fd, 0, l->nr_pages);
		if (!h->at)
			return -ENOMEM;
		err = pthread_create(&h->thread, NULL, host_thread, h);
		if (err)
			return -err;
		h->started = true;
	}
	return 0;
}

void load_hosts_end(struct load *l)
{
	atomic_store(&l->stop, true);
	for (unsigned int i = 0; i < LOAD_HOSTS; i++) {
		if (hosts[i].started)
			pthread_join(hosts[i].thread, NULL);
		hosts[i].started = false;
		if (i && hosts[i].at)
			munmap(hosts[i].at, l->nr_pages * PAGE);
	}
}
