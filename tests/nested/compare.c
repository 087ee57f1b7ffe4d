// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * compare.c - random conversions on real memory: compares KVM with the library
 *
 *	compare [--pages N] [--conversions N] [--seed N]
 *	        [--mode any|in-place|attributes|memslots] [--folio-order 0|9] [--policy NAME]
 *	        [--plant attribute|deaf|slot|host|lost|skip|drained]
 *
 * After each conversion the guest and the host touch its range and the page on each side, and
 * after every 100th conversion all pages. The answers are compared (check.h). The last line
 * counts the mismatches. With an odd seed all pages are private at first.
 *
 * --folio-order and --policy are for a conversion in place, and say which folios the guest_memfd
 * has. Without them the parameters of the kernel decide.
 *
 * Exit status:
 *
 *	0	there is no mismatch
 *	1	there are mismatches
 *	2	the comparison could not be made
 *	77	there is no /dev/kvm, or KVM does not offer the mode
 *
 * --plant makes a mismatch on purpose. Then 0 and 1 change places.
 */
#include "compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing.h"

#define CHECK_ALL_EVERY 100
#define BARE_EVERY 4
#define REPORT_EVERY 2500

static int usage(void)
{
	fputs("usage: compare [--pages N] [--conversions N] [--seed N]\n"
	      "               [--mode any|in-place|attributes|memslots]\n"
	      "               [--folio-order 0|9] [--policy NAME]\n"
	      "               [--plant attribute|deaf|slot|host|lost|skip|drained]\n",
	      stderr);
	return EXIT_CANNOT;
}

static int parse(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		int err;

		if (!value)
			return -EINVAL;
		if (!strcmp(name, "--pages"))
			err = setup_number(value, &options->pages);
		else if (!strcmp(name, "--conversions"))
			err = setup_number(value, &options->conversions);
		else if (!strcmp(name, "--seed"))
			err = setup_number(value, &options->seed);
		else if (!strcmp(name, "--plant"))
			err = plant_parse(value, &options->plant);
		else
			err = setup_way(name, value, &options->way);
		if (err)
			return err;
	}
	if (!options->pages || options->pages > PROBE_MAX || options->pages % 2)
		return -EINVAL;
	return 0;
}

static int create_memory(struct compare *c)
{
	struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;
	bool private = c->options.seed % 2;
	int err;

	opts.vm_fd = c->m.vm;
	c->memory.nr_pages = c->options.pages;
	err = setup_memory(&c->memory, &opts, &c->options.way, private, compare_backend(c));
	if (err)
		return err;
	c->row = (struct row) {
		.m = &c->m,
		.state = c->memory.state,
		.start = c->memory.start,
		.nr_pages = c->memory.nr_pages,
		.gfn = c->memory.gfn,
		.host = c->memory.host,
		.keeps = c->in_place,
		.tally = &c->tally,
		.stamp = &c->stamp,
	};
	return row_init(&c->row, private);
}

static int create(struct compare *c)
{
	int err = setup_machine(&c->m, &c->options.way.mode);

	if (err)
		return err;
	c->attributes = c->options.way.mode == GMS_KVM_ATTRIBUTES;
	c->in_place = c->options.way.mode == GMS_KVM_IN_PLACE;
	err = create_memory(c);
	if (!err && c->attributes)
		err = bare_create(c);
	if (!err)
		err = host_start();
	if (!err)
		err = guest_start(&c->m);
	return err;
}

static void destroy(struct compare *c)
{
	bare_destroy(c);
	memory_destroy(&c->memory);
	machine_destroy(&c->m);
	free(c->row.pages);
}

static int check_all(struct compare *c)
{
	const char *why;
	int err = check_guest(&c->row, 0, c->row.nr_pages, draw_mode(c));

	if (err)
		return err;
	check_host(&c->row, 0, c->row.nr_pages, draw_mode(c));
	if (!gms_state_verify(c->row.state, &why))
		mismatch(&c->tally, "gms_state_verify(): %s", why);
	return c->attributes ? check_guest(&c->bare.row, 0, c->bare.row.nr_pages, draw_mode(c)) : 0;
}

/* Plants a mismatch after half of the conversions. There must be no other mismatch before. */
static int plant(struct compare *c, uint64_t done)
{
	int err;

	if (!c->options.plant || done != c->options.conversions / 2)
		return 0;
	if (c->tally.mismatches)
		return -EIO;
	c->planted = true;
	err = plant_now(c);
	return err ? err : check_all(c);
}

/* Makes the conversions, and counts them in *done. Returns 0 or -errno. */
static int run(struct compare *c, uint64_t *done)
{
	const struct options *options = &c->options;
	int err = check_all(c);

	if (c->in_place)
		backing_report(c->memory.guest_memfd, c->m.vm);
	for (*done = 0; !err && *done < options->conversions;) {
		err = plant(c, *done);
		/* the planted mismatch is found: later ones would only follow from it */
		if (err || (c->planted && c->tally.mismatches))
			return err;
		err = convert_something(c);
		if (!err && c->attributes && *done % BARE_EVERY == 0)
			err = bare_convert_something(c);
		++*done;
		if (!err && *done % CHECK_ALL_EVERY == 0)
			err = check_all(c);
		if (*done % REPORT_EVERY == 0)
			printf("%llu conversions, %llu mismatches so far\n",
			       (unsigned long long)*done, (unsigned long long)c->tally.mismatches);
	}
	return err ? err : check_all(c);
}

static int report(const struct compare *c, uint64_t done)
{
	const struct tally *t = &c->tally;

	if (c->in_place) {
		printf("references: %llu conversions refused, %llu at another page; %llu to a "
		       "large folio\n",
		       (unsigned long long)c->referred, (unsigned long long)c->others,
		       (unsigned long long)c->large);
		backing_report(c->memory.guest_memfd, c->m.vm);
	}
	printf("%llu x SIGBUS, %llu x KVM_EXIT_MEMORY_FAULT; refused: %llu for a pin, %llu by a "
	       "hook\n",
	       (unsigned long long)t->sigbus, (unsigned long long)t->memory_faults,
	       (unsigned long long)c->pinned, (unsigned long long)c->failed);
	printf("%llu conversions, %llu guest probes, %llu host probes, %llu mismatches\n",
	       (unsigned long long)done, (unsigned long long)t->guest, (unsigned long long)t->host,
	       (unsigned long long)t->mismatches);
	return !t->mismatches == !c->options.plant ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct compare c = {
		.options = {.pages = PROBE_MAX, .conversions = 10000, .seed = 1},
		.m = MACHINE_INIT,
		.memory = MEMORY_INIT,
	};
	uint64_t done = 0;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse(argc, argv, &c.options))
		return usage();
	c.tally.max_printed = c.options.plant ? 2 : 20;
	c.rng = (c.options.seed + 1) * 0x9e3779b97f4a7c15ULL;
	if (!setup_have_kvm()) {
		printf("skipped: no /dev/kvm\n");
		return EXIT_SKIPPED;
	}
	err = create(&c);
	if (err == -EOPNOTSUPP) {
		printf("skipped: this KVM does not offer the mode\n");
		return EXIT_SKIPPED;
	}
	if (!err) {
		printf("compare: %llu pages, %s, seed %llu%s%s\n",
		       (unsigned long long)c.options.pages,
		       gms_kvm_way_name(gms_kvm_get_way(c.memory.kvm)),
		       (unsigned long long)c.options.seed, c.options.plant ? ", planted: " : "",
		       c.options.plant ? plant_name(c.options.plant) : "");
		err = run(&c, &done);
	}
	if (err) {
		printf("compare: after %llu conversions: %s\n", (unsigned long long)done,
		       strerror(-err));
		return EXIT_CANNOT;
	}
	err = report(&c, done);
	destroy(&c);
	return err;
}
