/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * crc32c.h - CRC-32C (Castagnoli), four bytes at a time
 *
 * A CRC is linear. So the register after 32 steps is the XOR of constants, one for each bit that
 * was set in the register before. The constant of bit 31 is the polynomial (reflected), and the
 * constant of bit i is the constant of bit i + 1 after one more step. Row i of the table has, for
 * each of the 16 values of bits 4i to 4i + 3, the XOR of their constants. The 8 rows take 512
 * bytes, half of the usual table, and the 8 look-ups do not depend on each other.
 */
#ifndef GMS_CRC32C_H
#define GMS_CRC32C_H

#include "platform.h"

/* The XOR of each combination of @a, @b, @c and @d. */
#define GMS_CRC32C_ROW(a, b, c, d)                                                         \
	{                                                                                  \
		0U, (a), (b), (a) ^ (b), (c), (a) ^ (c), (b) ^ (c), (a) ^ (b) ^ (c), (d),  \
			(d) ^ (a), (d) ^ (b), (d) ^ (a) ^ (b), (d) ^ (c), (d) ^ (a) ^ (c), \
			(d) ^ (b) ^ (c), (d) ^ (a) ^ (b) ^ (c)                             \
	}

/* Returns the CRC-32C of @size bytes. */
static inline uint32_t gms_crc32c(const uint8_t *p, size_t size)
{
	static const uint32_t row[8][16] = {
		GMS_CRC32C_ROW(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6),
		GMS_CRC32C_ROW(0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
		GMS_CRC32C_ROW(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5),
		GMS_CRC32C_ROW(0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
		GMS_CRC32C_ROW(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8),
		GMS_CRC32C_ROW(0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
		GMS_CRC32C_ROW(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf),
		GMS_CRC32C_ROW(0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
	};
	uint32_t crc = ~0U;

	for (; size >= 4; size -= 4, p += 4) {
		const uint32_t x = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 |
					  (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);

		crc = row[0][x & 15] ^ row[1][x >> 4 & 15] ^ row[2][x >> 8 & 15] ^
		      row[3][x >> 12 & 15] ^ row[4][x >> 16 & 15] ^ row[5][x >> 20 & 15] ^
		      row[6][x >> 24 & 15] ^ row[7][x >> 28];
	}
	/* 8 steps do to bits 0 to 7 what 32 steps do to bits 24 to 31: hence rows 6 and 7 */
	for (; size; size--, p++) {
		const uint32_t x = crc ^ *p;

		crc = crc >> 8 ^ row[6][x & 15] ^ row[7][x >> 4 & 15];
	}
	return ~crc;
}

#endif /* GMS_CRC32C_H */
