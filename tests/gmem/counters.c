// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * counters.c - when folios are split and merged, and how large KVM and the host map them
 *
 * The counters are those of debugfs: of the guest_memfd (splits_2m, merges_2m, ...), and KVM's own
 * (pages_2m, pages_4k). The folios are of 2M, in memory of 8 MiB. Each test runs for each policy
 * about which it says something.
 */
#include <errno.h>
#include <time.h>

#include "counters.h"
#include "pins.h"
#include "steps.h"

#define BLOCKS 4
#define PAGES (BLOCKS * BLOCK)
#define AT 7 /* a page of the first block */

#define counter(g, name) step_counter(HERE, g, name)
#define counter_is(g, name, want) step_counter_is(HERE, g, name, want)
#define kvm_is(g, name, before, want) step_kvm_is(HERE, g, name, before, want)

static uint64_t step_counter(struct place at, const struct gmem *g, const char *name)
{
	uint64_t value;
	int err = gmem_counter(g->fd, name, &value);

	if (err)
		fail_at(at, "the counter %s: %d", name, err);
	return value;
}

static void step_counter_is(struct place at, const struct gmem *g, const char *name, uint64_t want)
{
	const uint64_t value = step_counter(at, g, name);

	if (value != want)
		fail_at(at, "%s is %llu, not %llu", name, (unsigned long long)value,
			(unsigned long long)want);
}

static uint64_t kvm_counter(const struct gmem *g, const char *name)
{
	uint64_t value;

	works(vm_counter(g->m.vm, name, &value));
	return value;
}

/* KVM's counter is @want more than before. */
static void step_kvm_is(struct place at, const struct gmem *g, const char *name, uint64_t before,
			uint64_t want)
{
	const uint64_t value = kvm_counter(g, name);

	if (value != before + want)
		fail_at(at, "%s is %lld more than before, not %llu", name,
			(long long)(value - before), (unsigned long long)want);
}

/* ---- the memory of a test ---- */

struct counted {
	struct gmem g;
	uint64_t pages_2m, pages_4k; /* of KVM, before anything was mapped */
};

static enum policy policy_of(void **state)
{
	return *(const enum policy *)*state;
}

/* Creates memory with folios of a size, and allocates it. */
static void open_allocated(struct counted *m, enum policy policy, enum folio folio, enum side first)
{
	works(host_start());
	works(gmem_create(&m->g, PAGES, gmem_flags(folio, policy, first)));
	/* from now on KVM maps only pages of the guest_memfd */
	works(gmem_pre_fault(&m->g.m.vcpu, 0, MACHINE_LOW_SIZE / PAGE));
	m->pages_2m = kvm_counter(&m->g, "pages_2m");
	m->pages_4k = kvm_counter(&m->g, "pages_4k");
	works(gmem_allocate(m->g.fd, 0, PAGES));
}

static void pre_fault(struct counted *m)
{
	works(gmem_pre_fault(&m->g.m.vcpu, MAIN_GPA, PAGES));
}

static void close_allocated(struct counted *m)
{
	gmem_destroy(&m->g);
}

/* ---- memory that is all of one side ---- */

/* fallocate() and KVM_PRE_FAULT_MEMORY of private memory: four folios, and four mappings. */
static void private_memory(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	counter_is(&m.g, "fallbacks", 0);
	kvm_is(&m.g, "pages_2m", m.pages_2m, 0);
	pre_fault(&m);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	kvm_is(&m.g, "pages_4k", m.pages_4k, 0);
	counter_is(&m.g, "splits_2m", 0);
	guest_reads_0(&m.g, 0, PAGES);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	counter_is(&m.g, "splits_2m", 0);
	counter_is(&m.g, "copies", 0);
	close_allocated(&m);
}

/* The same without fallocate(): the guest's faults allocate folios of 2M. */
static void private_memory_by_faults(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	works(gmem_punch(m.g.fd, 0, PAGES));
	guest_reads_0(&m.g, 0, PAGES);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	counter_is(&m.g, "splits_2m", 0);
	close_allocated(&m);
}

static void small_folios(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_4K, PRIVATE);
	pre_fault(&m);
	kvm_is(&m.g, "pages_2m", m.pages_2m, 0);
	kvm_is(&m.g, "pages_4k", m.pages_4k, PAGES);
	converts(&m.g, AT, 1, SHARED);
	host_reads_0(&m.g, AT, 1);
	converts(&m.g, AT, 1, PRIVATE);
	counter_is(&m.g, "splits_2m", 0);
	counter_is(&m.g, "merges_2m", 0);
	counter_is(&m.g, "host_pmd", 0);
	close_allocated(&m);
}

/* Shared memory stays in folios of 2M: both sides map 2M. */
static void shared_memory_whole(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, SHARED);
	host_reads_0(&m.g, 0, PAGES);
	pre_fault(&m);
	counter_is(&m.g, "splits_2m", 0);
	counter_is(&m.g, "host_pmd", BLOCKS);
	counter_is(&m.g, "host_pte", 0);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	close_allocated(&m);
}

/* Shared memory is split when it is allocated, or when the host touches it. */
static void shared_memory_split(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, SHARED);
	host_reads_0(&m.g, 0, PAGES);
	pre_fault(&m);
	counter_is(&m.g, "splits_2m", BLOCKS);
	counter_is(&m.g, "host_pmd", 0);
	kvm_is(&m.g, "pages_2m", m.pages_2m, 0);
	close_allocated(&m);
}

/* ---- one page becomes shared ---- */

/* Nothing is split by the conversion, nor by the guest's faults, but by the host's touch. */
static void split_at_touch(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	pre_fault(&m);
	converts(&m.g, AT, 1, SHARED);
	counter_is(&m.g, "splits_2m", 0);
	guest_reads_0(&m.g, 0, PAGES);
	host_refused(&m.g, AT + 1, 3);
	counter_is(&m.g, "splits_2m", 0);
	host_reads_0(&m.g, AT, 1);
	counter_is(&m.g, "splits_2m", 1);
	guest_reads_0(&m.g, 0, PAGES);
	host_reads_0(&m.g, AT, 1);
	counter_is(&m.g, "splits_2m", 1);
	counter_is(&m.g, "host_pmd", 0);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS - 1);
	close_allocated(&m);
}

/* The host does not touch the page, and it becomes private again: the folio was never split. */
static void untouched(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	pre_fault(&m);
	converts(&m.g, AT, 1, SHARED);
	guest_reads_0(&m.g, 0, PAGES);
	converts(&m.g, AT, 1, PRIVATE);
	pre_fault(&m);
	guest_reads_0(&m.g, 0, PAGES);
	counter_is(&m.g, "splits_2m", 0);
	counter_is(&m.g, "merges_2m", 0);
	counter_is(&m.g, "copies", 0);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	close_allocated(&m);
}

static void split_at_once(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	pre_fault(&m);
	converts(&m.g, AT, 1, SHARED);
	counter_is(&m.g, "splits_2m", 1);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS - 1);
	guest_reads_0(&m.g, 0, AT);
	guest_reads_0(&m.g, AT + 1, BLOCK - AT - 1);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS - 1);
	kvm_is(&m.g, "pages_4k", m.pages_4k, BLOCK - 1);
	guest_reads_0(&m.g, AT, 1);
	host_reads_0(&m.g, AT, 1);
	converts(&m.g, AT + 1, 100, SHARED);
	host_reads_0(&m.g, AT + 1, 100);
	counter_is(&m.g, "splits_2m", 1);
	close_allocated(&m);
}

/* Fills the first block while its folio is split. Page AT is shared then. */
static uint64_t fill_split(struct counted *m)
{
	const uint64_t stamp = new_stamp();

	pre_fault(m);
	converts(&m->g, 0, BLOCK, SHARED);
	host_writes(&m->g, 0, BLOCK, stamp);
	converts(&m->g, 0, AT, PRIVATE);
	converts(&m->g, AT + 1, BLOCK - AT - 1, PRIVATE);
	host_reads(&m->g, AT, 1, stamp);
	guest_reads(&m->g, 0, BLOCK, stamp);
	return stamp;
}

/* The last page of a block becomes private: the folio is whole again, with what was there. */
static void merge_at_once(void **state)
{
	struct counted m;
	uint64_t stamp, merges;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	stamp = fill_split(&m);
	merges = counter(&m.g, "merges_2m");
	converts(&m.g, AT, 1, PRIVATE);
	counter_is(&m.g, "merges_2m", merges + 1);
	assert_true(counter(&m.g, "copies") >= 1);
	pre_fault(&m);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	kvm_is(&m.g, "pages_4k", m.pages_4k, 0);
	guest_reads(&m.g, 0, BLOCK, stamp);
	guest_reads_0(&m.g, BLOCK, PAGES - BLOCK);
	converts(&m.g, 0, BLOCK, SHARED);
	host_reads(&m.g, 0, BLOCK, stamp);
	close_allocated(&m);
}

/* A pin refuses a merge before anybody has lost a mapping. */
static void refused_merge(void **state)
{
	const uint64_t stamp = new_stamp();
	struct pin pin = {.nr_pages = 1};
	uint64_t merges, mappings;
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	converts(&m.g, 0, AT, SHARED);
	converts(&m.g, AT + 1, BLOCK - AT - 1, SHARED);
	host_writes(&m.g, 0, AT, stamp);
	host_writes(&m.g, AT + 1, BLOCK - AT - 1, stamp + AT + 1);
	pin.at = m.g.host + (AT + 1) * PAGE;
	works(pin_vmsplice.take(&pin, pin.at, 1));
	merges = counter(&m.g, "merges_2m");
	mappings = counter(&m.g, "host_pte");
	converts(&m.g, AT, 1, SHARED);
	counter_is(&m.g, "merges_2m", merges);
	host_reads(&m.g, 0, AT, stamp);
	host_reads(&m.g, AT + 1, BLOCK - AT - 1, stamp + AT + 1);
	counter_is(&m.g, "host_pte", mappings);
	works(pin_vmsplice.release(&pin, NULL));
	converts(&m.g, AT, 1, PRIVATE);
	converts(&m.g, AT, 1, SHARED);
	counter_is(&m.g, "merges_2m", merges + 1);
	host_reads(&m.g, 0, AT, stamp);
	host_reads(&m.g, AT + 1, BLOCK - AT - 1, stamp + AT + 1);
	close_allocated(&m);
}

/* What is split stays split. */
static void no_merge(void **state)
{
	struct counted m;
	uint64_t stamp;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	stamp = fill_split(&m);
	converts(&m.g, AT, 1, PRIVATE);
	guest_reads(&m.g, 0, BLOCK, stamp);
	counter_is(&m.g, "merges_2m", 0);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS - 1);
	kvm_is(&m.g, "pages_4k", m.pages_4k, BLOCK);
	close_allocated(&m);
}

/* The folio is whole again some time after its pages became private. */
static void merge_later(void **state)
{
	const struct timespec a_while = {.tv_nsec = 200000000};
	struct counted m;
	uint64_t stamp;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	stamp = fill_split(&m);
	converts(&m.g, AT, 1, PRIVATE);
	for (int i = 0; i < 150 && !counter(&m.g, "merges_2m"); i++)
		nanosleep(&a_while, NULL);
	counter_is(&m.g, "merges_2m", 1);
	guest_reads(&m.g, 0, BLOCK, stamp);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	close_allocated(&m);
}

/* ---- one block becomes shared ---- */

/* A block that is all shared stays whole; the other blocks are not looked at. */
static void whole_block_stays(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	pre_fault(&m);
	converts(&m.g, BLOCK, BLOCK, SHARED);
	host_reads_0(&m.g, BLOCK, BLOCK);
	guest_reads_0(&m.g, 0, PAGES);
	counter_is(&m.g, "splits_2m", 0);
	counter_is(&m.g, "host_pmd", 1);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS);
	close_allocated(&m);
}

static void whole_block_is_split(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	pre_fault(&m);
	converts(&m.g, BLOCK, BLOCK, SHARED);
	host_reads_0(&m.g, BLOCK, BLOCK);
	guest_reads_0(&m.g, 0, PAGES);
	counter_is(&m.g, "splits_2m", 1);
	counter_is(&m.g, "host_pmd", 0);
	kvm_is(&m.g, "pages_2m", m.pages_2m, BLOCKS - 1);
	close_allocated(&m);
}

/* ---- what else is counted ---- */

static void conversions_are_counted(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	counter_is(&m.g, "converts", 0);
	for (uint64_t i = 0; i < 5; i++)
		converts(&m.g, i, 2, SHARED);
	refuses(&m.g, PAGES, 1, SHARED, -EINVAL);
	counter_is(&m.g, "converts", 5);
	counter_is(&m.g, "conversions", 5);
	counter_is(&m.g, "pages_converted", 6);
	converts(&m.g, 0, 6, SHARED);
	counter_is(&m.g, "converts", 6);
	counter_is(&m.g, "noops", 1);
	assert_true(counter(&m.g, "convert_ns") >= counter(&m.g, "convert_max_ns"));
	assert_true(counter(&m.g, "convert_max_ns") > 0);
	close_allocated(&m);
}

static void refusals_are_counted(void **state)
{
	struct counted m;

	open_allocated(&m, policy_of(state), FOLIO_2M, PRIVATE);
	host_refused(&m.g, AT, 1);
	assert_true(counter(&m.g, "refused_access") >= 2);
	counter_is(&m.g, "faults_host", 0);
	counter_is(&m.g, "quarantined_pages", 0);
	counter_is(&m.g, "undone", 0);
	close_allocated(&m);
}

static const enum policy eager_rfc = POLICY_EAGER_RFC, eager = POLICY_EAGER,
			 eager_nonuniform = POLICY_EAGER_NONUNIFORM, lazy_4k = POLICY_LAZY_4K,
			 lazy = POLICY_LAZY, adaptive = POLICY_ADAPTIVE;

#define WITH(policy, test)                                            \
	{                                                             \
#policy ": " #test, test, NULL, NULL, (void *)&policy \
	}
#define WITH_EAGER(test) WITH(eager_rfc, test), WITH(eager, test), WITH(eager_nonuniform, test)
#define WITH_LAZY(test) WITH(lazy_4k, test), WITH(lazy, test), WITH(adaptive, test)

static const struct CMUnitTest tests[] = {
	WITH_EAGER(private_memory),
	WITH_LAZY(private_memory),
	WITH_EAGER(private_memory_by_faults),
	WITH_LAZY(private_memory_by_faults),
	WITH(eager, small_folios),
	WITH(lazy, small_folios),
	WITH(eager_nonuniform, shared_memory_whole),
	WITH(lazy, shared_memory_whole),
	WITH(adaptive, shared_memory_whole),
	WITH(eager_rfc, shared_memory_split),
	WITH(eager, shared_memory_split),
	WITH(lazy_4k, shared_memory_split),
	WITH_LAZY(split_at_touch),
	WITH_LAZY(untouched),
	WITH_EAGER(split_at_once),
	WITH_EAGER(merge_at_once),
	WITH(eager_nonuniform, refused_merge),
	WITH(lazy_4k, no_merge),
	WITH(lazy, no_merge),
	WITH(adaptive, merge_later),
	WITH(eager_nonuniform, whole_block_stays),
	WITH(lazy, whole_block_stays),
	WITH(adaptive, whole_block_stays),
	WITH(eager_rfc, whole_block_is_split),
	WITH(eager, whole_block_is_split),
	WITH(lazy_4k, whole_block_is_split),
	WITH(lazy, no_stale_mapping),
	WITH(eager, conversions_are_counted),
	WITH(lazy, conversions_are_counted),
	WITH(lazy, refusals_are_counted),
};

int main(void)
{
	if (!gmem_supported()) {
		print_message("skipped: no guest_memfd here can be converted in place\n");
		return EXIT_SKIPPED;
	}
	return cmocka_run_group_tests_name("counters", tests, NULL, NULL) ? 1 : 0;
}
