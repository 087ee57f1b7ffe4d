// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model.c - proves that the host can never touch a private page, whatever fails
 *
 * Tests rules 14, 16, 17 and 39.
 *
 * Random operations on a state object with the backend for KVM, on the fake kernel, in each of
 * the three modes and with each kind of memory. Any system call may fail, with or without a part
 * of its work done, and so may any allocation.
 *
 *  - After each system call the host can touch no page that the guest sees as private and that is
 *    not quarantined (kvm_fake.c checks this).
 *  - After each operation the host can touch no page that is private in the state and not
 *    quarantined. Unless a sync is due, state, records and kernel agree, an unchanged page holds
 *    what was written to it last, and a changed page holds 0, or in place what it held.
 *  - An operation that fails changes no page. A resumable conversion changes the pages before its
 *    err_index.
 *  - At the end failures stop. Then quarantined pages can be repaired, a sync succeeds, all agree,
 *    and all is freed, even if a memslot could not be deleted at first.
 */
#include "kvm_rig.h"

#include "kvm_priv.h"
#include "oracle.h"

#define OPERATIONS 60
#define NR_PINS 3

struct model {
	struct krig rig;
	struct prng prng;
	unsigned int failures; /* percent of the operations in which calls fail */
	bool private[KRIG_PAGES], quarantined[KRIG_PAGES]; /* before the operation */
	bool listens;
	bool out_of_sync; /* a gms_kvm_sync() is due */
	bool mapped[KRIG_MAPS];
	struct krig_map maps[KRIG_MAPS];
	struct {
		uint64_t start, nr_pages;
	} pins[NR_PINS];
	uint64_t failed; /* operations that failed */
	char saved[1024];
	size_t saved_size;
};

/* Counts over all seeds, which show that the operations met failures. */
static struct {
	uint64_t failed, quarantined, repaired, stayed;
} seen;

static uint64_t draw(struct model *m, uint64_t below)
{
	return prng_below(&m->prng, below);
}

static bool chance(struct model *m, unsigned int percent)
{
	return prng_chance(&m->prng, percent);
}

/* ---- failures ---- */

static void arm(struct model *m)
{
	static const int errs[] = {-ENOMEM, -EINTR,  -EIO,    -EINVAL,
				   -EBUSY,  -ENOSPC, -EFAULT, -EAGAIN};
	struct fake *fake = &m->rig.fake;

	if (!chance(m, m->failures))
		return;
	if (chance(m, 25))
		talloc_fail(&m->rig.talloc, draw(m, 6), 1 + draw(m, 3));
	if (chance(m, 10))
		return;
	fake_fail(fake, draw(m, chance(m, 50) ? 4 : 16), chance(m, 70) ? 1 : 1 + draw(m, 8),
		  errs[draw(m, ARRAY_SIZE(errs))]);
	fake->part = chance(m, 50) ? draw(m, 40) : 0;
	fake->part_once = chance(m, 50);
	fake->tear = chance(m, 20);
}

static void disarm(struct model *m)
{
	talloc_fail_never(&m->rig.talloc);
	fake_fail_never(&m->rig.fake);
	m->rig.fake.part = 0;
}

static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct model *m = ctx;

	(void)runs;
	(void)to;
	if (!chance(m, m->failures / 4))
		return 0;
	*done = draw(m, count + 1);
	return -EXDEV;
}

/* ---- checks ---- */

/* Checks what must hold even if a sync is due. Returns NULL, or what is wrong. */
static const char *safe(struct model *m)
{
	struct krig *rig = &m->rig;
	const bool hides = rig->kvm->hides || rig->mode == GMS_KVM_IN_PLACE;

	for (uint64_t i = 0; hides && i < KRIG_PAGES; i++)
		if (gms_is_private(rig->state, i) && !gms_is_quarantined(rig->state, i) &&
		    fake_host_sees(&rig->fake, i, NULL) == FAKE_SHARED)
			return "the host can touch a page that is private in the state";
	return fake_check(&rig->fake);
}

static bool any_quarantined(const struct model *m)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	gms_stats_read(m->rig.state, &stats);
	return stats.quarantined_pages;
}

static const char *check(struct model *m)
{
	struct krig *rig = &m->rig;
	const char *why = safe(m);

	if (!why)
		gms_state_verify(rig->state, &why);
	/* until the sync, a mapping that a failed call removed may be missing */
	if (why || m->out_of_sync || rig->kvm->torn)
		return why;
	/* stale sides may wait for their punch, and attributes of unmapped pages may stay */
	if (!any_quarantined(m) && m->mapped[0] && m->mapped[1] &&
	    gms_rtree_fill_range(rig->kvm->stale, 0, KRIG_PAGES) == GMS_RTREE_NONE)
		why = krig_agrees(rig);
	if (why)
		return why;
	for (uint64_t i = 0; i < KRIG_PAGES; i++)
		if (!gms_is_quarantined(rig->state, i) &&
		    (!krig_page_agrees(rig, i, false, &why) || !krig_page_holds(rig, i, &why)))
			return why;
	return NULL;
}

static void remember(struct model *m)
{
	for (uint64_t i = 0; i < KRIG_PAGES; i++) {
		m->private[i] = gms_is_private(m->rig.state, i);
		m->quarantined[i] = gms_is_quarantined(m->rig.state, i);
	}
}

/* Updates the expected contents after an operation. @lost: those of [start, end) may be lost. */
static void account(struct model *m, uint64_t start, uint64_t end, bool lost)
{
	struct krig *rig = &m->rig;

	for (uint64_t i = 0; i < KRIG_PAGES; i++) {
		const bool quarantined = gms_is_quarantined(rig->state, i);

		if (quarantined || m->quarantined[i] || (lost && i >= start && i < end))
			rig->content[i] = KRIG_UNKNOWN;
		else if (gms_is_private(rig->state, i) != m->private[i] &&
			 rig->mode != GMS_KVM_IN_PLACE)
			rig->content[i] = 0;
		m->out_of_sync |= quarantined;
		seen.quarantined += quarantined && !m->quarantined[i];
	}
}

/* ---- operations ---- */

static const char *convert(struct model *m)
{
	const uint64_t start = draw(m, KRIG_PAGES);
	const uint64_t nr_pages = 1 + draw(m, KRIG_PAGES - start);
	const enum gms_shareability to = chance(m, 50) ? GMS_PRIVATE : GMS_SHARED;
	const unsigned int flags = chance(m, 25) ? GMS_CONVERT_RESUMABLE : 0;
	gms_pgoff_t at = start + nr_pages;
	int err;

	remember(m);
	err = gms_convert(m->rig.state, start, nr_pages, to, flags, &at);
	account(m, start, start + nr_pages, err && m->listens);
	m->failed += err != 0;
	if (err && (at < start || at >= start + nr_pages))
		return "err_index is not in the range";
	for (uint64_t i = 0; i < KRIG_PAGES; i++) {
		const bool done = i >= start && i < (err && !flags ? start : at);

		if (done ? gms_is_private(m->rig.state, i) != (to == GMS_PRIVATE)
			 : gms_is_private(m->rig.state, i) != m->private[i] &&
				    !gms_is_quarantined(m->rig.state, i))
			return "a conversion changed the wrong pages";
	}
	return NULL;
}

static void repair(struct model *m, uint64_t page)
{
	const enum gms_shareability to = chance(m, 50) ? GMS_PRIVATE : GMS_SHARED;
	uint64_t first = page, end = page + 1;

	while (first && gms_is_quarantined(m->rig.state, first - 1))
		first--;
	while (end < KRIG_PAGES && gms_is_quarantined(m->rig.state, end))
		end++;
	remember(m);
	seen.repaired += !gms_repair(m->rig.state, first, end - first, to);
	account(m, first, end, true);
	m->out_of_sync = true;
}

static void sync(struct model *m)
{
	const int err = gms_kvm_sync(m->rig.kvm, m->rig.state);

	m->out_of_sync |= err != 0;
	if (!err)
		m->out_of_sync = false;
}

static void pin_or_unpin(struct model *m)
{
	const uint64_t i = draw(m, NR_PINS), start = draw(m, KRIG_PAGES);
	const uint64_t nr_pages = 1 + draw(m, KRIG_PAGES - start < 4 ? KRIG_PAGES - start : 4);

	if (m->pins[i].nr_pages)
		gms_unpin(m->rig.state, m->pins[i].start, m->pins[i].nr_pages);
	m->pins[i].nr_pages = 0;
	if (chance(m, 50) || gms_pin(m->rig.state, start, nr_pages, NULL))
		return;
	m->pins[i].start = start;
	m->pins[i].nr_pages = nr_pages;
}

/* Pins or unpins a page, in place, by a reference that only KVM knows. */
static void pin_in_kvm(struct model *m)
{
	const struct gms_kvm_file *file = &m->rig.kvm->shared_file;
	const uint64_t page = draw(m, KRIG_PAGES) + (file->offset >> GMS_PAGE_SHIFT);
	struct fake_file *memfd;

	if (m->rig.mode != GMS_KVM_IN_PLACE)
		return;
	memfd = &m->rig.fake.files[file->fd - FAKE_VM - 1];
	memfd->pinned[page] = !memfd->pinned[page];
}

static void map_or_unmap(struct model *m)
{
	const uint64_t i = draw(m, KRIG_MAPS);
	struct krig_map *map = &m->rig.maps[i];
	const int *const stopped = m->rig.fake.stopped;
	int err;

	m->rig.fake.stopped = NULL; /* to stop vCPUs is the caller's task here */
	if (m->mapped[i]) {
		err = gms_kvm_unmap(m->rig.kvm, m->maps[i].gfn);
		if (!err)
			map->nr_pages = 0;
	} else {
		err = gms_kvm_map(m->rig.kvm, m->maps[i].gfn, m->maps[i].start,
				  m->maps[i].nr_pages);
		if (!err)
			*map = m->maps[i];
	}
	m->rig.fake.stopped = stopped;
	m->mapped[i] ^= !err;
	m->out_of_sync |= err != 0;
	for (int k = 0; k < FAKE_SLOTS; k++) {
		struct fake_slot *slot = &m->rig.fake.slots[k];

		slot->left |= !m->mapped[i] && slot->gfn - m->maps[i].gfn < m->maps[i].nr_pages;
	}
}

static void unpin_in_kvm(struct model *m)
{
	for (int i = 0; i < FAKE_FILES; i++)
		memset(m->rig.fake.files[i].pinned, 0, sizeof(m->rig.fake.files[i].pinned));
}

/*
 * Saves the state, or goes back to the saved one and syncs. No call fails, because before the sync
 * the memory belongs to another state. The fake kernel checks each system call of the sync.
 */
static const char *save_or_load(struct model *m)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *loaded;
	int err;

	disarm(m);
	if (m->listens)
		return NULL;
	if (!m->saved_size || chance(m, 30)) {
		if (gms_snapshot_save(m->rig.state, m->saved, sizeof(m->saved), &m->saved_size))
			return "the state could not be saved";
		return NULL;
	}
	opts.backend = gms_kvm_backend();
	opts.backend_ctx = m->rig.kvm;
	if (gms_snapshot_load(m->saved, m->saved_size, &opts, &loaded))
		return "the saved state could not be loaded";
	remember(m);
	memset(m->pins, 0, sizeof(m->pins));
	gms_state_destroy(m->rig.state);
	m->rig.state = loaded;
	m->rig.fake.state = loaded;
	unpin_in_kvm(m);
	for (uint64_t i = 0; i < KRIG_PAGES; i++)
		if (gms_is_private(loaded, i) != m->private[i] || m->quarantined[i])
			m->rig.content[i] = KRIG_UNKNOWN;
	err = gms_kvm_sync(m->rig.kvm, loaded);
	m->out_of_sync = err != 0;
	return !err || (err == -ENOSPC && m->rig.mode == GMS_KVM_MEMSLOTS) ? NULL : "a sync failed";
}

static const char *operate(struct model *m)
{
	const char *why = NULL;
	uint64_t page;

	arm(m);
	switch (draw(m, 16)) {
	case 0:
		pin_or_unpin(m);
		break;
	case 1:
		pin_in_kvm(m);
		break;
	case 2:
		map_or_unmap(m);
		break;
	case 3:
		gms_punch_hole(m->rig.state, draw(m, KRIG_PAGES / 2), 1 + draw(m, 30), NULL);
		remember(m);
		account(m, 0, 0, false);
		break;
	case 4:
		why = save_or_load(m);
		break;
	case 5:
	case 6:
		page = draw(m, KRIG_PAGES);
		while (page < KRIG_PAGES && !gms_is_quarantined(m->rig.state, page))
			page++;
		if (page < KRIG_PAGES)
			repair(m, page);
		break;
	case 7:
	case 8:
		sync(m);
		break;
	case 9:
		if (!m->out_of_sync)
			krig_write(&m->rig);
		break;
	default:
		why = convert(m);
	}
	disarm(m);
	return why ? why : check(m);
}

/* ---- the end ---- */

static const char *recover(struct model *m)
{
	struct krig *rig = &m->rig;
	const char *why;

	m->failures = 0;
	unpin_in_kvm(m);
	for (int i = 0; i < NR_PINS; i++)
		gms_unpin(rig->state, m->pins[i].start, m->pins[i].nr_pages);
	for (uint64_t i = 0; i < KRIG_PAGES; i++)
		if (gms_is_quarantined(rig->state, i))
			repair(m, i);
	/* if memslots are few, make all pages private: then two slots suffice */
	for (uint64_t i = 0; any_quarantined(m) && i < KRIG_PAGES; i++)
		rig->content[i] = KRIG_UNKNOWN;
	for (uint64_t i = 0; any_quarantined(m) && i < KRIG_PAGES; i++)
		if (!gms_is_quarantined(rig->state, i))
			gms_convert(rig->state, i, 1, GMS_PRIVATE, 0, NULL);
	for (uint64_t i = 0; any_quarantined(m) && i < 2 * KRIG_PAGES; i++)
		gms_repair(rig->state, i % KRIG_PAGES, 1, GMS_PRIVATE);
	if (any_quarantined(m))
		return "a repair is refused for good";
	/* make pages private until the memslots suffice */
	for (uint64_t i = 0; i < KRIG_PAGES; i++)
		if (gms_kvm_sync(rig->kvm, rig->state) == -ENOSPC)
			gms_convert(rig->state, i, 1, GMS_PRIVATE, 0, NULL);
	if (gms_kvm_sync(rig->kvm, rig->state))
		return "a sync fails for good";
	m->out_of_sync = false;
	why = check(m);
	if (!why && gms_convert(rig->state, 0, KRIG_PAGES, GMS_PRIVATE, 0, NULL))
		why = "all of it cannot be converted";
	if (why)
		return why;
	rig->fake.stopped = NULL;
	for (int i = 0; i < KRIG_MAPS; i++) {
		if (!m->mapped[i] &&
		    gms_kvm_map(rig->kvm, m->maps[i].gfn, m->maps[i].start, m->maps[i].nr_pages))
			return "a map is refused for good";
		rig->maps[i] = m->maps[i];
	}
	why = krig_agrees(rig);
	if (why)
		return why;
	krig_write(rig);
	for (int to = GMS_SHARED; to <= GMS_PRIVATE; to++) {
		krig_expect(rig, 0, KRIG_PAGES, (enum gms_shareability)to);
		if (gms_convert(rig->state, 0, KRIG_PAGES, (enum gms_shareability)to, 0, NULL))
			return "all of it cannot be converted";
		why = krig_agrees(rig);
		why = why ? why : krig_contents(rig);
		if (why)
			return why;
	}
	return NULL;
}

/* Checks that what a memslot points to exists as long as the memslot does. */
static const char *slots_stand(const struct fake *fake)
{
	for (int i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *slot = &fake->slots[i];

		if (slot->nr_pages && (!fake->views[slot->view].nr_pages ||
				       !fake->files[slot->fd - FAKE_VM - 1].open))
			return "a memslot points to a mapping or file that is gone";
	}
	return NULL;
}

static const char *destroy(struct model *m)
{
	struct krig *rig = &m->rig;
	const char *why = NULL;

	rig->fake.stopped = NULL;
	rig->fake.state = NULL;
	gms_state_destroy(rig->state);
	fake_fail(&rig->fake, draw(m, 3), 1, -ENOMEM);
	while (!why && gms_kvm_destroy(rig->kvm)) {
		why = slots_stand(&rig->fake);
		seen.stayed++;
		fake_fail_never(&rig->fake);
	}
	if (!why &&
	    (fake_nr_files(&rig->fake) || fake_nr_slots(&rig->fake) || fake_nr_views(&rig->fake)))
		why = "something is left in the kernel";
	if (!why && rig->talloc.live_blocks)
		why = "something is left in memory";
	why = why ? why : fake_check(&rig->fake);
	return why ? why : talloc_check(&rig->talloc);
}

static void run(struct model *m, const struct krig_kind *kind, uint64_t seed)
{
	static const struct gms_listener_ops listener = {
		.struct_size = sizeof(listener),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = change,
	};
	const unsigned int nr_slots = kind->mode == GMS_KVM_MEMSLOTS ? seed % 2 ? 60 : 9 : 4;
	const char *why = NULL;
	unsigned int id;
	int i;

	memset(m, 0, sizeof(*m));
	prng_init(&m->prng, seed);
	krig_init_kind(&m->rig, kind, nr_slots, kind->flags & GMS_KVM_INIT_PRIVATE);
	memcpy(m->maps, m->rig.maps, sizeof(m->maps));
	m->mapped[0] = m->mapped[1] = true;
	m->listens = seed % 3 == 0;
	if (m->listens)
		assert_int_equal(
			gms_listener_register(m->rig.state, &listener, m, 0, KRIG_PAGES, 1, &id),
			0);
	m->failures = (unsigned int)(seed % 4) * 20;
	krig_write(&m->rig);
	for (i = 0; !why && i < OPERATIONS; i++)
		why = operate(m);
	seen.failed += m->failed;
	why = why ? why : recover(m);
	why = why ? why : destroy(m);
	if (why)
		printf("GMS_TEST_SEED=%llu GMS_TEST_ITERS=1: mode %d, flags %u, operation %d\n",
		       (unsigned long long)seed, (int)kind->mode, kind->flags, i - 1);
	assert_fine(why);
}

static void run_mode(enum gms_kvm_way mode)
{
	static struct model model;
	const uint64_t seeds = test_iters(500);

	memset(&seen, 0, sizeof(seen));
	for (uint64_t seed = 0; seed < seeds; seed++)
		for (int k = 0; k < KRIG_KINDS; k++)
			if (krig_kinds[k].mode == mode)
				run(&model, &krig_kinds[k], test_seed() + seed);
	printf("%llu seeds: %llu conversions failed, %llu pages were quarantined, %llu repairs, "
	       "%llu times a memslot stayed\n",
	       (unsigned long long)seeds, (unsigned long long)seen.failed,
	       (unsigned long long)seen.quarantined, (unsigned long long)seen.repaired,
	       (unsigned long long)seen.stayed);
	if (seeds >= 100)
		assert_true(seen.failed && seen.quarantined && seen.repaired && seen.stayed);
}

static void test_in_place(void **unused)
{
	(void)unused;
	run_mode(GMS_KVM_IN_PLACE);
}

static void test_attributes(void **unused)
{
	(void)unused;
	run_mode(GMS_KVM_ATTRIBUTES);
}

static void test_memslots(void **unused)
{
	(void)unused;
	run_mode(GMS_KVM_MEMSLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_memslots),
	};

	return cmocka_run_group_tests_name("kvm-model", tests, NULL, NULL);
}
