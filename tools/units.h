/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * units.h - parses and writes sizes and counts
 */
#ifndef GMS_TOOL_UNITS_H
#define GMS_TOOL_UNITS_H

#include <stdint.h>

/* The size in bytes of a buffer for any text that the functions below write. */
#define UNITS_TEXT_SIZE 32

/**
 * units_parse_size() - parse a size
 * @text: 0x and hexadecimal digits; or a decimal number, then a unit: nothing or B, or K, M, G, T
 *        or P, alone or with iB. All units are binary, in either case. A blank may precede the
 *        unit: what units_bytes() writes is read
 * @bytes: stores the size in bytes; written on success only
 *
 * Return: 0; -EINVAL: the text is no size; -ERANGE: the size does not fit in 64 bits; -EDOM: the
 * size is not a whole number of bytes.
 */
int units_parse_size(const char *text, uint64_t *bytes);

/**
 * units_bytes() - write a size with a binary unit: "2 GiB", "1.87 GiB"
 * @buf: UNITS_TEXT_SIZE bytes
 * @bytes: the size
 *
 * A whole number of units has no decimals; any other size has two.
 *
 * Return: @buf.
 */
const char *units_bytes(char *buf, uint64_t bytes);

/**
 * units_count() - write a number with its thousands separated: "1,234,567"
 * @buf: UNITS_TEXT_SIZE bytes
 * @count: the number
 *
 * Return: @buf.
 */
const char *units_count(char *buf, uint64_t count);

/**
 * units_order() - return the name of an order
 * @order: 0, 9 or 18
 *
 * Return: "4K", "2M" or "1G".
 */
const char *units_order(unsigned int order);

/**
 * units_time() - write a time with its unit: "1.53 s", "2.5 d"
 * @buf: UNITS_TEXT_SIZE bytes
 * @us: the time in microseconds, not negative
 * @digits: how many digits to write at least, unless they are 0
 *
 * There is never an exponent. A million years and more are "over 999999 y".
 *
 * Return: @buf.
 */
const char *units_time(char *buf, double us, int digits);

#endif /* GMS_TOOL_UNITS_H */
