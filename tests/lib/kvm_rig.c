// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvm_rig.c - the backend for KVM on the fake kernel: see kvm_rig.h
 */
#include "kvm_rig.h"

#include "kvm_priv.h"

static void stop(void *ctx)
{
	struct krig *rig = ctx;

	rig->stopped++;
	rig->stops++;
	if (rig->sync_in_stop)
		rig->sync_err = gms_kvm_sync(rig->kvm, rig->state);
}

static void resume(void *ctx)
{
	struct krig *rig = ctx;

	rig->stopped--;
	for (uint64_t page = 0; page < KRIG_PAGES; page++) {
		const uint64_t gfn = krig_gfn(rig, page);

		if (gfn != UINT64_MAX && fake_guest_sees(&rig->fake, gfn, NULL) == FAKE_NOTHING)
			rig->hole = true;
	}
}

const struct krig_kind krig_kinds[KRIG_KINDS] = {
	{GMS_KVM_IN_PLACE, 0, 0},
	{GMS_KVM_ATTRIBUTES, 0, 0},
	{GMS_KVM_MEMSLOTS, 0, 0},
	{GMS_KVM_IN_PLACE, GMS_KVM_INIT_PRIVATE, 0},
	{GMS_KVM_ATTRIBUTES, GMS_KVM_INIT_PRIVATE, 0},
	{GMS_KVM_MEMSLOTS, GMS_KVM_INIT_PRIVATE, 0},
	{GMS_KVM_IN_PLACE, GMS_KVM_GUEST_MEMFD, 0},
	{GMS_KVM_ATTRIBUTES, GMS_KVM_GUEST_MEMFD | GMS_KVM_SHARED_FD, 0},
	{GMS_KVM_ATTRIBUTES, GMS_KVM_SHARED_FD, 8},
	{GMS_KVM_ATTRIBUTES, GMS_KVM_GUEST_MEMFD | GMS_KVM_HOST, 0},
};

/* Opens the caller's files and mapping. Index 0 is not at the beginning of the files. */
static void adopt(struct krig *rig, uint64_t grain, struct gms_kvm_opts *opts)
{
	const unsigned int flags = rig->flags;

	rig->guest_memfd = rig->shared_fd = -1;
	if (flags & GMS_KVM_GUEST_MEMFD)
		rig->guest_memfd = fake_adopt_file(&rig->fake, true, KRIG_PAGES + 9, 7, 1);
	if (flags & (GMS_KVM_SHARED_FD | GMS_KVM_HOST))
		rig->shared_fd =
			fake_adopt_file(&rig->fake, false, KRIG_PAGES + 16, 16, grain ? grain : 1);
	if (flags & GMS_KVM_HOST)
		opts->host = rig->host = fake_adopt_view(&rig->fake, rig->shared_fd);
	opts->flags = flags;
	opts->guest_memfd = rig->guest_memfd;
	opts->guest_memfd_offset = 7ULL << GMS_PAGE_SHIFT;
	opts->shared_fd = rig->shared_fd;
	opts->shared_offset = 16ULL << GMS_PAGE_SHIFT;
}

void krig_init_kvm(struct krig *rig, const struct krig_kind *kind, unsigned int nr_slots)
{
	struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;

	memset(rig, 0, sizeof(*rig));
	fake_init(&rig->fake, kind->mode);
	talloc_init(&rig->talloc);
	rig->mode = kind->mode;
	rig->flags = kind->flags;
	rig->nr_slots = nr_slots;
	rig->maps[0] = (struct krig_map) {.gfn = 900, .start = 0, .nr_pages = 24};
	rig->maps[1] = (struct krig_map) {.gfn = 16, .start = 32, .nr_pages = 32};
	opts.vm_fd = FAKE_VM;
	opts.nr_pages = KRIG_PAGES;
	opts.first_slot = KRIG_FIRST_SLOT;
	opts.nr_slots = nr_slots;
	opts.stop_vcpus = stop;
	opts.resume_vcpus = resume;
	opts.ctx = rig;
	adopt(rig, kind->grain, &opts);
	assert_int_equal(gms_kvm_create_on(&opts, &rig->fake.sys, &rig->talloc.ops, &rig->kvm), 0);
	assert_int_equal(gms_kvm_get_way(rig->kvm), kind->mode);
	fake_set_host(&rig->fake, gms_kvm_host(rig->kvm));
}

void krig_init_state(struct krig *rig, bool private)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	opts.nr_pages = KRIG_PAGES;
	opts.flags = private ? GMS_INIT_PRIVATE : 0;
	opts.backend = gms_kvm_backend();
	opts.backend_ctx = rig->kvm;
	assert_int_equal(gms_state_create(&opts, &rig->state), 0);
	rig->fake.state = rig->state;
}

void krig_init_maps(struct krig *rig)
{
	for (unsigned int i = 0; i < KRIG_MAPS; i++)
		assert_int_equal(gms_kvm_map(rig->kvm, rig->maps[i].gfn, rig->maps[i].start,
					     rig->maps[i].nr_pages),
				 0);
	rig->fake.stopped = rig->mode == GMS_KVM_MEMSLOTS ? &rig->stopped : NULL;
	rig->hole = false;
}

void krig_init_kind(struct krig *rig, const struct krig_kind *kind, unsigned int nr_slots,
		    bool private)
{
	krig_init_kvm(rig, kind, nr_slots);
	krig_init_state(rig, private);
	assert_int_equal(gms_kvm_sync(rig->kvm, rig->state), 0);
	krig_init_maps(rig);
	assert_fine(krig_agrees(rig));
}

void krig_init(struct krig *rig, enum gms_kvm_way mode, unsigned int nr_slots, bool private)
{
	const struct krig_kind kind = {mode, 0, 0};

	krig_init_kind(rig, &kind, nr_slots, private);
}

void krig_fini(struct krig *rig)
{
	rig->fake.stopped = NULL;
	assert_int_equal(rig->stopped, 0);
	rig->fake.state = NULL;
	gms_state_destroy(rig->state);
	assert_int_equal(gms_kvm_destroy(rig->kvm), 0);
	assert_fine(fake_check(&rig->fake));
	assert_int_equal(fake_nr_files(&rig->fake), 0);
	assert_int_equal(fake_nr_slots(&rig->fake), 0);
	assert_int_equal(fake_nr_views(&rig->fake), 0);
	assert_fine(talloc_check(&rig->talloc));
	assert_int_equal(rig->talloc.live_blocks, 0);
}

/* ---- agreement ---- */

uint64_t krig_gfn(const struct krig *rig, uint64_t page)
{
	for (unsigned int i = 0; i < KRIG_MAPS; i++)
		if (page - rig->maps[i].start < rig->maps[i].nr_pages)
			return rig->maps[i].gfn + page - rig->maps[i].start;
	return UINT64_MAX;
}

unsigned int krig_wanted_slots(const struct krig *rig)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < KRIG_MAPS; i++) {
		const struct krig_map *map = &rig->maps[i];

		if (rig->mode != GMS_KVM_MEMSLOTS) {
			nr += map->nr_pages > 0;
			continue;
		}

		for (uint64_t page = map->start; page < map->start + map->nr_pages; page++)
			nr += page == map->start || gms_is_private(rig->state, page) !=
							    gms_is_private(rig->state, page - 1);
	}
	return nr;
}

bool krig_page_agrees(struct krig *rig, uint64_t page, bool lax, const char **why)
{
	const bool private = gms_is_private(rig->state, page);
	const enum fake_sees want = private ? FAKE_PRIVATE : FAKE_SHARED;
	const bool hides = rig->kvm->hides || rig->mode == GMS_KVM_IN_PLACE;
	const uint64_t gfn = krig_gfn(rig, page);
	enum fake_sees guest;

	*why = NULL;
	if (gms_rtree_test(rig->kvm->private, page) != private)
		*why = "the record of the guest's pages differs from the state";
	else if (gms_rtree_test(rig->kvm->hidden, page) != (private && rig->kvm->hides))
		*why = "the record of the host's pages differs from the state";
	else if (fake_host_sees(&rig->fake, page, NULL) != (hides ? want : FAKE_SHARED))
		*why = "the host sees something else";
	if (*why || gfn == UINT64_MAX)
		return !*why;
	guest = fake_guest_sees(&rig->fake, gfn, NULL);
	if (guest != want && !(lax && guest == FAKE_NOTHING))
		*why = "the guest sees something else";
	return !*why;
}

static bool attributes_elsewhere(const struct krig *rig)
{
	unsigned int set = 0, mapped = 0;

	for (uint64_t gfn = 0; gfn < FAKE_GFNS; gfn++)
		set += rig->fake.private[gfn];
	for (uint64_t page = 0; page < KRIG_PAGES; page++) {
		const uint64_t gfn = krig_gfn(rig, page);

		mapped += gfn != UINT64_MAX && rig->fake.private[gfn];
	}
	return set != mapped;
}

static const char *records_sound(const struct krig *rig)
{
	const struct gms_rtree *trees[] = {rig->kvm->private, rig->kvm->hidden, rig->kvm->stale,
					   rig->kvm->unsure};
	const char *why;

	for (unsigned int i = 0; i < ARRAY_SIZE(trees); i++)
		if (!gms_rtree_verify(trees[i], &why))
			return why;
	for (unsigned int i = 0; i < GMS_KVM_NR_TXNS; i++)
		if (rig->kvm->txns[i].open)
			return "a conversion that has not ended";
	for (const struct gms_kvm_map *map = rig->kvm->maps; map; map = map->next)
		if (map->broken || map->gone)
			return "a map is broken or gone";
	if (gms_rtree_fill_range(rig->kvm->stale, 0, KRIG_PAGES) != GMS_RTREE_NONE)
		return "something is stale";
	if (gms_rtree_fill_range(rig->kvm->unsure, 0, KRIG_PAGES) != GMS_RTREE_NONE)
		return "something is unsure";
	return NULL;
}

static const char *slots_right(const struct krig *rig)
{
	const unsigned int wanted = krig_wanted_slots(rig);

	if (fake_nr_slots(&rig->fake) != wanted)
		return "there are not as many slots as runs";
	if (rig->kvm->nr_slots != wanted || rig->kvm->nr_wanted != wanted)
		return "slots are counted wrongly";
	for (unsigned int i = 0; i < FAKE_SLOTS; i++)
		if (rig->fake.slots[i].nr_pages &&
		    (i < KRIG_FIRST_SLOT || i >= KRIG_FIRST_SLOT + rig->nr_slots))
			return "a slot number that is not the backend's";
	return NULL;
}

const char *krig_agrees(struct krig *rig)
{
	const char *why = fake_check(&rig->fake);

	if (!why)
		why = records_sound(rig);
	for (uint64_t page = 0; !why && page < KRIG_PAGES; page++)
		krig_page_agrees(rig, page, false, &why);
	if (!why && attributes_elsewhere(rig))
		why = "attributes where nothing is mapped";
	return why ? why : slots_right(rig);
}

/* ---- contents ---- */

/* Returns where the visible content of a page is, or NULL if the page is not visible. */
static unsigned int *seen(struct krig *rig, uint64_t page)
{
	const uint64_t gfn = krig_gfn(rig, page);
	unsigned int *content = NULL;

	/* a view that hides nothing shows the shared side of a private page */
	if (gms_is_private(rig->state, page) && !rig->kvm->hides && rig->mode != GMS_KVM_IN_PLACE) {
		if (gfn != UINT64_MAX)
			fake_guest_sees(&rig->fake, gfn, &content);
		return content;
	}
	if (fake_host_sees(&rig->fake, page, &content) != FAKE_SHARED && gfn != UINT64_MAX)
		fake_guest_sees(&rig->fake, gfn, &content);
	return content;
}

void krig_write(struct krig *rig)
{
	for (uint64_t page = 0; page < KRIG_PAGES; page++) {
		unsigned int *content = seen(rig, page);

		/* which side of a quarantined page is visible is not known */
		if (content && !gms_is_quarantined(rig->state, page))
			*content = rig->content[page] = ++rig->stamp;
	}
}

bool krig_page_holds(struct krig *rig, uint64_t page, const char **why)
{
	const unsigned int *content = seen(rig, page);

	*why = NULL;
	if (content && rig->content[page] != KRIG_UNKNOWN && *content != rig->content[page])
		*why = "a page has a wrong content";
	return !*why;
}

const char *krig_contents(struct krig *rig)
{
	const char *why = NULL;

	for (uint64_t page = 0; !why && page < KRIG_PAGES; page++)
		krig_page_holds(rig, page, &why);
	return why;
}

void krig_expect(struct krig *rig, uint64_t start, uint64_t nr_pages, enum gms_shareability to)
{
	if (rig->mode == GMS_KVM_IN_PLACE)
		return;
	for (uint64_t page = start; page < start + nr_pages; page++)
		if (gms_is_private(rig->state, page) != (to == GMS_PRIVATE))
			rig->content[page] = 0;
}

/* ---- conversions ---- */

void krig_convert(struct krig *rig, uint64_t start, uint64_t nr_pages, enum gms_shareability to)
{
	krig_expect(rig, start, nr_pages, to);
	assert_int_equal(gms_convert(rig->state, start, nr_pages, to, 0, NULL), 0);
	assert_true(gms_range_is(rig->state, start, nr_pages, to));
	assert_fine(krig_agrees(rig));
	assert_fine(krig_contents(rig));
}

void krig_convert_fails(struct krig *rig, uint64_t start, uint64_t nr_pages,
			enum gms_shareability to, int err)
{
	const uint64_t before = gms_count(rig->state, 0, KRIG_PAGES, GMS_PRIVATE);

	assert_int_equal(gms_convert(rig->state, start, nr_pages, to, 0, NULL), err);
	assert_int_equal(gms_count(rig->state, 0, KRIG_PAGES, GMS_PRIVATE), before);
	assert_fine(krig_agrees(rig));
	assert_fine(krig_contents(rig));
}
