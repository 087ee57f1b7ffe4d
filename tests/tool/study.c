// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * study.c - the report: its JSON, its text, and its verdict
 */
#include "tool_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define assert_has(text, part)                                    \
	do {                                                      \
		if (!strstr(text, part))                          \
			fail_msg("no \"%s\" in\n%s", part, text); \
	} while (0)

/* Checks that a text has words, whatever the lines into which it is broken. */
static void assert_has_words(const char *text, const char *words)
{
	char *flat = strdup(text);

	for (char *c = flat; *c; c++) {
		if (*c == '\n')
			*c = ' ';
	}
	assert_has(flat, words);
	free(flat);
}

static const char *string(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	if (!text)
		fail_msg("no text %s", key);
	return text;
}

/* Writes a file, and returns its name, which the caller unlinks and frees. */
static char *make_file(const char *text)
{
	char *name = strdup("/tmp/gms-study-XXXXXX");
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return name;
}

static json_t *report(const char *log, const char *backing, const char *costs, const char *rent)
{
	struct run run;
	json_t *json;

	TOOL(&run, "report", "--json", "--backing", backing, "--costs", costs, "--rent", rent,
	     "--size", "2G", "--init", "private", log);
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	run_free(&run);
	return json;
}

static json_t *first_case(const json_t *json)
{
	return json_array_get(json_object_get(json, "cases"), 0);
}

/* ---- each policy wins in turn ---- */

#define ACCEPT "0,accept,0x0,2147483648\n"
#define BACK "%u,to_private,0x%x,4096\n"

/* A page goes to and fro: the guest shares it, the host reads it, the guest takes it back. */
static size_t add_rounds(char *text, unsigned int nr, unsigned int page)
{
	size_t len = 0;

	for (unsigned int i = 0; i < nr; i++)
		len += (size_t)sprintf(text + len,
				       "%u,to_shared,0x%x,4096\n%u,host_read,0x%x,4096\n" BACK,
				       1000 + i * 10000, page << 12, 2000 + i * 10000, page << 12,
				       9000 + i * 10000, page << 12);
	return len;
}

/* One page is shared, touched, and taken back; then nothing happens. */
static void make_once(char *text)
{
	add_rounds(text + sprintf(text, ACCEPT), 1, 1);
}

static void make_rounds(char *text)
{
	add_rounds(text + sprintf(text, ACCEPT), 30, 1);
}

/* A block is shared; a page of it goes to and fro; at the end the guest takes all of it back. */
static void make_nibbled(char *text)
{
	size_t len = (size_t)sprintf(text, ACCEPT "500,to_shared,0x0,2097152\n");

	for (unsigned int i = 0; i < 300; i++)
		len += (size_t)sprintf(text + len, BACK "%u,to_shared,0x1000,4096\n",
				       1000 + i * 100, 0x1000, 1050 + i * 100);
	len += (size_t)sprintf(text + len, "%u,host_read,0x0,2097152\n", 2000 + 300 * 100);
	sprintf(text + len, "%u,to_private,0x0,2097152\n", 200000 + 300 * 100);
}

/* A block is shared, touched, and taken back as a whole; so is a page of another one. */
static void make_whole(char *text)
{
	size_t len = (size_t)sprintf(text, ACCEPT "500,to_shared,0x200000,2097152\n"
						  "600,host_read,0x200000,2097152\n"
						  "9000,to_private,0x200000,2097152\n");

	add_rounds(text + len, 1, 1);
}

/* Twenty pages are shared, in 2M blocks of their own, and the host touches one of them. */
static void make_untouched(char *text)
{
	size_t len = (size_t)sprintf(text, ACCEPT);

	for (unsigned int i = 0; i < 20; i++)
		len += (size_t)sprintf(text + len, "%u,to_shared,0x%x,4096\n", i, i << 21);
	sprintf(text + len, "100,host_read,0x0,4096\n");
}

/* A page is shared and taken back, again and again, and the host does not touch it. */
static void make_returned(char *text)
{
	size_t len = (size_t)sprintf(text, ACCEPT "0,to_shared,0x40000000,4096\n"
						  "0,host_read,0x40000000,4096\n");

	for (unsigned int i = 0; i < 30; i++)
		len += (size_t)sprintf(text + len, "%u,to_shared,0x1000,4096\n" BACK,
				       1000 + i * 10000, 9000 + i * 10000, 0x1000);
}

#define PRICE(name, value) \
	"\"" name "\": {\"value\": " value ", \"kind\": \"assumed\", \"source\": \"test\"}"

/*
 * No policy is built to win or lose: for each of them there is a log and there are prices with
 * which it costs least. For some of them a fault and a zap have to be free.
 */
static void each_policy_wins_in_turn(void **state)
{
	static const struct {
		const char *winner;
		void (*make)(char *text);
		const char *prices;
		const char *rent;
	} cases[] = {
		/* one step to 4K is cheap, and merging saves rent */
		{"eager-rfc", make_once,
		 PRICE("split_1g", "1000") "," PRICE("merge_1g", "1000") "," PRICE(
			 "fault", "0") "," PRICE("zap", "0"),
		 "0.01%,0.01%"},
		/* a block that is nibbled at stays split, and is merged at the end */
		{"eager", make_nibbled, PRICE("fault", "0") "," PRICE("zap", "0"), "10%,1%"},
		/* merging saves rent at once */
		{"eager-nonuniform", make_whole,
		 PRICE("split_1g", "0") "," PRICE("merge_1g", "0") "," PRICE(
			 "fault", "0") "," PRICE("zap", "0"),
		 "100%,0"},
		/* the host touches nothing, and 4K mappings lose one page at a conversion */
		{"eager-unmerged", make_returned, PRICE("fault", "4500"), "0,0"},
		/* one step to 4K is cheap, and nothing else happens */
		{"lazy-4k", make_rounds,
		 PRICE("split_1g", "1000") "," PRICE("fault", "0") "," PRICE("zap", "0"), "0,0"},
		/* the host touches next to nothing, and there is no rent */
		{"lazy", make_untouched, PRICE("fault", "4500"), "0,0"},
		/* a page goes to and fro, and then its block is at rest for ever */
		{"adaptive", make_rounds, PRICE("fault", "4500"), "10%,1%"},
	};
	static char text[1 << 17];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char prices[512], *costs, *log;
		const json_t *leaders;
		json_t *json;

		snprintf(prices, sizeof(prices),
			 "{\"schema\": \"gmemstate-costs-1\", \"costs\": {%s}}", cases[i].prices);
		cases[i].make(text);
		log = make_file(text);
		costs = make_file(prices);
		json = report(log, "1G", costs, cases[i].rent);
		leaders = json_object_get(first_case(json), "leaders");
		leaders = json_array_get(leaders, json_array_size(leaders) - 1);
		if (strcmp(string(leaders, "policy"), cases[i].winner))
			fail_msg("%s, not %s: %s", string(leaders, "policy"), cases[i].winner,
				 string(json_object_get(json, "verdict"), "sentence"));
		assert_has(string(json_object_get(json, "verdict"), "sentence"), cases[i].winner);
		json_decref(json);
		unlink(log);
		unlink(costs);
		free(log);
		free(costs);
	}
}

/* ---- the JSON ---- */

static void the_json_has_all_that_the_text_has(void **state)
{
	struct run run;
	json_t *json, *item;

	(void)state;
	TOOL(&run, "report", "--json", "--size", "2G", "--init", "private", DATA("C.csv"));
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	json = run_json(&run);
	run_free(&run);
	assert_string_equal(string(json, "schema"), "gmemstate-report-1");
	assert_string_equal(string(json, "tool"), "gmemstate " GMS_VERSION);
	assert_int_equal(json_array_size(json_object_get(json, "cases")), 2);
	assert_string_equal(
		string(json_object_get(json_object_get(json, "costs"), "split_2m"), "kind"),
		"derived");
	item = first_case(json);
	assert_string_equal(string(item, "name"), "C.csv");
	assert_string_equal(string(item, "host"), "logged");
	assert_int_equal(strlen(string(item, "sha256")), 64);
	assert_int_equal(json_array_size(json_object_get(item, "runs")), 14);
	assert_int_equal(json_array_size(json_object_get(item, "matrix")), 7);
	assert_int_equal(json_array_size(json_object_get(item, "break_even")), 42);
	assert_true(json_array_size(json_object_get(item, "sensitivity")) >= 2 * 8);
	json_decref(json);
}

/* What the matrix of a case says of a policy. */
static double number(const json_t *item, const char *policy, const char *key)
{
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(item, "matrix"), i, row) {
		if (!strcmp(string(row, "policy"), policy))
			return json_number_value(json_object_get(row, key));
	}
	fail_msg("no %s", policy);
	return 0;
}

static double saving(const json_t *item, const char *key)
{
	return json_number_value(json_object_get(json_object_get(item, "savings"), key));
}

static double part(const json_t *item, const char *key, const char *of)
{
	return json_number_value(json_object_get(json_object_get(item, key), of));
}

/* Savings and break-even uptimes are those of the numbers in the matrix. */
static void savings_are_computed_from_the_matrix(void **state)
{
	struct run run;
	json_t *json, *item, *even;
	size_t i, j;

	(void)state;
	TOOL(&run, "report", "--json", "--size", "2G", "--init", "private", DATA("A.csv"),
	     DATA("C.csv"));
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	run_free(&run);
	json_array_foreach(json_object_get(json, "cases"), i, item) {
		const double rfc = number(item, "eager-rfc", "work");
		const double nonuniform = number(item, "eager-nonuniform", "work");
		const double unmerged = number(item, "eager-unmerged", "work");

		/* four steps lead from eager-rfc to lazy */
		assert_true(fabs(rfc * (1 - saving(item, "staging")) * (1 - saving(item, "grain")) *
					 (1 - saving(item, "merges")) * (1 - saving(item, "time")) -
				 number(item, "lazy", "work")) < 1);
		assert_true(fabs(saving(item, "merges") - (1 - unmerged / nonuniform)) < 1e-6);
		assert_int_equal(
			json_is_null(json_object_get(json_object_get(item, "savings"), "staging")),
			i % 2 == 0);
		/* in C a block is merged again; in A none, and all policies pay the same rent */
		if (i < 2)
			assert_true(unmerged == nonuniform);
		else
			assert_true(part(item, "merging_pays", "uptime_s") > 60 &&
				    fabs(part(item, "merging_pays", "2m_blocks") - 1) < 1e-6);
		assert_string_equal(string(json_object_get(item, "other_rmp"), "rmp"), "sticky");
		json_array_foreach(json_object_get(item, "break_even"), j, even) {
			const char *a = string(even, "policy"),
				   *b = string(even, "costs_less_than");
			const double more = number(item, a, "rent_per_second") -
					    number(item, b, "rent_per_second");
			const char *when = string(even, "when");

			/* who pays more rent does not win in the end */
			if (!strcmp(when, "from"))
				assert_true(more < 0);
			if (!strcmp(when, "until"))
				assert_true(more > 0);
			if (!strcmp(when, "always"))
				assert_true(more <= 1e-6);
		}
	}
	json_decref(json);
}

/* ---- the text ---- */

/* Checks that a report fits into a mail: into 66 lines of 76 columns. */
static void check_text(const char *text)
{
	unsigned int lines = 0;

	for (const char *line = text; *line; lines++) {
		size_t len = strcspn(line, "\n");

		if (len > 76)
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		line += len + 1;
	}
	if (lines > 66)
		fail_msg("%u lines:\n%s", lines, text);
}

static void the_text_fits_into_a_mail(void **state)
{
	static const char *const logs[][4] = {
		{DATA("A.csv"), DATA("C.csv"), NULL},
		{DATA("C.snp.qemu.log"), NULL},
	};
	static const char *const first_20[] = {"staging: 1G to 2M, then 2M to 4K",
					       "grain: 4K only where a 2M is mixed",
					       "no merging: what is split stays split",
					       "time: at the host's touch, not at once",
					       "merging pays its work from an uptime of",
					       "Today a pin holds up its whole folio",
					       "Assumed: rent, the cost of small mappings, of"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		const char *args[16] = {"report", "--size", "2G", "--init", "private"};
		const char *at;
		struct run run;

		for (size_t j = 0; logs[i][j]; j++)
			args[5 + j] = logs[i][j];
		tool_run(&run, args, "", 0);
		assert_int_equal(run.status, 0);
		check_text(run.out);
		at = run.out;
		for (int line = 0; line < 20; line++)
			at = strchr(at, '\n') + 1;
		for (size_t j = 0; j < ARRAY_SIZE(first_20); j++) {
			const char *found = strstr(run.out, first_20[j]);

			if (!found || found > at)
				fail_msg("\"%s\" is not in the first 20 lines of\n%s", first_20[j],
					 run.out);
		}
		run_free(&run);
	}
}

/* Two logs in which calls wait for pins: the longest text. */
static void a_text_with_waits_fits_too(void **state)
{
	struct run log, run;
	char *pieces, *dpdk;

	(void)state;
	TOOL(&log, "gen", "--size", "256M", "pieces");
	assert_int_equal(log.status, 0);
	pieces = make_file(log.out);
	run_free(&log);
	TOOL(&log, "gen", "--size", "256M", "dpdk");
	assert_int_equal(log.status, 0);
	dpdk = make_file(log.out);
	run_free(&log);
	TOOL(&run, "report", "--pin-time", "100", pieces, dpdk);
	assert_int_equal(run.status, 0);
	check_text(run.out);
	assert_has(run.out,
		   "\nMost waits for pins: calls, ms; by folio | by page (a VMM that counts ");
	run_free(&run);
	unlink(pieces);
	unlink(dpdk);
	free(pieces);
	free(dpdk);
}

/* A policy that waits for the host's touch does not win because a log is silent about touches. */
static void a_silent_log_has_no_winner(void **state)
{
	static const char text[] =
		"1@1.0:kvm_convert_memory start 0x0 size 0x80000000 shared_to_private\n"
		"1@2.0:kvm_convert_memory start 0x1000 size 0x1000 private_to_shared\n"
		"1@3.0:kvm_convert_memory start 0x1000 size 0x1000 shared_to_private\n"
		"1@99.0:kvm_convert_memory start 0x1000 size 0x1000 shared_to_private\n";
	static const char prices[] = "{\"schema\": \"gmemstate-costs-1\", \"costs\": {" PRICE(
		"merge_2m", "1e6") "," PRICE("split_2m", "1e6") "," PRICE("fault",
									  "0") "," PRICE("zap",
											 "0") "}}";
	char *log = make_file(text), *costs = make_file(prices);
	struct run run;

	(void)state;
	TOOL(&run, "report", "--backing", "2M", "--size", "2G", "--init", "shared", "--costs",
	     costs, "--rent", "100%,0", log);
	assert_int_equal(run.status, 0);
	check_text(run.out);
	assert_has_words(run.out, "nothing can be told, because the log has no access of the host: "
				  "lazy-4k, lazy and adaptive if it touches nothing, eager-rfc, ");
	run_free(&run);
	unlink(log);
	unlink(costs);
	free(log);
	free(costs);
}

/* Policies that tie are named together, and a tie in both cases of the host is no riddle. */
static void ties_are_named(void **state)
{
	static const char none[] = "kvm_convert_memory start 0x0 size 0x80000000 "
				   "shared_to_private\n";
	static const char whole[] = "0,to_shared,0x0,2097152\n";
	struct run run;
	char *log = make_file(none);

	(void)state;
	TOOL(&run, "report", "--backing", "2M", "--init", "shared", log);
	assert_int_equal(run.status, 0);
	assert_has_words(run.out, "all cost the same, or hardly more in [1], [2].");
	run_free(&run);
	unlink(log);
	free(log);
	log = make_file(whole);
	TOOL(&run, "report", "--backing", "2M", "--size", "2G", "--init", "private", log);
	assert_int_equal(run.status, 0);
	assert_has(run.out, "lazy");
	assert_null(strstr(run.out, "nothing can be told"));
	run_free(&run);
	unlink(log);
	free(log);
}

/* The exit status says that something was not applied, and standard error says what. */
static void what_is_not_applied_is_said(void **state)
{
	static const struct {
		const char *log;
		const char *says;
	} cases[] = {
		{"0,accept,0x0,4096\n1,to_shared,0x80000000,4096\n",
		 ":2: refused: the range ends past the object"},
		{"0,accept,0x0,4096\nnonsense\n", ":2: malformed: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *log = make_file(cases[i].log);
		struct run run;

		TOOL(&run, "report", "--size", "1G", log);
		assert_int_equal(run.status, 1);
		assert_has(run.err, cases[i].says);
		check_text(run.out);
		run_free(&run);
		unlink(log);
		free(log);
	}
}

/* Numbers that do not fit are the largest that do, and a name has no bytes that move a cursor. */
static void extremes(void **state)
{
	static const char rows[] = "0,accept,0x0,2097152\n0,to_shared,0x0,4096\n"
				   "18446744073709551615,host_read,0x0,1\n";
	char *log = make_file(rows), odd[] = "/tmp/gms-\033[31m-XXXXXX";
	int fd = mkstemp(odd);
	struct run run;
	json_t *json;

	(void)state;
	TOOL(&run, "report", "--json", "--backing", "2M", "--size", "2G", "--rent", "1e15,1e15",
	     log);
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_true(json_number(json_array_get(json_object_get(first_case(json), "runs"), 0),
				"cycles_rent") > 1LL << 62);
	json_decref(json);
	run_free(&run);
	assert_int_equal(write(fd, rows, strlen(rows)), (ssize_t)strlen(rows));
	close(fd);
	TOOL(&run, "report", "--backing", "2M", "--size", "2G", odd);
	assert_null(strchr(run.out, '\033'));
	check_text(run.out);
	run_free(&run);
	unlink(odd);
	unlink(log);
	free(log);
}

static void too_many_logs(void **state)
{
	struct run run;

	(void)state;
	TOOL(&run, "report", "--size", "2G", DATA("A.csv"), DATA("C.csv"), DATA("A.csv"));
	assert_int_equal(run.status, 2);
	assert_string_equal(run.out, "");
	assert_has(run.err, "more than 4 cases: give fewer logs, or --backing");
	run_free(&run);
}

/* `gmemstate costs` prints what --costs reads. */
static void prices_are_printed(void **state)
{
	struct run run, again;
	char *file;

	(void)state;
	TOOL(&run, "costs", "--rent", "1,2");
	assert_int_equal(run.status, 0);
	assert_has(run.out, "\"schema\": \"gmemstate-costs-1\"");
	file = make_file(run.out);
	TOOL(&again, "costs", "--costs", file);
	assert_string_equal(again.out, run.out);
	unlink(file);
	free(file);
	run_free(&again);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_policy_wins_in_turn),
		cmocka_unit_test(the_json_has_all_that_the_text_has),
		cmocka_unit_test(savings_are_computed_from_the_matrix),
		cmocka_unit_test(the_text_fits_into_a_mail),
		cmocka_unit_test(a_text_with_waits_fits_too),
		cmocka_unit_test(a_silent_log_has_no_winner),
		cmocka_unit_test(ties_are_named),
		cmocka_unit_test(what_is_not_applied_is_said),
		cmocka_unit_test(extremes),
		cmocka_unit_test(too_many_logs),
		cmocka_unit_test(prices_are_printed),
	};

	const struct CMUnitTest quick[] = {
		cmocka_unit_test(ties_are_named),
		cmocka_unit_test(what_is_not_applied_is_said),
		cmocka_unit_test(prices_are_printed),
	};

	/* Under valgrind the command runs under valgrind, too. */
	if (test_on_valgrind())
		return cmocka_run_group_tests(quick, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
