/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log_note.h - notes: what a log cannot say by its events
 *
 * A note is a comment line, "# key: value", before the first event of a log:
 *
 *	# arch: snp                        what protects the guest: snp, tdx or pkvm
 *	# init: private                    state of every page before the first event, or shared
 *	# ram: 0x0-0x80000000              a range of the guest's memory: first byte, byte after it
 *	# ram: 0x100000000-0x480000000     each further range lies above the one before it
 *	# vcpus: 8                         number of vCPUs
 *
 * A comment with another key is no note. Only ram may be given more than once.
 */
#ifndef GMS_TOOL_LOG_NOTE_H
#define GMS_TOOL_LOG_NOTE_H

#include "costs.h"

#include <gmemstate/types.h>

#include <stdbool.h>
#include <stddef.h>

/* The most ranges of RAM, and the most vCPUs, that notes may name. */
#define LOG_MAX_RAM 16
#define LOG_MAX_VCPUS 65536

/**
 * struct log_ram - a range of the guest's memory, not empty
 * @start: index of the first page
 * @end: index after the last page, at most GMS_MAX_PAGES
 */
struct log_ram {
	gms_pgoff_t start;
	gms_pgoff_t end;
};

/**
 * struct log_notes - the notes of a log; zeroed but for @init: none
 * @has_arch: whether the log names what protects the guest
 * @arch: if @has_arch: what protects the guest
 * @init: 1: every page is private before the first event; 0: shared; -1: not known
 * @ram: the ranges of the guest's memory, ascending, without overlap
 * @nr_ram: ranges in @ram; 0: not known
 * @nr_vcpus: number of vCPUs; 0: not known
 */
struct log_notes {
	bool has_arch;
	enum costs_arch arch;
	int init;
	struct log_ram ram[LOG_MAX_RAM];
	unsigned int nr_ram;
	unsigned int nr_vcpus;
};

/* The notes of a log that has none. */
#define LOG_NO_NOTES ((struct log_notes) {.init = -1})

/**
 * log_note_parse() - read one line as a note
 * @notes: the notes of the lines before it; the note is added
 * @text: the line: any bytes, with or without a line end; a NUL is not needed
 * @len: length of @text in bytes
 * @reason: written if the line is a note: NULL, or what is wrong with it, a static string; then
 *          @notes is unchanged
 *
 * Context: Any. Keeps no state.
 * Return: true if the line is a note: a comment with a known key.
 */
bool log_note_parse(struct log_notes *notes, const char *text, size_t len, const char **reason);

#endif /* GMS_TOOL_LOG_NOTE_H */
