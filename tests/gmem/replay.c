// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * replay.c - replays a log on a real guest_memfd, and prints what the kernel counted
 *
 *	replay --policy NAME [--pin-time MS] [--punch] [--pace] [--apart] LOG
 *
 * `gmemstate replay` replays a log on a simulated machine (tools/lab.h). This program makes the
 * same calls on real memory, in the same order, so that the two can be compared:
 *
 *  to_shared, to_private  the ioctl
 *  accept                 the ioctl; then the guest reads the pages
 *  guest_touch            the guest reads the pages
 *  host_read, host_write  the host does that, and pins the pages by vmsplice() for the pin time;
 *                         the guest reads them, too
 *  free                   nothing; with --punch a hole
 *
 * After each event the guest reads the private memory again that it has used, in the 2M blocks of
 * the event. So it has mapped all of it, by the largest mappings that the kernel makes.
 *
 * If a pin refuses a call (EAGAIN), the pins that overlap the folios of its range are dropped, and
 * the call is repeated. Pins end by the time of the log, however long the calls take. With --pace
 * no event comes before its time: a policy with a clock needs that.
 *
 * The address of the memslot is that of the host's mapping, as in a VMM. So KVM unmaps from the
 * guest what Linux unmaps from the host. With --apart it is an address where nothing is.
 *
 * The output are lines "name value".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "lib.h"
#include "replay_pins.h"

/* How often a refusal that no pin explains is repeated, after a millisecond each time. */
#define MAX_STRAYS 100

/* The guest has 4 GiB of addresses, the last of which are the processor's. */
#define MAX_PAGES (2ULL << 18)

struct replay {
	enum policy policy;
	uint64_t pin_us;
	bool punch;
	bool pace;
	bool apart;
	struct log log;
	struct gmem g;
	struct pins pins;
	unsigned char *used; /* by page: the guest uses it */
	unsigned char *private; /* by page: it is private */
	uint64_t now_us; /* of the log */
	struct timespec began;
	uint64_t low_4k, low_fixed; /* KVM's counters after the low memory was mapped */
	uint64_t waits, waited_us; /* calls that were repeated, and how long they had to wait */
	uint64_t strays; /* refusals that no pin explains */
	uint64_t denied; /* accesses of the host that got SIGBUS */
	uint64_t out_of_reach; /* accesses outside of the memory */
	uint64_t invalid; /* calls that were refused for another reason */
};

static struct seen seen[PROBE_MAX];

/* ---- touching ---- */

static int guest_touch(struct replay *r, uint64_t start, uint64_t nr_pages)
{
	while (nr_pages) {
		const uint64_t nr = nr_pages < PROBE_MAX ? nr_pages : PROBE_MAX;
		int err = guest_probe(&r->g.m, MAIN_GPA + start * PAGE, nr, PROBE_READ, 0, seen);

		for (uint64_t i = 0; !err && i < nr; i++) {
			if (seen[i].answer != ANSWER_DATA) {
				fprintf(stderr, "page 0x%llx: the guest gets: %s\n",
					(unsigned long long)(start + i),
					answer_name(seen[i].answer));
				err = -EIO;
			}
		}
		if (err)
			return err;
		start += nr;
		nr_pages -= nr;
	}
	return 0;
}

/* Lets the guest touch again what it uses of the 2M blocks of a range, and what is private. */
static int guest_touch_again(struct replay *r, uint64_t start, uint64_t nr_pages)
{
	const uint64_t last = (start + nr_pages - 1) / BLOCK * BLOCK + BLOCK;
	const uint64_t end = last < r->g.nr_pages ? last : r->g.nr_pages;
	int err = 0;

	for (uint64_t at = start / BLOCK * BLOCK; !err && at < end; at++) {
		const uint64_t from = at;

		while (at < end && r->used[at] && r->private[at])
			at++;
		if (at > from)
			err = guest_touch(r, from, at - from);
	}
	return err;
}

/* Lets the guest use a range from now on, and touch it. */
static int guest_use(struct replay *r, uint64_t start, uint64_t nr_pages)
{
	int err = guest_touch(r, start, nr_pages);

	memset(&r->used[start], 1, nr_pages);
	return err ? err : guest_touch_again(r, start, nr_pages);
}

static void touch_read(unsigned char *page, void *ctx)
{
	(void)ctx;
	(void)*(volatile unsigned char *)page;
}

static void touch_write(unsigned char *page, void *ctx)
{
	(void)ctx;
	*(volatile unsigned char *)page = 1;
}

/* Lets the host touch a range and pin it. Returns -EACCES at a private page. */
static int host_touch(struct replay *r, const struct event *event)
{
	const bool writes = event->op == EVENT_HOST_WRITE;

	for (uint64_t i = 0; i < event->nr_pages; i++) {
		enum answer answer = host_touch_by(r->g.host + (event->start + i) * PAGE,
						   writes ? touch_write : touch_read, NULL);

		if (answer == ANSWER_SIGBUS && r->private[event->start + i])
			return -EACCES;
		if (answer != ANSWER_DATA) {
			fprintf(stderr, "page 0x%llx: the host gets: %s\n",
				(unsigned long long)(event->start + i), answer_name(answer));
			return -EIO;
		}
	}
	return pins_add(&r->pins, event->start, event->nr_pages, r->now_us + r->pin_us);
}

/* ---- events ---- */

static int change(struct replay *r, const struct event *event, bool punch)
{
	if (punch)
		return gmem_punch(r->g.fd, event->start, event->nr_pages);
	return gmem_convert(r->g.fd, event->start, event->nr_pages,
			    event_converts_to(event->op) == GMS_PRIVATE ? PRIVATE : SHARED, NULL);
}

/* Converts or punches a hole, and waits for the pins that are in the way. */
static int change_waiting(struct replay *r, const struct event *event, bool punch)
{
	int err = change(r, event, punch), strays = 0;

	while (err == -EAGAIN) {
		uint64_t until;

		err = pins_drop_range(&r->pins, event->start, event->nr_pages, &until);
		if (err)
			return err;
		if (until) {
			r->waits++;
			r->waited_us += until - r->now_us;
		} else {
			r->strays++;
			if (++strays > MAX_STRAYS)
				return -EBUSY;
			usleep(1000);
		}
		err = change(r, event, punch);
	}
	return err;
}

static int convert(struct replay *r, const struct event *event)
{
	int err = change_waiting(r, event, false);

	if (err == -EINVAL) {
		r->invalid++;
		return 0;
	}
	if (err)
		return err;
	memset(&r->private[event->start], event_converts_to(event->op) == GMS_PRIVATE,
	       event->nr_pages);
	if (event->op == EVENT_ACCEPT)
		return guest_use(r, event->start, event->nr_pages);
	if (event->op == EVENT_TO_SHARED && event->nr_pages == r->g.nr_pages)
		memset(r->used, 0, r->g.nr_pages); /* a reboot */
	return guest_touch_again(r, event->start, event->nr_pages);
}

static int free_pages(struct replay *r, const struct event *event)
{
	int err;

	if (!r->punch)
		return 0;
	err = change_waiting(r, event, true);
	if (err)
		return err;
	memset(&r->used[event->start], 0, event->nr_pages);
	return guest_touch_again(r, event->start, event->nr_pages);
}

static int host_access(struct replay *r, const struct event *event)
{
	int err = host_touch(r, event);

	if (err == -EACCES) {
		r->denied++;
		return 0;
	}
	return err ? err : guest_use(r, event->start, event->nr_pages);
}

static int apply(struct replay *r, const struct event *event)
{
	if (event_is_conversion(event->op))
		return convert(r, event);
	if (event->start >= r->g.nr_pages || event->nr_pages > r->g.nr_pages - event->start) {
		r->out_of_reach++;
		return 0;
	}
	switch (event->op) {
	case EVENT_HOST_READ:
	case EVENT_HOST_WRITE:
		return host_access(r, event);
	case EVENT_GUEST_TOUCH:
		return guest_use(r, event->start, event->nr_pages);
	default:
		return free_pages(r, event);
	}
}

/* Waits for the time of an event of the log. */
static void pace(const struct replay *r, uint64_t us)
{
	struct timespec until = r->began;

	until.tv_sec += (time_t)(us / 1000000);
	until.tv_nsec += (long)(us % 1000000 * 1000);
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int replay(struct replay *r)
{
	const uint64_t first_us = r->log.events[0].time_us;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &r->began);
	r->now_us = first_us;
	for (size_t i = 0; !err && i < r->log.nr_events; i++) {
		const struct event *event = &r->log.events[i];

		if (r->now_us < event->time_us)
			r->now_us = event->time_us;
		if (r->pace)
			pace(r, r->now_us - first_us);
		pins_expire(&r->pins, r->now_us);
		err = apply(r, event);
		if (err)
			fprintf(stderr, "line %llu: %s\n", (unsigned long long)event->line,
				strerror(-err));
	}
	/* A policy may have merged since the last event of a block, which unmaps it. */
	return err ? err : guest_touch_again(r, 0, r->g.nr_pages);
}

/* ---- the output ---- */

static void print(const char *name, uint64_t value)
{
	printf("%s %llu\n", name, (unsigned long long)value);
}

/* Prints how many mappings the host has, by the sums of /proc/self/smaps. Returns their number. */
static uint64_t print_host_maps(const struct replay *r)
{
	const unsigned long begin = (unsigned long)r->g.host;
	uint64_t kb, rss = 0, pmd = 0;
	bool here = false;
	char line[512];
	FILE *smaps = fopen("/proc/self/smaps", "re");

	while (smaps && fgets(line, sizeof(line), smaps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from >= begin && to <= begin + r->g.nr_pages * PAGE;
		else if (here && sscanf(line, "Rss: %lu", &kb) == 1)
			rss += kb;
		else if (here && (sscanf(line, "ShmemPmdMapped: %lu", &kb) == 1 ||
				  sscanf(line, "FilePmdMapped: %lu", &kb) == 1))
			pmd += kb;
	}
	if (smaps)
		fclose(smaps);
	print("host_maps_2m", pmd / 2048);
	print("host_maps_4k", (rss - pmd) / 4);
	return pmd / 2048 + (rss - pmd) / 4;
}

/* Prints what KVM counted, without the low memory, which stays mapped. */
static int print_guest_maps(const struct replay *r)
{
	uint64_t pages_2m, pages_4k, fixed;
	int err = vm_counter(r->g.m.vm, "pages_2m", &pages_2m);

	if (!err)
		err = vm_counter(r->g.m.vm, "pages_4k", &pages_4k);
	if (!err)
		err = vm_counter(r->g.m.vm, "pf_fixed", &fixed);
	if (err)
		return err;
	pages_4k -= r->low_4k;
	fixed -= r->low_fixed;
	print("guest_maps_2m", pages_2m);
	print("guest_maps_4k", pages_4k);
	print("guest_maps_made", fixed);
	print("guest_zaps", fixed - pages_2m - pages_4k);
	return 0;
}

static int print_counters(const struct replay *r)
{
	static const char *const names[] = {
		"splits_2m",      "merges_2m",        "refused_pinned", "splits_deferred",
		"merges_refused", "faults_guest",     "faults_host",    "conversions",
		"noops",          "folios_allocated", "folios_freed",   "quarantined_pages",
		"host_pmd",       "host_pte",         "copies",         "fallbacks",
		"busy",           "converts",         "convert_ns",     "convert_max_ns",
	};
	uint64_t value, made = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int err = gmem_counter(r->g.fd, names[i], &value);

		if (err)
			return err;
		print(names[i], value);
		if (!strcmp(names[i], "host_pmd") || !strcmp(names[i], "host_pte"))
			made += value;
	}
	print("host_zaps", made - print_host_maps(r));
	return print_guest_maps(r);
}

static int report(const struct replay *r)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	print("events", r->log.nr_events);
	print("milliseconds", (uint64_t)((now.tv_sec - r->began.tv_sec) * 1000 +
					 (now.tv_nsec - r->began.tv_nsec) / 1000000));
	print("waits", r->waits);
	print("waited_us", r->waited_us);
	print("strays", r->strays);
	print("denied", r->denied);
	print("out_of_reach", r->out_of_reach);
	print("invalid", r->invalid);
	return print_counters(r);
}

/* ---- the program ---- */

/* Finds out how the pages are at first, as the tool does. */
static int first_side(const struct log *log, uint64_t nr_pages, enum side *first)
{
	uint64_t line = 0;
	int err = 0;

	if (log->notes.init < 0)
		err = log_find_private_start(log, nr_pages, &line);
	*first = log->notes.init > 0 || line ? PRIVATE : SHARED;
	return err;
}

static int read_log(struct replay *r, const char *name)
{
	FILE *file = fopen(name, "re");
	bool shows_guest = false;
	int err = file ? log_read(&r->log, file, LOG_CSV) : -errno;

	if (file)
		fclose(file);
	if (err)
		return err;
	for (size_t i = 0; i < r->log.nr_events; i++)
		shows_guest |= r->log.events[i].op == EVENT_ACCEPT ||
			       r->log.events[i].op == EVENT_GUEST_TOUCH;
	/* else the simulated guest uses all memory, which this one does not */
	return shows_guest && !r->log.malformed.total ? 0 : -EINVAL;
}

/* Gives the memslot an address where nothing is, aligned as the mapping is. */
static int set_apart(struct replay *r)
{
	const uint64_t nr_pages = r->g.nr_pages;
	struct gmem apart = r->g;
	unsigned char *nothing = mmap(NULL, (nr_pages + BLOCK) * PAGE, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (nothing == MAP_FAILED)
		return -errno;
	apart.host = nothing + -(uintptr_t)nothing % (BLOCK * PAGE);
	err = gmem_set_slot(&r->g, MAIN_SLOT, MAIN_GPA, 0, 0);
	return err ? err : gmem_set_slot(&apart, MAIN_SLOT, MAIN_GPA, 0, nr_pages);
}

static int create(struct replay *r)
{
	const uint64_t nr_pages = log_nr_pages(&r->log);
	enum side first;
	int err;

	if (!nr_pages || nr_pages > MAX_PAGES)
		return -EFBIG;
	err = first_side(&r->log, nr_pages, &first);
	if (!err)
		err = gmem_create(&r->g, nr_pages, gmem_flags(FOLIO_2M, r->policy, first));
	if (!err)
		err = host_start();
	if (!err && r->apart)
		err = set_apart(r);
	if (!err)
		err = pins_init(&r->pins, r->g.host);
	r->used = calloc(nr_pages, 1);
	r->private = malloc(nr_pages);
	if (!err && (!r->used || !r->private))
		err = -ENOMEM;
	if (err)
		return err;
	memset(r->private, first == PRIVATE, nr_pages);
	err = gmem_pre_fault(&r->g.m.vcpu, 0, MACHINE_LOW_SIZE / PAGE);
	if (!err)
		err = vm_counter(r->g.m.vm, "pages_4k", &r->low_4k);
	return err ? err : vm_counter(r->g.m.vm, "pf_fixed", &r->low_fixed);
}

/* Returns the name of the log; NULL: the command line is wrong. */
static const char *parse(struct replay *r, int argc, char **argv)
{
	uint64_t ms = r->pin_us / 1000;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--punch"))
			r->punch = true;
		else if (!strcmp(argv[i], "--pace"))
			r->pace = true;
		else if (!strcmp(argv[i], "--apart"))
			r->apart = true;
		else if (!strcmp(argv[i], "--policy") && !policy_parse(value, &r->policy))
			i++;
		else if (!strcmp(argv[i], "--pin-time") && !setup_number(value, &ms))
			i++;
		else if (i + 1 == argc && *argv[i] != '-' && ms < 1000000) {
			r->pin_us = ms * 1000;
			return argv[i];
		} else {
			break;
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct replay r = {.pin_us = LAB_PIN_US, .g = GMEM_INIT};
	const char *name = parse(&r, argc, argv);
	const char *step = "reading the log";
	int err;

	if (!name) {
		fprintf(stderr, "usage: replay --policy NAME [--pin-time MS] [--punch] [--pace] "
				"[--apart] LOG\n");
		return EXIT_CANNOT;
	}
	if (!gmem_supported())
		return EXIT_SKIPPED;
	err = read_log(&r, name);
	if (!err) {
		step = "creating the VM";
		err = create(&r);
	}
	if (!err) {
		step = "replaying";
		err = replay(&r);
	}
	if (!err) {
		step = "reading the counters";
		err = report(&r);
	}
	if (err)
		fprintf(stderr, "%s: %s: %s\n", name, step, strerror(-err));
	return err ? 1 : 0;
}
