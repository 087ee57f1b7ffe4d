// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * costs.c - prices: the defaults, files and rents, good and bad
 */
#include "test.h"

#include "costs.h"

#include <errno.h>
#include <string.h>

static int read_text(struct costs *costs, const char *text, char *error, size_t size)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	int ret;

	assert_non_null(file);
	ret = costs_read(costs, file, error, size);
	fclose(file);
	return ret;
}

/* The published sums give the price of a 2M split, and all prices have a kind and a source. */
static void defaults_follow_from_what_was_published(void **state)
{
	struct costs costs;

	(void)state;
	costs_init(&costs);
	assert_int_equal(costs.item[COSTS_CONVERT].value, 320);
	assert_int_equal(costs.item[COSTS_SPLIT_1G].value, 46475980);
	assert_int_equal(costs.item[COSTS_SPLIT_2M].value, .07 * 1043938460 / 652);
	assert_int_equal(costs.item[COSTS_MERGE_2M].value, costs.item[COSTS_SPLIT_2M].value);
	for (enum costs_id id = 0; id < COSTS_NR; id++) {
		assert_non_null(costs_name(id));
		assert_non_null(costs.item[id].kind);
		assert_true(strlen(costs.item[id].source) > 5);
	}
	costs_fini(&costs);
}

static double cycles(const struct costs *costs, enum costs_arch arch, const uint64_t *done)
{
	double part[COSTS_NR] = {0}, sum = 0;

	costs_add_up(costs, arch, done, part);
	for (int id = 0; id < COSTS_NR; id++)
		sum += part[id];
	return sum;
}

/* A split of 1G to 4K costs the published price, and other splits their part of it. */
static void work_has_a_price(void **state)
{
	uint64_t done[SIM_NR_WORK] = {0};
	struct costs costs;
	double units;

	(void)state;
	costs_init(&costs);
	assert_true(cycles(&costs, COSTS_SNP, done) == 0);
	done[SIM_WORK_SPLIT_1G] = 4095;
	assert_true(cycles(&costs, COSTS_SNP, done) == 46475980);
	done[SIM_WORK_SPLIT_1G] = 511;
	assert_int_equal(cycles(&costs, COSTS_SNP, done), 46475980. / 4095 * 511);
	done[SIM_WORK_SPLIT_1G] = 0;
	done[SIM_WORK_CLEAR] = 1 << 20; /* in no sum */
	assert_true(cycles(&costs, COSTS_SNP, done) == 0);
	assert_int_equal(costs_of_work(SIM_WORK_CLEAR, COSTS_SNP, &units), COSTS_NR);
	/* an entry has the price of the architecture */
	done[SIM_WORK_APPLY] = 2;
	done[SIM_WORK_PREPARE] = 3;
	assert_int_equal(cycles(&costs, COSTS_SNP, done), 2 * 500 + 3 * 1000);
	assert_int_equal(cycles(&costs, COSTS_TDX, done), 2 * 6000 + 3 * 3000);
	assert_int_equal(cycles(&costs, COSTS_PKVM, done), 2 * 2000 + 3 * 500);
	costs_fini(&costs);
}

static void rents(void **state)
{
	static const char *const bad[] = {"",      "1",      "1,",   ",1",      "1,2,3",  "-1,1",
					  "1,-1",  "x,1",    "1,x",  "101%,1%", "1,101%", "inf,1",
					  "1,nan", "1e16,1", "1 ,1", "1,1 ",    "10%%,1", "%,1"};
	struct costs costs;
	uint64_t wait;

	(void)state;
	costs_init(&costs);
	assert_int_equal(costs.item[COSTS_RENT_2M].value, 3e9 / 4 / 512 / 10);
	assert_int_equal(costs.item[COSTS_RENT_1G].value, 3e9 / 4 / 100);
	/* a merge and the next split cost as much as the rent of this time */
	wait = costs_wait_ns(&costs, GMS_ORDER_2M);
	assert_in_range(wait, 1530000000, 1531000000);
	assert_in_range(costs_wait_ns(&costs, GMS_ORDER_1G), 1546000000, 1547000000);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (costs_set_rent(&costs, bad[i]) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(costs_wait_ns(&costs, GMS_ORDER_2M), wait);
	}
	assert_int_equal(costs_set_rent(&costs, "5%,0"), 0);
	assert_in_range(costs_wait_ns(&costs, GMS_ORDER_2M), 2 * wait - 1, 2 * wait + 1);
	assert_true(costs_wait_ns(&costs, GMS_ORDER_1G) == UINT64_MAX);
	assert_int_equal(costs_set_rent(&costs, "1e15,123.5"), 0);
	assert_int_equal(costs.item[COSTS_RENT_1G].value, 123);
	assert_string_equal(costs.item[COSTS_RENT_1G].kind, "assumed");
	costs_fini(&costs);
}

static void files(void **state)
{
#define COSTS(items) "{\"schema\": \"gmemstate-costs-1\", \"costs\": {" items "}}"
	static const struct {
		const char *text;
		const char *says;
	} bad[] = {
		{"", "line"},
		{"[]", "not {\"schema\""},
		{"{\"schema\": \"gmemstate-costs-2\", \"costs\": {}}", "not {\"schema\""},
		{"{\"costs\": {}}", "not {\"schema\""},
		{"{\"schema\": \"gmemstate-costs-1\", \"costs\": []}", "not {\"schema\""},
		{"{\"schema\": \"gmemstate-costs-1\", \"costs\": {}, \"more\": 1}", "not {\"sch"},
		{COSTS("\"split_3m\": {\"value\": 1, \"kind\": \"assumed\", \"source\": \"s\"}"),
		 "split_3m: no such price"},
		{COSTS("\"zap\": 5"), "zap: not {"},
		{COSTS("\"zap\": {\"value\": 5}"), "zap: not {"},
		{COSTS("\"zap\": {\"value\": \"5\", \"kind\": \"assumed\", \"source\": \"s\"}"),
		 "zap: not {"},
		{COSTS("\"zap\": {\"value\": 5, \"kind\": \"guessed\", \"source\": \"s\"}"),
		 "zap: the kind is none of"},
		{COSTS("\"zap\": {\"value\": -5, \"kind\": \"assumed\", \"source\": \"s\"}"),
		 "zap: the value is not from 0"},
		{COSTS("\"zap\": {\"value\": 1e300, \"kind\": \"assumed\", \"source\": \"s\"}"),
		 "zap: the value is not from 0"},
		{COSTS("\"clock_hz\": {\"value\": 0, \"kind\": \"assumed\", \"source\": \"s\"}"),
		 "clock_hz: the value is not from 1"},
		/* a good price before a bad one is not taken, either */
		{COSTS("\"zap\": {\"value\": 7, \"kind\": \"measured\", \"source\": \"s\"}, "
		       "\"x\": 1"),
		 "x: no such price"},
	};
	struct costs costs;
	char error[160];

	(void)state;
	costs_init(&costs);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(read_text(&costs, bad[i].text, error, sizeof(error)), -EINVAL);
		if (!strstr(error, bad[i].says))
			fail_msg("%s: %s", bad[i].text, error);
		assert_int_equal(costs.item[COSTS_ZAP].value, 500);
	}
	for (int i = 0; i < 2; i++) /* a price may be replaced twice */
		assert_int_equal(
			read_text(&costs,
				  COSTS("\"zap\": {\"value\": 7.5, \"kind\": \"measured\", "
					"\"source\": \"here\"}"),
				  error, sizeof(error)),
			0);
	assert_true(costs.item[COSTS_ZAP].value == 7.5);
	assert_string_equal(costs.item[COSTS_ZAP].kind, "measured");
	assert_string_equal(costs.item[COSTS_ZAP].source, "here");
	assert_int_equal(costs.item[COSTS_FAULT].value, 4500);
	costs_fini(&costs);
#undef COSTS
}

/* What costs_json() packs, costs_read() takes. */
static void a_round_trip(void **state)
{
	struct costs costs, back;
	json_t *json;
	char *text, error[160];

	(void)state;
	costs_init(&costs);
	costs_init(&back);
	assert_int_equal(costs_set_rent(&costs, "1,2"), 0);
	json = json_pack("{s:s, s:o}", "schema", COSTS_SCHEMA, "costs", costs_json(&costs));
	text = json_dumps(json, 0);
	assert_int_equal(read_text(&back, text, error, sizeof(error)), 0);
	for (enum costs_id id = 0; id < COSTS_NR; id++) {
		assert_true(back.item[id].value == costs.item[id].value);
		assert_string_equal(back.item[id].kind, costs.item[id].kind);
		assert_string_equal(back.item[id].source, costs.item[id].source);
	}
	free(text);
	json_decref(json);
	costs_fini(&costs);
	costs_fini(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_follow_from_what_was_published),
		cmocka_unit_test(work_has_a_price),
		cmocka_unit_test(rents),
		cmocka_unit_test(files),
		cmocka_unit_test(a_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
