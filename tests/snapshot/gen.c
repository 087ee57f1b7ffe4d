// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gen.c - writes the snapshot that later versions must be able to read
 *
 *	gen_snapshot FILE
 *
 * When the format gets a new version, this program is run once, and its file is added to
 * tests/data/. The files of old versions stay as they are.
 */
#include "snap.h"
#include "test.h"

int main(int argc, char **argv)
{
	struct snap_model model;
	struct gms_state *state;
	struct snap snap;
	FILE *file;

	if (argc != 2) {
		fprintf(stderr, "usage: gen_snapshot FILE\n");
		return 2;
	}
	snap_model_v1(&model);
	state = snap_state_of_model(&model);
	snap_save(&snap, state);
	gms_state_destroy(state);
	snap_model_fini(&model);
	file = fopen(argv[1], "wbx");
	if (!file) {
		perror(argv[1]);
		return 1;
	}
	if (fwrite(snap.data, snap.size, 1, file) != 1 || fclose(file)) {
		perror(argv[1]);
		return 1;
	}
	snap_fini(&snap);
	return 0;
}
