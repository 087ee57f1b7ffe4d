// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * undo_takes_memory.c - the undo of a conversion took memory
 *
 * Wrong: a listener refused, after the host had mapped pages of the conversion. The undo unmapped
 * them, and allocated memory for a record of that.
 * Right: no undo allocates (rule 14).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 2 * T_1G, .init_private = true};
static struct mirrors all;

/* The host maps pages of which the mirror is notified. No allocation is allowed from then on. */
static void fault_and_trap(struct mirror *m, const struct mirror_call *call)
{
	struct gms_fault fault;

	if (call->to == GMS_PRIVATE)
		return;
	for (size_t i = 0; i < call->count; i++)
		assert_int_equal(rig_fault(m->rig, call->runs[i].start, GMS_HOST, &fault), 0);
	talloc_trap(&m->rig->talloc, TALLOC_TRAP_ALLOC);
}

/* The host maps the whole 2M block in one step, and the undo unmaps two pages of it. */
static void pin_and_trap(struct mirror *m, const struct mirror_call *call)
{
	if (call->to == GMS_PRIVATE)
		return;
	rig_pin(m->rig, 0, T_2M);
	gms_unpin(m->rig->state, 0, T_2M);
	talloc_trap(&m->rig->talloc, TALLOC_TRAP_ALLOC);
}

/* A mirror refuses two pages of a 2M block, whose other pages are shared. */
static void refuse(void (*hook)(struct mirror *m, const struct mirror_call *call), bool quarantined)
{
	mirrors_init(&all, &opts);
	rig_convert(&all.rig, 0, 100, GMS_SHARED);
	rig_convert(&all.rig, 102, T_2M - 102, GMS_SHARED);
	if (hook == fault_and_trap) {
		rig_pin(&all.rig, 0, 100);
		rig_pin(&all.rig, 102, T_2M - 102);
		gms_unpin(all.rig.state, 0, 100);
		gms_unpin(all.rig.state, 102, T_2M - 102);
	}
	mirrors_add(&all, 1, T_2M, 1, 0);
	for (unsigned int round = 0; round < 3; round++) {
		plan_refuse(&all.plan, 0, 1, -ENXIO, quarantined ? DONE_HALF : DONE_NONE);
		plan_refuse_undo(&all.plan, quarantined ? 1 : 2, 2, -EXDEV, DONE_NONE);
		all.mirror[0].hook = hook;
		rig_convert_fails(&all.rig, 100, 2, GMS_SHARED, 0, -ENXIO, 100);
		talloc_trap(&all.rig.talloc, 0);
		assert_fine(talloc_check(&all.rig.talloc));
		all.mirror[0].hook = NULL;
		plan_refuse_none(&all.plan);
		assert_int_equal(gms_is_quarantined(all.rig.state, 100), quarantined);
		if (quarantined)
			rig_repair(&all.rig, 100, 2, GMS_PRIVATE);
		rig_forget(&all.rig);
	}
	mirrors_fini(&all);
}

static void an_undo_takes_no_memory(void **unused)
{
	(void)unused;
	refuse(fault_and_trap, false);
	refuse(pin_and_trap, false);
}

static void a_quarantine_takes_no_memory(void **unused)
{
	(void)unused;
	refuse(fault_and_trap, true);
	refuse(pin_and_trap, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_undo_takes_no_memory),
		cmocka_unit_test(a_quarantine_takes_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
