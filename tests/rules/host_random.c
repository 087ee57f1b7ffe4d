// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * host_random.c - proves that the host never has a private page mapped, whatever fails
 *
 * Tests rules 12, 14, 16 and 39. Conversions, faults, pins, holes and repairs are drawn at
 * random, on the backend of vmm.h. Its hooks, a listener and allocations fail at random.
 */
#include "vmm.h"

static void repair(struct vmm *v, uint64_t page)
{
	const bool private = prng_chance(&v->prng, 50);
	uint64_t first = page, last = page;

	while (first && gms_is_quarantined(v->state, first - 1))
		first--;
	while (last + 1 < VMM_PAGES && gms_is_quarantined(v->state, last + 1))
		last++;
	for (uint64_t i = first; i <= last; i++)
		v->private[i] = private; /* as the caller of gms_repair() has to */
	if (gms_repair(v->state, first, last + 1 - first, private ? GMS_PRIVATE : GMS_SHARED))
		return;
	for (uint64_t i = first; i <= last; i++)
		v->visible[i] = !private; /* as gms_kvm_sync() does */
}

static void pin_or_unpin(struct vmm *v, uint64_t start, uint64_t nr_pages)
{
	const uint64_t i = prng_below(&v->prng, VMM_PINS);

	if (v->pins[i].nr_pages)
		gms_unpin(v->state, v->pins[i].start, v->pins[i].nr_pages);
	v->pins[i].nr_pages = 0;
	if (prng_chance(&v->prng, 60) || gms_pin(v->state, start, nr_pages, NULL))
		return;
	v->pins[i].start = start;
	v->pins[i].nr_pages = nr_pages;
}

static void do_something(struct vmm *v)
{
	const uint64_t start = prng_below(&v->prng, VMM_PAGES);
	uint64_t nr_pages = 1 + prng_below(&v->prng, prng_chance(&v->prng, 70) ? 8 : VMM_PAGES);
	const enum gms_shareability to = prng_chance(&v->prng, 50) ? GMS_PRIVATE : GMS_SHARED;
	struct gms_fault fault;

	if (nr_pages > VMM_PAGES - start)
		nr_pages = VMM_PAGES - start;
	if (prng_chance(&v->prng, 10))
		talloc_fail(&v->talloc, prng_below(&v->prng, 4), 1 + prng_below(&v->prng, 3));
	switch (prng_below(&v->prng, 10)) {
	case 0:
		pin_or_unpin(v, start, nr_pages < 16 ? nr_pages : 16);
		break;
	case 1:
		gms_punch_hole(v->state, start, nr_pages, NULL);
		break;
	case 2:
		if (!gms_fault_begin(v->state, start, (enum gms_accessor)to, &fault))
			gms_fault_end(v->state, &fault);
		break;
	case 3:
		if (gms_is_quarantined(v->state, start))
			repair(v, start);
		break;
	default:
		gms_convert(v->state, start, nr_pages, to,
			    prng_chance(&v->prng, 30) ? GMS_CONVERT_RESUMABLE : 0, NULL);
	}
	talloc_fail_never(&v->talloc);
}

static void recover(struct vmm *v)
{
	v->percent = 0;
	v->refuse = false;
	for (int i = 0; i < VMM_PINS; i++)
		gms_unpin(v->state, v->pins[i].start, v->pins[i].nr_pages);
	for (uint64_t i = 0; i < VMM_PAGES; i++)
		if (gms_is_quarantined(v->state, i))
			repair(v, i);
	assert_fine(vmm_agrees(v));
	assert_int_equal(gms_convert(v->state, 0, VMM_PAGES, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_convert(v->state, 0, VMM_PAGES, GMS_SHARED, 0, NULL), 0);
}

static void private_pages_are_never_mapped_for_the_host(void **unused)
{
	const struct gms_policy_ops *const policies[] = {gms_policy_lazy(), gms_policy_eager(),
							 gms_policy_eager_nonuniform()};
	const uint64_t rounds = test_iters(300);
	uint64_t quarantined = 0, undone = 0;
	static struct vmm v;

	(void)unused;
	for (uint64_t round = 0; round < rounds; round++) {
		struct gms_stats stats = {.struct_size = sizeof(stats)};
		unsigned int id;

		vmm_init(&v, policies[round % ARRAY_SIZE(policies)],
			 round % 2 ? GMS_INIT_PRIVATE : 0, &vmm_by_page);
		prng_init(&v.prng, test_seed() + round);
		if (round % 4 < 2)
			assert_int_equal(gms_listener_register(v.state, &vmm_listener, &v, 0,
							       VMM_PAGES, 1, &id),
					 0);
		v.percent = (unsigned int)(round % 5) * 3;
		v.refuse = true;
		for (int i = 0; i < 150; i++) {
			do_something(&v);
			if (vmm_agrees(&v))
				printf("GMS_TEST_SEED=%llu: round %llu, operation %d\n",
				       (unsigned long long)test_seed(), (unsigned long long)round,
				       i);
			assert_fine(vmm_agrees(&v));
		}
		gms_stats_read(v.state, &stats);
		quarantined += stats.quarantined_pages;
		undone += stats.undone;
		recover(&v);
		vmm_fini(&v);
	}
	assert_true(rounds < 20 || (quarantined && undone)); /* enough calls have failed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(private_pages_are_never_mapped_for_the_host),
	};

	return cmocka_run_group_tests_name("rules-host-random", tests, NULL, NULL);
}
