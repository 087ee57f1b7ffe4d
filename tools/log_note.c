// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_note.c - reads the notes at the head of a log
 *
 * A log is hostile input: a line may hold any byte. Each value is checked before it is stored, and
 * the arrays of the notes are bounded.
 */
#include "log_note.h"

#include <string.h>

/* The part of a line that is not read yet: [at, end). */
struct note_text {
	const char *at;
	const char *end;
};

static bool note_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void note_skip_blanks(struct note_text *text)
{
	while (text->at < text->end && note_is_blank(*text->at))
		text->at++;
}

/* Skips @word and returns true, if the text begins with it. */
static bool note_skip(struct note_text *text, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(text->end - text->at) < len || memcmp(text->at, word, len))
		return false;
	text->at += len;
	return true;
}

/* Returns true if the rest of the text is @word. */
static bool note_is(struct note_text text, const char *word)
{
	return note_skip(&text, word) && text.at == text.end;
}

static unsigned int note_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

/* Reads a number of at least one digit. Returns false if it has none, or is more than @max. */
static bool note_number(struct note_text *text, unsigned int base, uint64_t max, uint64_t *value)
{
	const char *first = text->at;
	uint64_t v = 0;

	for (; text->at < text->end && note_digit(*text->at) < base; text->at++) {
		const unsigned int digit = note_digit(*text->at);

		if (digit > max || v > (max - digit) / base)
			return false;
		v = v * base + digit;
	}
	*value = v;
	return text->at > first;
}

static const char *note_arch(struct log_notes *notes, struct note_text text)
{
	static const char *const names[] = {
		[COSTS_SNP] = "snp", [COSTS_TDX] = "tdx", [COSTS_PKVM] = "pkvm"};

	if (notes->has_arch)
		return "arch is given twice";
	for (enum costs_arch arch = COSTS_SNP; arch <= COSTS_PKVM; arch++) {
		if (note_is(text, names[arch])) {
			notes->has_arch = true;
			notes->arch = arch;
			return NULL;
		}
	}
	return "arch is none of snp, tdx, pkvm";
}

static const char *note_init(struct log_notes *notes, struct note_text text)
{
	if (notes->init >= 0)
		return "init is given twice";
	if (!note_is(text, "shared") && !note_is(text, "private"))
		return "init is neither shared nor private";
	notes->init = note_is(text, "private");
	return NULL;
}

static const char *note_ram(struct log_notes *notes, struct note_text text)
{
	const uint64_t max = (uint64_t)GMS_MAX_PAGES << GMS_PAGE_SHIFT;
	const uint64_t in_page = (1ULL << GMS_PAGE_SHIFT) - 1;
	const unsigned int nr = notes->nr_ram;
	uint64_t start, end;

	if (!note_skip(&text, "0x") || !note_number(&text, 16, max, &start) ||
	    !note_skip(&text, "-0x") || !note_number(&text, 16, max, &end) || text.at != text.end)
		return "ram is not 0xSTART-0xEND, in bytes below 4 PiB";
	if ((start | end) & in_page)
		return "ram does not start and end at a multiple of 4096";
	if (start >= end)
		return "ram is empty or ends before it starts";
	if (nr == LOG_MAX_RAM)
		return "ram has more than 16 ranges";
	start >>= GMS_PAGE_SHIFT;
	if (nr && start < notes->ram[nr - 1].end)
		return "ram does not lie above the range before it";
	notes->ram[notes->nr_ram++] = (struct log_ram) {start, end >> GMS_PAGE_SHIFT};
	return NULL;
}

static const char *note_vcpus(struct log_notes *notes, struct note_text text)
{
	uint64_t nr;

	if (notes->nr_vcpus)
		return "vcpus is given twice";
	if (!note_number(&text, 10, LOG_MAX_VCPUS, &nr) || text.at != text.end || !nr)
		return "vcpus is not a number from 1 to 65536";
	notes->nr_vcpus = (unsigned int)nr;
	return NULL;
}

static const struct {
	const char *key;
	const char *(*read)(struct log_notes *notes, struct note_text text);
} note_keys[] = {
	{"arch:", note_arch},
	{"init:", note_init},
	{"ram:", note_ram},
	{"vcpus:", note_vcpus},
};

bool log_note_parse(struct log_notes *notes, const char *text, size_t len, const char **reason)
{
	struct note_text rest = {text, text + len};

	while (rest.end > rest.at && note_is_blank(rest.end[-1]))
		rest.end--;
	if (!note_skip(&rest, "#"))
		return false;
	note_skip_blanks(&rest);
	for (size_t i = 0; i < sizeof(note_keys) / sizeof(*note_keys); i++) {
		if (!note_skip(&rest, note_keys[i].key))
			continue;
		note_skip_blanks(&rest);
		*reason = note_keys[i].read(notes, rest);
		return true;
	}
	return false;
}
