// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cases.c - the gmemstate command on logs that once came out wrong: requests that were cut, times
 * of other hosts, devices far above RAM, guests that start private
 */
#include "tool_run.h"

#include <inttypes.h>

#define FTRACE " qemu-4210 [002] ..... 13.854023: kvm_vm_set_mem_attributes: "

static json_t *replay_json(const char *log, int status, const char *option, const char *value)
{
	struct run run;
	json_t *json;

	if (option)
		TOOL_IN(&run, log, strlen(log), "replay", "--json", option, value, "-");
	else
		TOOL_IN(&run, log, strlen(log), "replay", "--json", "-");
	if (run.status != status)
		fail_msg("status %d, not %d: %.200s\n%s", run.status, status, log, run.err);
	json = run_json(&run);
	run_free(&run);
	return json;
}

/* A dot before the range says that more is to follow, and the range is one that was set. */
static void a_request_that_was_cut(void **state)
{
	struct run run;
	json_t *json;

	(void)state;
	TOOL(&run, "replay", "--json", DATA("cut.ftrace.txt"));
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	json = run_json(&run);
	assert_int_equal(json_number(json, "log.conversions"), 7);
	assert_int_equal(json_number(json, "log.malformed"), 0);
	json_decref(json);
	run_free(&run);
	/* 2 GiB, the megabyte below 4G, and from 1 TiB on */
	TOOL(&run, "dump", DATA("cut.ftrace.txt"));
	assert_string_equal(run.out, "0x000000000000 0x000080000000     524288 private\n"
				     "0x000080000000 0x0000ffc00000     523264 shared\n"
				     "0x0000ffc00000 0x000100000000       1024 private\n"
				     "0x000100000000 0x010000000000  267386880 shared\n"
				     "0x010000000000 0x02da80000000  497549312 private\n");
	run_free(&run);
}

/* Conversions at 0 s, 1 s and 1.1 s, as several hosts write the time: one average. */
static void times_of_hosts(void **state)
{
#define QEMU(what) "kvm_convert_memory start " what "\n"
	static const char *const qemu[] = {QEMU("0x0 size 0x80000000 shared_to_private"),
					   QEMU("0x1000000 size 0x200000 private_to_shared"),
					   QEMU("0x1000000 size 0x200000 shared_to_private")};
#undef QEMU
	static const char *const kernel[] = {
		" kvm:kvm_vm_set_mem_attributes: 0x0 -- 0x00000000080000 [0x8]\n",
		" kvm:kvm_vm_set_mem_attributes: 0x00000000001000 -- 0x00000000001200 [0x0]\n",
		" kvm:kvm_vm_set_mem_attributes: 0x00000000001000 -- 0x00000000001200 [0x8]\n"};
	static const struct {
		const char *const *events;
		const char *before, *times[3], *after;
	} hosts[] = {
		{qemu, "2313@", {"1700000000.0", "1700000001.0", "1700000001.1"}, ":"},
		{qemu, "qemu-2313 [003] ..... ", {"5.0", "6.0", "6.1"}, ": tracing_mark_write: "},
		{qemu, "2026-12-31T23:59:", {"59.000000Z", "60.000000Z", "60.100000Z"}, " "},
		{qemu, "2313@", {"1000000000", "2000000000", "2100000000"}, " "},
		{kernel, "CPU 0/KVM  2313 [003] ", {"5.000000", "6.000000", "6.100000"}, ":"},
		{kernel, "CPU 0/KVM  2313 [003] ", {"5.0", "6.0", "6.1"}, ":          1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		char log[1024] = "";
		json_t *json;
		const json_t *lazy;

		for (size_t line = 0; line < 3; line++)
			snprintf(log + strlen(log), sizeof(log) - strlen(log), "%s%s%s%s",
				 hosts[i].before, hosts[i].times[line], hosts[i].after,
				 hosts[i].events[line]);
		json = replay_json(log, 0, "--policy", "lazy");
		assert_int_equal(json_number(json, "log.without_time"), 0);
		lazy = json_array_get(json_object_get(json, "policies"), 0);
		assert_int_equal(json_number(lazy, "guest_1g_average_bytes"), 2049870754);
		json_decref(json);
	}
}

/*
 * Firmware of a guest of 2 GiB shares the window of the 32-bit PCI devices, and a guest the memory
 * of a device at 56 TiB. With the size of the guest given, these are refused and named.
 */
static void devices_above_ram(void **state)
{
	char log[4096] = "1@1.0:kvm_convert_memory start 0x0 size 0x80000000 shared_to_private\n";
	const json_t *list;
	struct run run;
	json_t *json;

	(void)state;
	for (unsigned int i = 0; i < 24; i++)
		sprintf(log + strlen(log),
			"1@1.%06u:kvm_convert_memory start 0x%x size 0x4000000 private_to_shared\n",
			i + 1, 0x80000000 + i * 0x4000000);
	strcat(log,
	       "1@2.0:kvm_convert_memory start 0x380000000000 size 0x4000 private_to_shared\n");
	json = replay_json(log, 1, "--size", "2G");
	assert_string_equal(json_string_value(json_object_get(json, "init")), "shared");
	assert_int_equal(json_number(json, "private.pages"), 524288);
	assert_int_equal(json_number(json, "not_applied.count"), 25);
	list = json_object_get(json_object_get(json, "not_applied"), "list");
	for (size_t i = 0; i < 25; i++)
		assert_int_equal(json_number(json_array_get(list, i), "line"), i + 2);
	json_decref(json);
	TOOL_IN(&run, log, strlen(log), "dump", "--json", "--size", "2G", "-");
	assert_int_equal(run.status, 1);
	json = run_json(&run);
	assert_int_equal(json_number(json, "not_applied.listed"), 25);
	json_decref(json);
	run_free(&run);
	/* Without a size the object has 56 TiB, of which only RAM is private. */
	json = replay_json(log, 0, NULL, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "init")), "shared");
	assert_int_equal(json_number(json, "size_bytes"), 0x380040000000);
	assert_int_equal(json_number(json, "private.pages"), 524288);
	json_decref(json);
	/* Under a policy, too, only RAM has folios, and the run ends. */
	TOOL_IN(&run, log, strlen(log), "replay", "--json", "--policy", "lazy", "--backing", "2M",
		"-");
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_number(json, "folios"), 1024);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "memory"), "from")),
		"made private, 64 MiB or more");
	json_decref(json);
	run_free(&run);
}

/* Ranges of 4 PiB, again and again: every command ends soon, and says what it does not do. */
static void ranges_of_4p(void **state)
{
	static const char *const backings[] = {"1G", "2M", "4K"};
	char log[8192] = "";
	struct run run;

	(void)state;
	for (unsigned int i = 0; i < 46; i++)
		sprintf(log + strlen(log), "%u,%s,0x0,%" PRIu64 "\n", i,
			i % 2 ? "to_shared" : "to_private", (uint64_t)1 << 52);
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		TOOL_IN(&run, log, strlen(log), "replay", "--policy", "eager", "--backing",
			backings[i], "-");
		assert_int_equal(run.status, 2);
		assert_non_null(strstr(run.err, "-:1: eager with folios of "));
		run_free(&run);
	}
}

/* A recorded log ends in the same state whether its start is given or inferred. */
static void recorded_guests_start_private(void **state)
{
	static const char *const logs[] = {
		DATA("A.csv"),
		DATA("A.snp.ftrace.txt"),
		DATA("A.snp.qemu.log"),
		DATA("A.tdx.ftrace.txt"),
		DATA("A.tdx.qemu.log"),
		DATA("C.csv"),
		DATA("C.snp.ftrace.txt"),
		DATA("C.snp.qemu.log"),
		DATA("C.tdx.ftrace.txt"),
		DATA("C.tdx.qemu.log"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		const char *said;
		struct run given, inferred;

		TOOL(&given, "dump", "--init", "private", logs[i]);
		TOOL(&inferred, "dump", logs[i]);
		assert_int_equal(inferred.status, 0);
		assert_string_equal(inferred.out, given.out);
		assert_string_equal(given.err, "");
		/* One line says what was inferred. An ftrace log has the event that says it. */
		said = strstr(inferred.err, "private");
		assert_int_equal(!said, !!strstr(logs[i], "ftrace"));
		assert_true(!said || !strstr(said + 1, "private"));
		assert_true(!said || strchr(said, '\n') == inferred.err + strlen(inferred.err) - 1);
		run_free(&given);
		run_free(&inferred);
	}
}

#define SHARE(start, size) "kvm_convert_memory start " start " size " size " private_to_shared\n"
#define HIDE(start, size) "kvm_convert_memory start " start " size " size " shared_to_private\n"

/* @line: the line that shows a private start; 0: the guest starts shared. */
static const struct {
	const char *log;
	unsigned int line;
} starts[] = {
	/* shared: first, after a page was made private, beside what was made private */
	{SHARE("0x1000000", "0x1000"), 1},
	{HIDE("0x200000", "0x1000") SHARE("0x1000000", "0x1000"), 2},
	{HIDE("0x200000", "0x1000") SHARE("0x200000", "0x2000"), 2},
	{SHARE("0x1000000", "0x1000") HIDE("0x0", "0x80000000"), 1},
	/* what is made private later is less than RAM, so the pages above it are no device */
	{SHARE("0x10000000", "0x1000") HIDE("0x200000", "0x1000"), 1},
	{HIDE("0x8000000", "0x8000000") SHARE("0x70000000", "0x8000000"), 2},
	/* RAM that begins at 1G */
	{HIDE("0x40000000", "0x10000000") SHARE("0x8000000", "0x1000"), 0},
	{SHARE("0x200000", "0x1000") SHARE("0x10000000", "0x1000") HIDE("0x200000", "0x1000"), 1},
	/* made private is all that is shared later */
	{HIDE("0x0", "0x80000000") SHARE("0x1000000", "0x200000"), 0},
	{HIDE("0x1000000", "0x1000"), 0},
	{HIDE("0x1000000", "0x1000") SHARE("0x1000000", "0x1000") SHARE("0x1000000", "0x1000"), 0},
	/* devices: VGA, below 4G, in a hole of RAM, above RAM; also before RAM is private */
	{SHARE("0xb8000", "0x2000"), 0},
	{SHARE("0xb8000", "0x2000") HIDE("0x0", "0x80000000") SHARE("0x2000", "0x1000"), 0},
	{SHARE("0xb8000", "0x2000") SHARE("0x2000", "0x1000"), 2},
	{SHARE("0xfec00000", "0x1000") HIDE("0x0", "0x80000000"), 0},
	{HIDE("0x0", "0x80000000") SHARE("0x80000000", "0x4000000")
		 HIDE("0x100000000", "0x40000000"),
	 0},
	{HIDE("0x0", "0x80000000") SHARE("0x380000000000", "0x4000"), 0},
	{SHARE("0x380000000000", "0x4000") HIDE("0x0", "0x80000000"), 0},
	/* the host states how the guest starts */
	{SHARE("0x0", "0x40000000") HIDE("0x1000000", "0x1000"), 0},
	{"0,to_shared,0x0,1073741824\n0,accept,0x0,4096\n", 0},
	/* a guest accepts what is private */
	{"0,accept,0x0,4096\n", 1},
	{"0,to_private,0x0,1073741824\n0,accept,0x0,4096\n1,to_shared,0x0,4096\n", 0},
	/* conversions past the largest object, and accesses, show nothing */
	{FTRACE "0x10000000000 -- 0x10000000001 [0x0]\n" FTRACE "0x0 -- 0x80000 [0x8]\n", 0},
	{"0,host_read,0x0,4096\n0,to_private,0x0,4096\n", 0},
};

static void check_init(const json_t *json, const char *init, const char *from)
{
	assert_string_equal(json_string_value(json_object_get(json, "init")), init);
	assert_string_equal(json_string_value(json_object_get(json, "init_from")), from);
}

static void starts_are_inferred(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		const char *log = starts[i].log;
		char said[64], shown[64];
		struct run run;
		json_t *json;

		snprintf(said, sizeof(said), "-:%u: no line before", starts[i].line);
		snprintf(shown, sizeof(shown), "all %s at first%s",
			 starts[i].line ? "private" : "shared", starts[i].line ? ": line " : "");
		TOOL_IN(&run, log, strlen(log), "replay", "-");
		if (!strstr(run.err, said) != !starts[i].line || !strstr(run.out, shown))
			fail_msg("not line %u: %s\n%s\n%s", starts[i].line, log, run.err, run.out);
		run_free(&run);
		TOOL_IN(&run, log, strlen(log), "replay", "--json", "--policy", "lazy", "--init",
			"auto", "-");
		json = run_json(&run);
		check_init(json, starts[i].line ? "private" : "shared",
			   starts[i].line ? "log" : "default");
		json_decref(json);
		run_free(&run);
	}
}

/* The option decides, whatever the log shows. The last option counts. */
static void starts_are_given(void **state)
{
	static const char *const inits[] = {"private", "shared"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(inits) * 2; i++) {
		const char *log =
			i / 2 ? SHARE("0x1000000", "0x1000") : HIDE("0x1000000", "0x1000");
		json_t *json = replay_json(log, 0, "--init", inits[i % 2]);

		check_init(json, inits[i % 2], "option");
		json_decref(json);
	}
}

/* Checks that a log of @nr conversions has its time told, or that it has none. */
static void check_speed(const char *log, size_t nr, bool told)
{
	json_t *json = replay_json(log, 0, NULL, NULL);
	const json_t *time = json_object_get(json, "time");
	const json_t *total = json_object_get(time, "total_ns");
	const json_t *each = json_object_get(time, "ns_per_conversion");
	struct run run;

	assert_int_equal(json_number(json, "time.calls"), nr);
	assert_true(told ? json_is_integer(total) : json_is_null(total));
	assert_true(told ? json_is_real(each) : json_is_null(each));
	json_decref(json);
	TOOL_IN(&run, log, strlen(log), "replay", "-");
	assert_int_equal(run.status, 0);
	assert_int_equal(!!strstr(run.out, " ns a conversion"), told);
	run_free(&run);
}

/* A number that depends on the host's clock is not printed for a few conversions. */
static void a_short_log_has_no_speed(void **state)
{
	const size_t nr = 10000;
	char *log = calloc(nr, 32), *end = log;

	(void)state;
	assert_non_null(log);
	for (size_t i = 0; i < nr; i++)
		end = stpcpy(end, i % 2 ? "1,to_shared,0,4096\n" : "1,to_private,0,4096\n");
	check_speed(log, nr, true);
	*strrchr(log, '1') = '\0'; /* without the last line */
	check_speed(log, nr - 1, false);
	free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_that_was_cut),
		cmocka_unit_test(times_of_hosts),
		cmocka_unit_test(devices_above_ram),
		cmocka_unit_test(ranges_of_4p),
		cmocka_unit_test(recorded_guests_start_private),
		cmocka_unit_test(starts_are_inferred),
		cmocka_unit_test(starts_are_given),
		cmocka_unit_test(a_short_log_has_no_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
