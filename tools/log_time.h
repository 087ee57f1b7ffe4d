/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log_time.h - finds the time in the text that hosts write before an event
 */
#ifndef GMS_TOOL_LOG_TIME_H
#define GMS_TOOL_LOG_TIME_H

#include <stdbool.h>
#include <stdint.h>

/**
 * log_time() - find the time of an event
 * @text: the line
 * @end: where the name of the event begins in the line
 * @us: stores the time in microseconds since some moment, which is the same for all lines of a
 *      log; written if true is returned
 *
 * Knows the times of
 *
 *  - ftrace, trace-cmd and perf script: "13.854023:", with any number of decimals;
 *    "13854023us :" of the latency format, "13.854ms (" of the verbose one
 *  - the kernel's messages and journalctl -o short-monotonic: "[   13.854023]"
 *  - QEMU: "pid@1700000000.123456:"; qemu-trace-stap: "pid@1700000000123456789 "
 *  - ISO 8601, which QEMU has written since 10.2, with T or a blank, a fraction or none, Z, an
 *    offset or nothing: "2026-09-14T08:00:00.123456Z", "2026-09-14 08:00:00,123+0000"
 *  - syslog and dmesg -T, without a year or with one: "Sep 14 08:00:00", "Sep 14 08:00:00 2026"
 *  - babeltrace: "[08:00:00.123456789]"
 *  - seconds at the start of a line, with six decimals or more (journalctl -o short-unix)
 *
 * The last of them counts: a collector puts its time before that of the program whose line it
 * collects. A number without a point is of a clock whose unit is not known, and no time.
 *
 * Context: Any. Pure function.
 * Return: true if there is a time.
 */
bool log_time(const char *text, const char *end, uint64_t *us);

#endif /* GMS_TOOL_LOG_TIME_H */
