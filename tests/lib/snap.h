/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * snap.h - snapshots for tests: written by hand, and of states that are known page by page
 *
 * The writer follows docs/snapshot-format.md and shares nothing with the library. A model is a
 * flat array of bits for each set of a state: an object is made from it by calls that anybody
 * can make, and a snapshot by the writer.
 */
#ifndef GMS_TESTS_SNAP_H
#define GMS_TESTS_SNAP_H

#include <gmemstate/state.h>

#include "oracle.h"

/* ---- bytes ---- */

#define SNAP_HEADER_SIZE 40
#define SNAP_CRC_SIZE 4

/* Offsets in the header. */
#define SNAP_AT_VERSION 8
#define SNAP_AT_HEADER_SIZE 12
#define SNAP_AT_TOTAL_SIZE 16
#define SNAP_AT_NR_PAGES 24
#define SNAP_AT_FOLIO_ORDER 32
#define SNAP_AT_NR_ATTRS 33
#define SNAP_AT_RESERVED 34

struct snap {
	uint8_t *data; /* exactly @size bytes, so that a sanitizer sees the end */
	size_t size;
};

/* A header and no sets; then sets; then the seal: size and CRC. */
void snap_init(struct snap *snap, uint64_t nr_pages, unsigned int folio_order,
	       unsigned int nr_attrs);
void snap_fini(struct snap *snap);
void snap_bytes(struct snap *snap, const void *bytes, size_t count);
void snap_number(struct snap *snap, uint64_t value);
void snap_set(struct snap *snap, const struct oracle *set);
void snap_seal(struct snap *snap);

/* Make the total size and the CRC right again; for what is too small for that, nothing. */
void snap_reseal(struct snap *snap);

/* A copy of @size bytes; those beyond the end of @from are 0. */
void snap_copy(struct snap *snap, const struct snap *from, size_t size);

void snap_poke(struct snap *snap, size_t at, uint64_t value, unsigned int size);
bool snap_same(const struct snap *a, const struct snap *b);

/* CRC-32C, bit by bit. */
uint32_t snap_crc(const void *data, size_t size);

/* gms_snapshot_save() that works, and does not write behind its end. */
void snap_save(struct snap *snap, const struct gms_state *state);

/* ---- models ---- */

enum snap_kind {
	SNAP_PRIVATE,
	SNAP_QUARANTINE,
	SNAP_INHIBIT_4K,
	SNAP_INHIBIT_2M,
	SNAP_ATTR,
	SNAP_NR_SETS = SNAP_ATTR + GMS_MAX_ATTRS
};

struct snap_model {
	uint64_t nr_pages;
	unsigned int folio_order, nr_attrs;
	struct oracle set[SNAP_NR_SETS];
};

void snap_model_init(struct snap_model *model, uint64_t nr_pages, unsigned int folio_order,
		     unsigned int nr_attrs);
void snap_model_fini(struct snap_model *model);

/* Some stores to each set; what is held to 4K is held to 2M. */
void snap_model_random(struct snap_model *model, struct prng *prng);

/* The one that tests/data/snapshot-v1.gms is of. */
void snap_model_v1(struct snap_model *model);

void snap_of_model(struct snap *snap, const struct snap_model *model);
struct gms_state *snap_state_of_model(const struct snap_model *model);

/* Every page is as in the model, as far as there is a query; the object is sound. */
const char *snap_model_judge(const struct snap_model *model, struct gms_state *state);

#endif /* GMS_TESTS_SNAP_H */
