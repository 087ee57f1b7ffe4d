/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * machine.h - the simulated backend without the library: a test calls the hooks by hand
 *
 * Usage:
 *
 *	struct machine m = machine(GMS_ORDER_2M, true);
 *
 *	convert(&m, 5, 1, GMS_SHARED);
 *	machine_end(&m, NULL);
 */
#ifndef GMS_TESTS_MACHINE_H
#define GMS_TESTS_MACHINE_H

#include "test.h"

#include <sim.h>

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define BLOCK_1G (1ULL << GMS_ORDER_1G)
#define NR_PAGES (2 * BLOCK_1G)

/* A simulated machine, and its hooks. */
struct machine {
	struct sim *sim;
	struct gms_backend_ops *ops;
};

static inline struct machine machine_with(struct sim_opts opts)
{
	struct machine m;

	opts.nr_pages = NR_PAGES;
	assert_int_equal(sim_create(&opts, &m.sim), 0);
	m.ops = sim_ops(m.sim);
	return m;
}

static inline struct machine machine(unsigned int folio_order, bool init_private)
{
	return machine_with((struct sim_opts) {
		.folio_order = folio_order, .init_private = init_private, .record = 64});
}

/*
 * Ends the test of a machine. The text of the first broken rule must contain @part. If @part is
 * NULL, no rule may be broken.
 */
static inline void machine_end(struct machine *m, const char *part)
{
	const char *broken = sim_check(m->sim);

	if (part && !broken)
		fail_msg("no rule was broken; expected: %s", part);
	if (broken && (!part || !strstr(broken, part)))
		fail_msg("broken rule: %s; expected: %s", broken, part ? part : "none");
	sim_destroy(m->sim);
}

#define CALL(m, hook, ...) ((m).ops->hook((m).sim, __VA_ARGS__))

static inline void begin_and_zap(struct machine *m, gms_pgoff_t start, uint64_t nr,
				 enum gms_shareability only)
{
	CALL(*m, invalidate_begin, start, nr);
	CALL(*m, zap_guest, start, nr, only);
}

/* Calls the hooks of a conversion of one run, in the order of the library. */
static inline void convert(struct machine *m, gms_pgoff_t start, uint64_t nr,
			   enum gms_shareability to)
{
	gms_pgoff_t at = start;

	if (to == GMS_PRIVATE) {
		assert_int_equal(CALL(*m, unmap_host, start, nr), 0);
		assert_int_equal(CALL(*m, check_pins, start, nr, &at), 0);
	}
	begin_and_zap(m, start, nr, to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE);
	assert_int_equal(CALL(*m, apply, start, nr, to, &at), 0);
	CALL(*m, invalidate_end, start, nr);
}

#endif /* GMS_TESTS_MACHINE_H */
