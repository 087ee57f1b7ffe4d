/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log_ram.h - which part of the address space is the guest's memory
 *
 * An object reaches from 0 to the highest page of a log. Below 4G there is a hole for devices, and
 * a device may lie far above all memory. What is no memory has no folios, and no guest uses it.
 */
#ifndef GMS_TOOL_LOG_RAM_H
#define GMS_TOOL_LOG_RAM_H

#include "log.h"

/**
 * enum log_ram_from - what says where the memory is
 * @LOG_RAM_ALL: nothing: all of the object is taken for memory
 * @LOG_RAM_NOTES: notes at the head of the log
 * @LOG_RAM_PRIVATE: the log begins with the conversion of all memory to private, as a host does it
 *                   before the guest runs: at least LOG_RAM_MIN_PAGES. What is made private
 *                   later in one piece of that size is memory, too: it was plugged
 * @LOG_RAM_HOLE: the log reaches above 4G, and no event lies in the last 1G blocks below 4G: they
 *                are taken for the hole
 */
enum log_ram_from { LOG_RAM_ALL, LOG_RAM_NOTES, LOG_RAM_PRIVATE, LOG_RAM_HOLE };

/* The least memory that LOG_RAM_PRIVATE finds: 64 MiB. */
#define LOG_RAM_MIN_PAGES (1U << 14)

/**
 * log_find_ram() - find the guest's memory
 * @log: the log
 * @nr_pages: size of the object in pages
 * @ram: stores at most LOG_MAX_RAM ranges in the object, ascending, without overlap
 * @nr: stores the number of ranges, at least 1
 *
 * Return: what says so.
 */
enum log_ram_from log_find_ram(const struct log *log, uint64_t nr_pages, struct log_ram *ram,
			       unsigned int *nr);

/** log_ram_from_name() - return what says where the memory is, as in reports */
const char *log_ram_from_name(enum log_ram_from from);

#endif /* GMS_TOOL_LOG_RAM_H */
