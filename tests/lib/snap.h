/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * snap.h - snapshots for tests: a writer, and models of states
 *
 * The writer follows docs/snapshot-format.md and shares no code with the library. A model has a
 * flat array of bits for each set of a state. The helpers make a snapshot from a model with the
 * writer, and an object from a model with public calls.
 *
 * Usage:
 *
 *	snap_model_init(&model, nr_pages, GMS_ORDER_2M, 1);
 *	snap_model_random(&model, &prng);
 *	snap_of_model(&want, &model);
 *	state = snap_state_of_model(&model);
 *	snap_save(&got, state);
 *	assert_true(snap_same(&got, &want));
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
	uint8_t *data; /* has exactly @size bytes, so that a sanitizer sees a read past the end */
	size_t size;
};

/* Write a snapshot: snap_init() writes the header, snap_set() a set, snap_seal() size and CRC. */
void snap_init(struct snap *snap, uint64_t nr_pages, unsigned int folio_order,
	       unsigned int nr_attrs);
void snap_fini(struct snap *snap);
void snap_bytes(struct snap *snap, const void *bytes, size_t count);
void snap_number(struct snap *snap, uint64_t value);
void snap_set(struct snap *snap, const struct oracle *set);
void snap_seal(struct snap *snap);

/* Corrects the total size and the CRC. Does nothing if the snapshot is too small for them. */
void snap_reseal(struct snap *snap);

/* Makes a copy of @size bytes. Bytes past the end of @from are 0. */
void snap_copy(struct snap *snap, const struct snap *from, size_t size);

/* Writes a little-endian number of @size bytes. */
void snap_poke(struct snap *snap, size_t at, uint64_t value, unsigned int size);
bool snap_same(const struct snap *a, const struct snap *b);

/* Returns the CRC-32C, computed bit by bit. */
uint32_t snap_crc(const void *data, size_t size);

/* Saves. Checks that the call succeeds and writes nothing behind the end of the snapshot. */
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

/* Makes random stores to each set. A page with an inhibit to 4K also has one to 2M. */
void snap_model_random(struct snap_model *model, struct prng *prng);

/* Makes the model of tests/data/snapshot-v1.gms. */
void snap_model_v1(struct snap_model *model);

void snap_of_model(struct snap *snap, const struct snap_model *model);
struct gms_state *snap_state_of_model(const struct snap_model *model);

/* Compares an object with a model, as far as queries allow. Returns NULL, or what is wrong. */
const char *snap_model_judge(const struct snap_model *model, struct gms_state *state);

#endif /* GMS_TESTS_SNAP_H */
