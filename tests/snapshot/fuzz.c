// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fuzz.c - a libFuzzer target: any bytes are refused, or load as a sound object
 *
 * Tests rule 37.
 *
 *	cmake -DCMAKE_C_COMPILER=clang -DGMS_BUILD_FUZZ=ON -DGMS_SANITIZE=address,undefined ...
 *	fuzz_snapshot CORPUS
 *
 * It is built with clang only. If the first byte of an input is 0, the others are loaded as they
 * are. Otherwise their size and CRC are made right, so that the input reaches what follows these
 * checks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gmemstate/state.h>

#include "snap.h"

/* Larger objects take too long here. snapshot.c tests them. */
#define MAX_PAGES (1ULL << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* The loaded object is sound, and saves as the bytes that it was loaded from. */
static void check(struct gms_state *state, const struct snap *snap)
{
	uint8_t *buf = malloc(snap->size);
	size_t needed;

	require(buf && gms_state_verify(state, NULL));
	require(!gms_snapshot_save(state, buf, snap->size, &needed));
	require(needed == snap->size && !memcmp(buf, snap->data, needed));
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state = NULL;
	struct snap snap;
	uint64_t nr_pages = 0;
	int rc;

	if (!size)
		return 0;
	snap.size = size - 1;
	snap.data = malloc(snap.size ? snap.size : 1);
	require(snap.data);
	memcpy(snap.data, data + 1, snap.size);
	if (snap.size >= SNAP_HEADER_SIZE)
		memcpy(&nr_pages, snap.data + SNAP_AT_NR_PAGES, 8);
	if (nr_pages <= MAX_PAGES || nr_pages > GMS_MAX_PAGES) {
		if (data[0])
			snap_reseal(&snap);
		rc = gms_snapshot_load(snap.data, snap.size, &opts, &state);
		require(!rc ? state != NULL : !state && (rc == -EBADMSG || rc == -EPROTONOSUPPORT));
		if (!rc)
			check(state, &snap);
		gms_state_destroy(state);
	}
	snap_fini(&snap);
	return 0;
}
