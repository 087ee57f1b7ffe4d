// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ram.c - which part of a log's address space is the guest's memory
 */
#include "test.h"

#include "log_ram.h"

#include <inttypes.h>
#include <string.h>

#define GIB (1ULL << 30)
#define MIB ((uint64_t)1 << 20)

/* Finds the memory of a log. Returns it as text: "private: 0-2048 4096-8192", in MiB. */
static const char *ram_of(const char *text, uint64_t size)
{
	static const char *const from[] = {"all", "notes", "private", "hole"};
	static char got[512];
	struct log_ram ram[LOG_MAX_RAM];
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	enum log_ram_from said;
	struct log log;
	unsigned int nr;
	int len;

	assert_int_equal(log_read(&log, file, LOG_AUTO), 0);
	fclose(file);
	said = log_find_ram(&log, size / 4096, ram, &nr);
	assert_in_range(nr, 1, LOG_MAX_RAM);
	assert_true(strlen(log_ram_from_name(said)) > 5);
	len = snprintf(got, sizeof(got), "%s:", from[said]);
	for (unsigned int i = 0; i < nr; i++)
		len += snprintf(got + len, sizeof(got) - (size_t)len, " %" PRIu64 "-%" PRIu64,
				ram[i].start * 4096 / MIB, ram[i].end * 4096 / MIB);
	log_fini(&log);
	return got;
}

#define PRIVATE(start, size) "0,to_private," start "," size "\n"
#define SHARED(start, size) "0,to_shared," start "," size "\n"

static void memory_is_found(void **state)
{
	static const struct {
		const char *log;
		uint64_t size;
		const char *want;
	} cases[] = {
		/* nothing says so */
		{SHARED("0x0", "4096"), 2 * GIB, "all: 0-2048"},
		{SHARED("0x0", "4096"), 4 * GIB, "all: 0-4096"},
		/* notes, cut at the end of the object */
		{"# ram: 0x0-0x80000000\n# ram: 0x100000000-0x180000000\n" SHARED("0x0", "4096"),
		 6 * GIB, "notes: 0-2048 4096-6144"},
		{"# ram: 0x0-0x80000000\n# ram: 0x100000000-0x180000000\n" SHARED("0x0", "4096"),
		 5 * GIB, "notes: 0-2048 4096-5120"},
		{"# ram: 0x0-0x80000000\n# ram: 0x100000000-0x180000000\n" SHARED("0x0", "4096"),
		 3 * GIB, "notes: 0-2048"},
		/* a host makes memory private, and nothing else is memory */
		{PRIVATE("0x0", "2147483648") SHARED("0x380000000000", "16384"), 57345 * GIB,
		 "private: 0-2048"},
		{PRIVATE("0x100000000", "1073741824") PRIVATE("0x0", "1073741824")
			 PRIVATE("0x40000000", "1073741824") SHARED("0x0", "4096")
				 PRIVATE("0xc0000000", "4096"),
		 5 * GIB, "private: 0-2048 4096-5120"},
		/* memory that is plugged later is memory, too */
		{PRIVATE("0x0", "2147483648") SHARED("0x0", "4096")
			 PRIVATE("0x100000000", "1073741824") PRIVATE("0x180000000", "67104768"),
		 9 * GIB, "private: 0-2048 4096-5120"},
		{PRIVATE("0x0", "2147483648") SHARED("0x0", "4096")
			 PRIVATE("0x180000000", "67108864"),
		 9 * GIB, "private: 0-2048 6144-6208"},
		/* but not in a log that begins later */
		{PRIVATE("0x0", "4096") SHARED("0x0", "4096") PRIVATE("0x100000000", "1073741824"),
		 5 * GIB, "hole: 0-1024 4096-5120"},
		/* a few pages are no memory */
		{PRIVATE("0x0", "4096") SHARED("0x0", "4096"), 2 * GIB, "all: 0-2048"},
		{PRIVATE("0x0", "67104768"), 2 * GIB, "all: 0-2048"},
		{PRIVATE("0x0", "67108864"), 2 * GIB, "private: 0-64"},
		/* an accept is of the guest */
		{"0,accept,0x0,2147483648\n" SHARED("0x0", "4096"), 4 * GIB, "all: 0-4096"},
		/* above 4G, and nothing right below it */
		{SHARED("0x7fe00000", "4096") SHARED("0x100000000", "4096"), 6 * GIB,
		 "hole: 0-2048 4096-6144"},
		{SHARED("0xbfe00000", "2097152") SHARED("0x100000000", "4096"), 6 * GIB,
		 "hole: 0-3072 4096-6144"},
		{SHARED("0x140000000", "4096"), 6 * GIB, "hole: 0-1024 4096-6144"},
		{SHARED("0xc0000000", "4096") SHARED("0x100000000", "4096"), 6 * GIB,
		 "all: 0-6144"},
		{SHARED("0x0", "4294971392"), 6 * GIB, "all: 0-6144"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = ram_of(cases[i].log, cases[i].size);

		if (strcmp(got, cases[i].want))
			fail_msg("%s, not %s, in\n%s", got, cases[i].want, cases[i].log);
	}
}

/* More ranges than there is room for: nothing is found, and nothing overflows. */
static void many_ranges(void **state)
{
	char text[4096];
	const char *shared = SHARED("0x0", "4096");
	size_t len = 0, full = 0;

	(void)state;
	for (int i = 0; i <= LOG_MAX_RAM; i++) {
		len += (size_t)sprintf(text + len, "0,to_private,0x%x,67108864\n",
				       (unsigned int)i << 27);
		if (i == LOG_MAX_RAM - 1) {
			full = len;
			assert_memory_equal(ram_of(text, 4 * GIB), "private: 0-64 128-192", 21);
		}
	}
	assert_string_equal(ram_of(text, 4 * GIB), "all: 0-4096");
	/* nor if the last one is plugged */
	memmove(text + full + strlen(shared), text + full, len - full + 1);
	memcpy(text + full, shared, strlen(shared));
	assert_string_equal(ram_of(text, 4 * GIB), "all: 0-4096");
	/* a range that joins two others needs no room */
	strcpy(text + full, "0,to_private,0x4000000,67108864\n");
	assert_memory_equal(ram_of(text, 4 * GIB), "private: 0-192 256-320", 22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_found),
		cmocka_unit_test(many_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
