// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * error.c - errors in words, the getters of an object, and the macros that initialize structs
 */
#include <gmemstate/gmemstate.h>

#include "snap.h"
#include "talloc.h"
#include "test.h"

#define NR_PAGES 4096

static struct gms_state *state;

static int set_up(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	(void)unused;
	opts.nr_pages = NR_PAGES;
	return gms_state_create(&opts, &state);
}

static int tear_down(void **unused)
{
	(void)unused;
	gms_state_destroy(state);
	return 0;
}

/* ---- gms_strerror() ---- */

static void each_errno_of_the_library_has_a_text(void **unused)
{
	static const int known[] = {
		0,      EPERM,  ENOENT,  EAGAIN,  ENOMEM,          EACCES,     EEXIST,
		EINVAL, ENOSPC, EBADMSG, EDEADLK, EPROTONOSUPPORT, EOPNOTSUPP, ENOTRECOVERABLE,
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *text = gms_strerror(-known[i]);

		assert_ptr_equal(text, gms_strerror(known[i]));
		assert_string_not_equal(text, "unknown error");
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(text, gms_strerror(known[j]));
	}
	assert_string_equal(gms_strerror(-EXDEV), "unknown error");
	assert_string_equal(gms_strerror(INT32_MIN), "unknown error");
	assert_string_equal(gms_strerror(INT32_MAX), "unknown error");
}

/* ---- gms_reason() ---- */

#define because(call, why)                              \
	do {                                            \
		gms_reason_set(NULL);                   \
		assert_int_equal(call, -EINVAL);        \
		assert_string_equal(gms_reason(), why); \
	} while (0)

static void a_range_has_a_reason(void **unused)
{
	const enum gms_shareability to = GMS_PRIVATE;
	struct gms_fault fault;

	(void)unused;
	because(gms_convert(state, 0, 0, to, 0, NULL), "the range is empty");
	because(gms_convert(state, 1, UINT64_MAX, to, 0, NULL), "the range wraps");
	because(gms_convert(state, 1, NR_PAGES, to, 0, NULL),
		"the range passes the end of the object");
	because(gms_convert(state, NR_PAGES, 1, to, GMS_CONVERT_RESUMABLE, NULL),
		"the range begins past the end of the object");
	because(gms_pin(state, 0, 0, NULL), "the range is empty");
	because(gms_allocate(state, 0, 0, NULL), "the range is empty");
	because(gms_lock_shared(state, 0, 0), "the range is empty");
	because(gms_punch_hole(state, 0, 0, NULL), "the range is empty");
	because(gms_fault_begin(state, NR_PAGES, GMS_HOST, &fault),
		"the range begins past the end of the object");
}

static void an_argument_has_a_reason(void **unused)
{
	const struct gms_listener_ops none = GMS_LISTENER_OPS_INIT;
	struct gms_stats stats = {0};
	struct gms_fault fault;
	unsigned int id;

	(void)unused;
	because(gms_convert(state, 0, 1, (enum gms_shareability)2, 0, NULL),
		"the shareability is unknown");
	because(gms_convert(state, 0, 1, GMS_PRIVATE, 2, NULL), "a flag is unknown");
	because(gms_repair(state, 0, 1, (enum gms_shareability)2), "the shareability is unknown");
	because(gms_repair(state, 0, 1, GMS_PRIVATE), "a page of the range is not quarantined");
	because(gms_fault_begin(state, 0, (enum gms_accessor)2, &fault), "the accessor is unknown");
	because(gms_inhibit(state, 0, 1, 18), "the order is neither 0 nor 9");
	because(gms_attr_set(state, 0, 0, 1, true), "no attribute has this number");
	because(gms_bind(state, UINT64_MAX, 0, 1, &id), "the gfns wrap");
	because(gms_unbind(state, 7), "no binding has this number");
	because(gms_listener_unregister(state, 7), "no listener has this number");
	because(gms_listener_register(state, &none, NULL, 0, 1, 1, &id),
		"the listener has no change");
	because(gms_snapshot_save(state, NULL, 1, NULL), "a buffer with a size is NULL");
	because(gms_stats_read(state, &stats), "struct_size is not set");
	assert_int_equal(gms_fault_begin(state, 0, GMS_HOST, &fault), 0);
	because(gms_fault_prepare(state, &fault), "a fault of the host prepares nothing");
	gms_fault_end(state, &fault);
}

/* Calls gms_state_create() with options that are fine, but for what a function changes. */
static const char *reason_of_create(void (*spoil)(struct gms_state_opts *opts))
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *none = NULL;

	opts.nr_pages = 1;
	spoil(&opts);
	gms_reason_set(NULL);
	assert_int_equal(gms_state_create(&opts, &none), -EINVAL);
	assert_null(none);
	return gms_reason();
}

static void no_pages(struct gms_state_opts *opts)
{
	opts->nr_pages = 0;
}

static void no_such_flag(struct gms_state_opts *opts)
{
	opts->flags = 1ULL << 63;
}

static void no_such_order(struct gms_state_opts *opts)
{
	opts->folio_order = 10;
}

static void no_such_struct(struct gms_state_opts *opts)
{
	opts->struct_size = 1;
}

static void policy_without_decide(struct gms_state_opts *opts)
{
	static const struct gms_policy_ops policy = GMS_POLICY_OPS_INIT;

	opts->policy = &policy;
}

static void allocator_without_functions(struct gms_state_opts *opts)
{
	static const struct gms_allocator allocator = GMS_ALLOCATOR_INIT;

	opts->allocator = &allocator;
}

static void ctx_without_backend(struct gms_state_opts *opts)
{
	opts->backend_ctx = opts;
}

static void no_such_backend_flag(struct gms_state_opts *opts)
{
	static struct gms_backend_ops backend = GMS_BACKEND_OPS_INIT;

	backend.flags = 1U << 31;
	opts->backend = &backend;
}

static void options_have_a_reason(void **unused)
{
	static const struct {
		void (*spoil)(struct gms_state_opts *opts);
		const char *why;
	} cases[] = {
		{no_pages, "nr_pages is 0, or above 2^40"},
		{no_such_flag, "a flag is unknown"},
		{no_such_order, "folio_order is not 0, 9 or 18"},
		{no_such_struct, "struct_size is too small, or a field of a newer version is set"},
		{policy_without_decide,
		 "the policy lacks a name or decide, or struct_size is wrong"},
		{allocator_without_functions,
		 "the allocator lacks a function, or its struct_size is wrong"},
		{ctx_without_backend, "backend_ctx is set without a backend"},
		{no_such_backend_flag, "a flag of the backend is unknown"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(reason_of_create(cases[i].spoil), cases[i].why);
}

static void a_snapshot_has_a_reason(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *none = NULL;
	unsigned char buf[4096];
	size_t size;

	(void)unused;
	assert_int_equal(gms_snapshot_save(state, buf, sizeof(buf), &size), 0);
	assert_int_equal(gms_snapshot_load(buf, size - 1, &opts, &none), -EBADMSG);
	assert_string_equal(gms_reason(), "bytes are missing, or too many");
	opts.nr_pages = NR_PAGES + 1;
	because(gms_snapshot_load(buf, size, &opts, &none),
		"the snapshot has another nr_pages than the options");
	buf[size / 2] ^= 1;
	assert_int_equal(gms_snapshot_load(buf, size, &opts, &none), -EBADMSG);
	assert_string_equal(gms_reason(), "the checksum is wrong");
	buf[0] ^= 1;
	assert_int_equal(gms_snapshot_load(buf, size, &opts, &none), -EBADMSG);
	assert_string_equal(gms_reason(), "this is no snapshot");
	assert_null(none);
}

/* What a test tells the hooks and listeners below. */
static struct {
	const char *why; /* the reason that a refusal gives, or NULL */
	gms_pgoff_t refused; /* the first page that apply refuses */
	bool refuses_undo, refuses_share, refuses_withdrawal;
	unsigned int undone;
} told;

static int refuse(const char *why)
{
	if (why)
		gms_reason_set(why);
	return -EINVAL;
}

static int refuse_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
			gms_pgoff_t *failed)
{
	(void)ctx;
	(void)nr_pages;
	(void)to;
	(void)failed;
	return start >= told.refused ? refuse(told.why) : 0;
}

static int undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	(void)ctx;
	(void)start;
	(void)nr_pages;
	(void)back_to;
	told.undone++;
	return told.refuses_undo ? refuse("the undo failed") : 0;
}

static int accept_all(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		      size_t *done)
{
	(void)ctx;
	(void)runs;
	(void)count;
	(void)done;
	told.undone += to == GMS_PRIVATE;
	return to == GMS_PRIVATE && told.refuses_undo ? refuse("the undo failed") : 0;
}

/* Does the first run, and refuses the others. */
static int refuse_second(void *ctx, const struct gms_run *runs, size_t count,
			 enum gms_shareability to, size_t *done)
{
	(void)ctx;
	(void)runs;
	if (!(to == GMS_SHARED ? told.refuses_share : told.refuses_withdrawal))
		return 0;
	*done = count > 1;
	return refuse(told.why);
}

static struct gms_state *hooked;

static void create_hooked(void)
{
	struct gms_backend_ops backend = GMS_BACKEND_OPS_INIT;
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	memset(&told, 0, sizeof(told));
	told.refused = NR_PAGES;
	backend.apply = refuse_apply;
	backend.undo = undo;
	opts.nr_pages = NR_PAGES;
	opts.flags = GMS_INIT_PRIVATE;
	opts.backend = &backend;
	assert_int_equal(gms_state_create(&opts, &hooked), 0);
}

/* The error of a hook has the reason that the hook gives, or says that a hook refused. */
static void a_hook_gives_its_reason(void **unused)
{
	(void)unused;
	create_hooked();
	told.refused = 0;
	because(gms_convert(hooked, 0, 0, GMS_SHARED, 0, NULL), "the range is empty");
	because(gms_convert(hooked, 0, 1, GMS_SHARED, 0, NULL), "a hook refused");
	told.why = "the device is gone";
	because(gms_convert(hooked, 0, 1, GMS_SHARED, 0, NULL), told.why);
	because(gms_convert(hooked, 0, 1, GMS_SHARED, GMS_CONVERT_RESUMABLE, NULL), told.why);
	gms_state_destroy(hooked);
}

/* An undo calls hooks, too. It does not change the reason, even if it fails. */
static void a_reason_survives_the_undo(void **unused)
{
	(void)unused;
	create_hooked();
	assert_int_equal(gms_convert(hooked, 4, 1, GMS_SHARED, 0, NULL), 0);
	told.refused = 5;
	told.why = "the device is gone";
	because(gms_convert(hooked, 0, 16, GMS_SHARED, 0, NULL), told.why);
	assert_int_equal(told.undone, 1);
	told.refuses_undo = true;
	because(gms_convert(hooked, 0, 16, GMS_SHARED, 0, NULL), told.why);
	told.why = NULL;
	assert_int_equal(gms_repair(hooked, 0, 16, GMS_PRIVATE), 0);
	assert_int_equal(gms_convert(hooked, 4, 1, GMS_SHARED, 0, NULL), 0);
	because(gms_convert(hooked, 0, 16, GMS_SHARED, 0, NULL), "a hook refused");
	assert_int_equal(gms_convert(hooked, 0, 1, GMS_SHARED, 0, NULL), -ENOTRECOVERABLE);
	assert_string_equal(gms_reason(), "");
	gms_state_destroy(hooked);
}

/* The same for listeners: one does the first run, and another one all, before one refuses. */
static void a_listener_gives_its_reason(void **unused)
{
	struct gms_listener_ops first = GMS_LISTENER_OPS_INIT, second = GMS_LISTENER_OPS_INIT;
	unsigned int id;

	(void)unused;
	create_hooked();
	first.change = accept_all;
	second.change = refuse_second;
	assert_int_equal(gms_listener_register(hooked, &first, NULL, 0, NR_PAGES, 1, &id), 0);
	assert_int_equal(gms_listener_register(hooked, &second, NULL, 0, NR_PAGES, 1, &id), 0);
	told.refuses_share = true;
	because(gms_convert(hooked, 0, 2, GMS_SHARED, 0, NULL), "a listener refused");
	assert_int_equal(told.undone, 2); /* by the listener before, and by the hook */
	told.why = "no IOVA is left";
	because(gms_convert(hooked, 0, 2, GMS_SHARED, 0, NULL), told.why);
	told.refuses_undo = true;
	because(gms_convert(hooked, 0, 2, GMS_SHARED, 0, NULL), told.why);
	assert_int_equal(gms_convert(hooked, 0, 2, GMS_SHARED, 0, NULL), -ENOTRECOVERABLE);
	gms_state_destroy(hooked);
}

/* The library refuses, and a listener refuses to map again what it has unmapped. */
static void an_undo_gives_no_reason(void **unused)
{
	struct gms_listener_ops ops = GMS_LISTENER_OPS_INIT;
	gms_pgoff_t at;
	unsigned int id;

	(void)unused;
	create_hooked();
	ops.change = refuse_second;
	assert_int_equal(gms_convert(hooked, 0, 2, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_listener_register(hooked, &ops, NULL, 0, NR_PAGES, 1, &id), 0);
	assert_int_equal(gms_pin(hooked, 1, 1, NULL), 0);
	told.refuses_share = true;
	told.why = "no IOVA is left";
	assert_int_equal(gms_convert(hooked, 0, 2, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 1);
	assert_string_equal(gms_reason(), "");
	gms_unpin(hooked, 1, 1);
	gms_state_destroy(hooked);
}

/* The reason of an older error is not that of the next one. */
static void a_reason_is_of_one_call(void **unused)
{
	static const char why[] = "the device is gone";

	(void)unused;
	because(gms_convert(state, 0, 0, GMS_PRIVATE, 0, NULL), "the range is empty");
	assert_int_equal(gms_freeze(state), 0);
	assert_int_equal(gms_convert(state, 0, 1, GMS_SHARED, 0, NULL), -EPERM);
	assert_string_equal(gms_reason(), "");
	assert_int_equal(gms_thaw(state), 0);
	gms_reason_set(why);
	assert_ptr_equal(gms_reason(), why);
	assert_int_equal(gms_convert(state, 0, 1, GMS_PRIVATE, 0, NULL), 0);
	gms_reason_set(why);
	assert_int_equal(gms_pin(state, 0, 1, NULL), -EACCES);
	assert_string_equal(gms_reason(), "");
	gms_reason_set(NULL);
	assert_string_equal(gms_reason(), "");
}

#define no_reason(call, err)                           \
	do {                                           \
		gms_reason_set("an older one");        \
		assert_int_equal(call, err);           \
		assert_string_equal(gms_reason(), ""); \
	} while (0)

/* An error that says all there is to say has no reason, and not that of an older call. */
static void an_error_has_no_older_reason(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *never = NULL;
	struct gms_rtree *tree = NULL;
	unsigned char buf[4096];
	struct talloc talloc;
	struct snap snap;
	struct gms_fault fault;
	gms_pgoff_t index;
	unsigned int n;
	size_t size;

	(void)unused;
	no_reason(gms_gfn_to_index(state, 0, &index), -ENOENT);
	no_reason(gms_gfn_max_order(state, 0, &n), -ENOENT);
	no_reason(gms_fault_begin_gfn(state, 0, GMS_HOST, &fault), -ENOENT);
	no_reason(gms_convert_gfn(state, 0, 1, GMS_PRIVATE, 0, NULL), -ENOENT);
	assert_int_equal(gms_bind(state, 0, 0, 1, &n), 0);
	no_reason(gms_bind(state, 0, 8, 1, &n), -EEXIST);
	no_reason(gms_snapshot_save(state, buf, 1, &size), -ENOSPC);
	for (int i = 0; i < GMS_MAX_ATTRS; i++)
		assert_int_equal(gms_attr_create(state, &n), 0);
	no_reason(gms_attr_create(state, &n), -ENOSPC);

	assert_int_equal(gms_fault_begin(state, 0, GMS_HOST, &fault), 0);
	no_reason(gms_convert(state, 0, 1, GMS_PRIVATE, 0, NULL), -EDEADLK);
	no_reason(gms_convert_gfn(state, 0, 1, GMS_PRIVATE, 0, NULL), -EDEADLK);
	gms_fault_end(state, &fault);

	assert_int_equal(gms_freeze(state), 0);
	no_reason(gms_bind(state, 8, 8, 1, &n), -EPERM);
	no_reason(gms_attr_set(state, 0, 0, 1, true), -EPERM);
	no_reason(gms_inhibit(state, 0, 1, 0), -EPERM);
	no_reason(gms_allocate(state, 0, 1, NULL), -EPERM);
	no_reason(gms_punch_hole(state, 0, 1, NULL), -EPERM);

	snap_save(&snap, state);
	snap_poke(&snap, SNAP_AT_VERSION, UINT32_MAX, 4);
	snap_reseal(&snap);
	no_reason(gms_snapshot_load(snap.data, snap.size, &opts, &never), -EPROTONOSUPPORT);
	snap_fini(&snap);

	talloc_init(&talloc);
	opts.nr_pages = NR_PAGES;
	opts.allocator = &talloc.ops;
	talloc_fail(&talloc, 0, 1);
	no_reason(gms_state_create(&opts, &never), -ENOMEM);
	assert_null(never);
	talloc_fail(&talloc, 0, 1);
	no_reason(gms_rtree_create(NR_PAGES, GMS_RTREE_NONE, &talloc.ops, &tree), -ENOMEM);
	assert_null(tree);
	talloc_fail_never(&talloc);
	assert_int_equal(gms_rtree_create(NR_PAGES, GMS_RTREE_NONE, &talloc.ops, &tree), 0);
	talloc_fail(&talloc, 0, 1);
	no_reason(gms_rtree_set(tree, 5, 1), -ENOMEM);
	talloc_fail(&talloc, 0, 1);
	no_reason(gms_rtree_prepare(tree, 5, 1, NULL), -ENOMEM);
	gms_rtree_destroy(tree);
	assert_int_equal(talloc.live_blocks, 0);
}

/* ---- getters ---- */

static void an_object_says_what_it_is(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *other;

	(void)unused;
	assert_string_equal(gms_state_policy_name(state), "lazy");
	opts.nr_pages = 1;
	opts.policy = gms_policy_eager();
	assert_int_equal(gms_state_create(&opts, &other), 0);
	assert_string_equal(gms_state_policy_name(other), "eager");
	gms_state_destroy(other);

	assert_false(gms_is_frozen(state));
	assert_int_equal(gms_freeze(state), 0);
	assert_true(gms_is_frozen(state));
	assert_int_equal(gms_thaw(state), 0);
	assert_false(gms_is_frozen(state));
}

static void the_macros_set_struct_size(void **unused)
{
	const struct gms_backend_ops backend = GMS_BACKEND_OPS_INIT;
	struct gms_listener_ops listener = GMS_LISTENER_OPS_INIT;
	struct gms_allocator allocator = GMS_ALLOCATOR_INIT;
	struct gms_policy_ops policy = GMS_POLICY_OPS_INIT;
	struct gms_stats stats = GMS_STATS_INIT;

	(void)unused;
	assert_int_equal(backend.struct_size, sizeof(backend));
	assert_int_equal(listener.struct_size, sizeof(listener));
	assert_int_equal(allocator.struct_size, sizeof(allocator));
	assert_int_equal(policy.struct_size, sizeof(policy));
	assert_int_equal(stats.struct_size, sizeof(stats));
	assert_null(backend.repair);
	assert_int_equal(stats.bindings, 0);
	assert_int_equal(gms_stats_read(state, &stats), 0);
	assert_int_equal(stats.struct_size, sizeof(stats));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_errno_of_the_library_has_a_text),
		cmocka_unit_test_setup_teardown(a_range_has_a_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_argument_has_a_reason, set_up, tear_down),
		cmocka_unit_test(options_have_a_reason),
		cmocka_unit_test_setup_teardown(a_snapshot_has_a_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reason_is_of_one_call, set_up, tear_down),
		cmocka_unit_test(a_hook_gives_its_reason),
		cmocka_unit_test(a_reason_survives_the_undo),
		cmocka_unit_test(a_listener_gives_its_reason),
		cmocka_unit_test(an_undo_gives_no_reason),
		cmocka_unit_test_setup_teardown(an_error_has_no_older_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_object_says_what_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_macros_set_struct_size, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
