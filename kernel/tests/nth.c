// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * nth.c - proves that a failure of any allocation of the kernel changes nothing
 *
 * Tests rule 14. The tests of the other programs fail the n-th call of an allocator of their own.
 * Here it is the kernel that fails: failslab and fail_page_alloc, by the task's fail_nth, for each
 * n until the call succeeds. So the allocator of src/platform/kernel is tested, too. kvmalloc()
 * tries again with vmalloc(), which then succeeds: such calls fail for small objects only.
 */
#include <linux/sched.h>

#include <gmemstate/state.h>

#include "test.h"

#define NR_PAGES (3UL << GMS_ORDER_1G)

#ifdef CONFIG_FAULT_INJECTION

struct step {
	const char *name;
	int (*run)(struct gms_state *s);
	uint64_t private; /* how many pages are private after it */
};

static int convert_a_page(struct gms_state *s)
{
	return gms_convert(s, 777, 1, GMS_PRIVATE, 0, NULL);
}

static int convert_much(struct gms_state *s)
{
	return gms_convert(s, 1000, 2UL << GMS_ORDER_1G, GMS_PRIVATE, 0, NULL);
}

static int convert_back(struct gms_state *s)
{
	return gms_convert(s, 1300, 1UL << GMS_ORDER_1G, GMS_SHARED, 0, NULL);
}

static int fault_host(struct gms_state *s)
{
	struct gms_fault fault;
	int err = gms_fault_begin(s, 1400, GMS_HOST, &fault);

	if (!err)
		gms_fault_end(s, &fault);
	return err;
}

static int fault_guest(struct gms_state *s)
{
	struct gms_fault fault;
	int err = gms_fault_begin(s, 777, GMS_GUEST, &fault);

	if (err)
		return err;
	err = gms_fault_prepare(s, &fault);
	gms_fault_end(s, &fault);
	return err;
}

static int allocate(struct gms_state *s)
{
	return gms_allocate(s, 5, 1UL << GMS_ORDER_1G, NULL);
}

static int pin(struct gms_state *s)
{
	int err = gms_pin(s, 1310, 1000, NULL);

	if (!err)
		gms_unpin(s, 1310, 1000);
	return err;
}

static int set_attr(struct gms_state *s)
{
	unsigned int id;
	int err = gms_attr_create(s, &id);

	return err ? err : gms_attr_set(s, id, 3, 5000, true);
}

static int inhibit(struct gms_state *s)
{
	return gms_inhibit(s, 1400, 700, GMS_ORDER_4K);
}

static int punch(struct gms_state *s)
{
	return gms_punch_hole(s, 1500, 3UL << GMS_ORDER_2M, NULL);
}

static int take_all(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		    size_t *done)
{
	return 0;
}

static int listen(struct gms_state *s)
{
	static const struct gms_listener_ops ops = {
		.struct_size = sizeof(ops),
		.change = take_all,
	};
	unsigned int id;
	int err = gms_listener_register(s, &ops, NULL, 0, NR_PAGES, 1, &id);

	return err ? err : gms_listener_unregister(s, id);
}

static int bind(struct gms_state *s)
{
	unsigned int id;
	int err = gms_bind(s, 1UL << 20, 0, NR_PAGES, &id);

	return err ? err : gms_unbind(s, id);
}

/*
 * Creates an object, with each allocation failing in turn. Some of the failures do no harm,
 * because vmalloc() has the memory.
 */
static struct gms_state *create_failing(unsigned int *injected)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *s = NULL;
	bool failed = true;
	unsigned int n;
	int err;

	opts.nr_pages = NR_PAGES;
	opts.folio_order = GMS_ORDER_2M;
	for (n = 1; failed; n++) {
		gms_state_destroy(s);
		s = NULL;
		current->fail_nth = n;
		err = gms_state_create(&opts, &s);
		failed = !current->fail_nth;
		current->fail_nth = 0;
		*injected += failed;
		assert_true(!err || (err == -ENOMEM && failed));
	}
	assert_non_null(s);
	return s;
}

/* Lets the n-th allocation from now on fail, and runs the step. Returns what it returns. */
static int run_failing(const struct step *step, struct gms_state *s, unsigned int n, bool *failed)
{
	int err;

	current->fail_nth = n;
	err = step->run(s);
	*failed = !current->fail_nth;
	current->fail_nth = 0;
	return err;
}

static void run_step(const struct step *step, struct gms_state *s, unsigned int *injected)
{
	const uint64_t before = gms_count(s, 0, NR_PAGES, GMS_PRIVATE);
	bool failed = true;
	unsigned int n;
	int err = -ENOMEM;

	for (n = 1; failed; n++) {
		err = run_failing(step, s, n, &failed);
		*injected += failed;
		if (err && err != -ENOMEM)
			fail_msg("%s: returned %d", step->name, err);
		if (err && !failed)
			fail_msg("%s: -ENOMEM, and no allocation failed", step->name);
		if (!gms_state_verify(s, NULL))
			fail_msg("%s: the object is broken", step->name);
		if (err && gms_count(s, 0, NR_PAGES, GMS_PRIVATE) != before)
			fail_msg("%s: failed, and changed pages", step->name);
	}
	assert_int_equal(err, 0);
	assert_int_equal(gms_count(s, 0, NR_PAGES, GMS_PRIVATE), step->private);
}

static void rule_14_any_allocation_of_the_kernel_may_fail(void **unused)
{
	const uint64_t much = (2UL << GMS_ORDER_1G) + 1, rest = much - (1UL << GMS_ORDER_1G);
	const struct step steps[] = {
		{"convert a page", convert_a_page, 1},
		{"convert much", convert_much, much},
		{"convert back", convert_back, rest},
		{"fault of the host", fault_host, rest},
		{"fault of the guest", fault_guest, rest},
		{"allocate", allocate, rest},
		{"pin", pin, rest},
		{"attribute", set_attr, rest},
		{"inhibit", inhibit, rest},
		{"listener", listen, rest},
		{"binding", bind, rest},
		{"hole", punch, rest},
	};
	unsigned int injected = 0;
	struct gms_state *s = create_failing(&injected);
	size_t i;

	assert_true(injected > 3);
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		run_step(&steps[i], s, &injected);
	assert_true(injected > 20);
	printf("%u allocations failed\n", injected);
	gms_state_destroy(s);
}

#else

static void rule_14_any_allocation_of_the_kernel_may_fail(void **unused)
{
	skip();
}

#endif

int test_main_kernel_nth(void);
int test_main_kernel_nth(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_14_any_allocation_of_the_kernel_may_fail),
	};

	return cmocka_run_group_tests_name("kernel-nth", tests, NULL, NULL);
}
