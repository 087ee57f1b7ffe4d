// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * binding_model.c - proves that bindings and orders agree with flat arrays
 *
 * Tests rules 14, 21 and 22. The model has a byte for each page and a list of bindings, and looks
 * at every page of a block. Further tests make many bindings, and bindings without memory.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + 3 * T_2M + 5)
#define NR_GFNS (4 * T_1G)
#define MAX_SLOTS 12

#define IS_PRIVATE 1U
#define HAS_ATTR(nr) (2U << (nr))
#define NR_ATTRS 2U
#define AT_MOST_4K 1U
#define AT_MOST_2M 2U

struct slot {
	uint64_t gfn;
	gms_pgoff_t start;
	uint64_t nr_pages;
	unsigned int id;
};

struct world {
	struct rig rig;
	unsigned char *pages; /* IS_PRIVATE, HAS_ATTR() */
	unsigned char *inhibits; /* AT_MOST_4K, AT_MOST_2M */
	struct slot slots[MAX_SLOTS];
	unsigned int nr_slots;
	unsigned int attr[NR_ATTRS];
	uint64_t seed;
	uint64_t seen[GMS_ORDER_1G + 1]; /* results, by order */
};

static uint64_t draw(struct world *world, uint64_t below)
{
	world->seed ^= world->seed << 13;
	world->seed ^= world->seed >> 7;
	world->seed ^= world->seed << 17;
	return (world->seed >> 11) % below;
}

/* ---- the model ---- */

static const struct slot *slot_of_gfn(const struct world *world, uint64_t gfn)
{
	unsigned int i;

	for (i = 0; i < world->nr_slots; i++) {
		const struct slot *slot = &world->slots[i];

		if (gfn >= slot->gfn && gfn - slot->gfn < slot->nr_pages)
			return slot;
	}
	return NULL;
}

static bool meet(uint64_t a, uint64_t nr_a, uint64_t b, uint64_t nr_b)
{
	return a < b + nr_b && b < a + nr_a;
}

static int model_bind(const struct world *world, const struct slot *slot)
{
	unsigned int i;

	if (!slot->nr_pages || slot->start >= NR_PAGES || slot->nr_pages > NR_PAGES - slot->start ||
	    slot->gfn + slot->nr_pages < slot->gfn)
		return -EINVAL;
	for (i = 0; i < world->nr_slots; i++) {
		const struct slot *other = &world->slots[i];

		if (meet(slot->gfn, slot->nr_pages, other->gfn, other->nr_pages) ||
		    meet(slot->start, slot->nr_pages, other->start, other->nr_pages))
			return -EEXIST;
	}
	return 0;
}

static bool uniform(const unsigned char *bytes, uint64_t start, uint64_t nr_pages)
{
	return !memcmp(bytes + start, bytes + start + 1, nr_pages - 1);
}

/* Returns true if a mapping of @order may be made at a gfn. */
static bool model_allows(const struct world *world, const struct slot *slot, uint64_t gfn,
			 unsigned int order)
{
	const uint64_t nr_pages = 1ULL << order;
	const uint64_t index = gfn - slot->gfn + slot->start;
	const uint64_t gfn_start = gfn / nr_pages * nr_pages;
	const uint64_t start = index / nr_pages * nr_pages;
	uint64_t i;

	if (gfn % nr_pages != index % nr_pages || gfn_start < slot->gfn ||
	    gfn_start + nr_pages > slot->gfn + slot->nr_pages || start + nr_pages > NR_PAGES ||
	    !uniform(world->pages, start, nr_pages))
		return false;
	for (i = start; i < start + nr_pages; i++) {
		if (world->inhibits[i] & AT_MOST_4K ||
		    (order == GMS_ORDER_1G && world->inhibits[i] & AT_MOST_2M))
			return false;
	}
	return true;
}

static unsigned int model_order(const struct world *world, const struct slot *slot, uint64_t gfn)
{
	if (model_allows(world, slot, gfn, GMS_ORDER_1G))
		return GMS_ORDER_1G;
	return model_allows(world, slot, gfn, GMS_ORDER_2M) ? GMS_ORDER_2M : GMS_ORDER_4K;
}

/* ---- changes ---- */

/* Draws a page, often the first one of a block. */
static uint64_t draw_edge(struct world *world, uint64_t below)
{
	static const uint64_t grain[] = {1, 8, T_2M, T_2M, T_1G};
	const uint64_t unit = grain[draw(world, ARRAY_SIZE(grain))];

	return draw(world, below) / unit * unit;
}

static void draw_range(struct world *world, uint64_t *start, uint64_t *nr_pages)
{
	uint64_t end;

	do {
		*start = draw_edge(world, NR_PAGES);
		end = draw(world, 8) ? draw_edge(world, NR_PAGES) : NR_PAGES;
	} while (end <= *start);
	*nr_pages = end - *start;
	if (draw(world, 3))
		*nr_pages = *nr_pages % (2 * T_2M) + 1;
	if (*nr_pages > NR_PAGES - *start)
		*nr_pages = NR_PAGES - *start;
}

static void mark(unsigned char *bytes, uint64_t start, uint64_t nr_pages, unsigned char bit,
		 bool set)
{
	uint64_t i;

	for (i = start; i < start + nr_pages; i++)
		bytes[i] = (unsigned char)(set ? bytes[i] | bit : bytes[i] & ~bit);
}

static void change_bindings(struct world *world)
{
	struct slot slot = {.id = 0x77};
	int want;

	if (world->nr_slots == MAX_SLOTS || (world->nr_slots && !draw(world, 4))) {
		const unsigned int i = (unsigned int)draw(world, world->nr_slots);

		assert_int_equal(gms_unbind(world->rig.state, world->slots[i].id), 0);
		world->slots[i] = world->slots[--world->nr_slots];
		return;
	}
	draw_range(world, &slot.start, &slot.nr_pages);
	if (!world->nr_slots && draw(world, 2)) {
		/* Bind most of the object, as a VMM does. */
		slot.start = draw(world, 3) * T_2M / 2;
		slot.nr_pages = NR_PAGES - slot.start - draw(world, 3) * T_2M / 2;
	}
	if (draw(world, 2))
		slot.gfn = slot.start + draw_edge(world, NR_GFNS - NR_PAGES);
	else
		slot.gfn = draw_edge(world, NR_GFNS - slot.nr_pages);
	want = model_bind(world, &slot);
	assert_int_equal(gms_bind(world->rig.state, slot.gfn, slot.start, slot.nr_pages, &slot.id),
			 want);
	if (!want)
		world->slots[world->nr_slots++] = slot;
}

static void change_pages(struct world *world)
{
	struct gms_state *state = world->rig.state;
	const bool set = draw(world, 2);
	uint64_t start, nr_pages;
	unsigned int nr;

	draw_range(world, &start, &nr_pages);
	switch (draw(world, 6)) {
	case 0:
	case 1:
	case 2:
		rig_convert(&world->rig, start, nr_pages, set ? GMS_PRIVATE : GMS_SHARED);
		mark(world->pages, start, nr_pages, IS_PRIVATE, set);
		break;
	case 3:
		nr = (unsigned int)draw(world, NR_ATTRS);
		assert_int_equal(gms_attr_set(state, world->attr[nr], start, nr_pages, set), 0);
		mark(world->pages, start, nr_pages, HAS_ATTR(nr), set);
		break;
	case 4:
		assert_int_equal(gms_inhibit(state, start, 1, set ? GMS_ORDER_4K : GMS_ORDER_2M),
				 0);
		mark(world->inhibits, start, 1, set ? AT_MOST_4K | AT_MOST_2M : AT_MOST_2M, true);
		break;
	default:
		assert_int_equal(gms_uninhibit(state, start, nr_pages), 0);
		mark(world->inhibits, start, nr_pages, AT_MOST_4K | AT_MOST_2M, false);
		break;
	}
}

/* ---- comparing ---- */

/* Compares a fault at a gfn with the model and with a fault at its index. The folio caps both. */
static void compare_fault(struct world *world, uint64_t gfn, gms_pgoff_t index, unsigned int order)
{
	struct gms_state *state = world->rig.state;
	struct gms_fault by_gfn, by_index;
	unsigned int want;

	assert_int_equal(gms_fault_begin_gfn(state, gfn, GMS_GUEST, &by_gfn), 0);
	want = order < by_gfn.folio_order ? order : by_gfn.folio_order;
	assert_int_equal(by_gfn.max_order, want);
	if (gms_is_private(state, index) && !by_gfn.prepared)
		assert_int_equal(gms_fault_prepare(state, &by_gfn), 0);
	assert_int_equal(sim_map(world->rig.sim, index, by_gfn.max_order, GMS_GUEST), 0);
	gms_fault_end(state, &by_gfn);
	assert_int_equal(gms_fault_begin(state, index, GMS_GUEST, &by_index), 0);
	assert_int_equal(by_index.max_order, want);
	assert_int_equal(by_index.folio_index, by_gfn.folio_index);
	gms_fault_end(state, &by_index);
}

static void compare_at(struct world *world, uint64_t gfn, bool fault)
{
	const struct slot *slot = slot_of_gfn(world, gfn);
	gms_pgoff_t index = 0x77, want = 0x77;
	unsigned int order = 0x77;
	int err = slot ? 0 : -ENOENT;

	if (slot)
		want = slot->start + (gfn - slot->gfn);
	assert_int_equal(gms_gfn_to_index(world->rig.state, gfn, &index), err);
	assert_int_equal(index, want);
	assert_int_equal(gms_gfn_max_order(world->rig.state, gfn, &order), err);
	assert_int_equal(order, slot ? model_order(world, slot, gfn) : 0x77);
	if (slot)
		world->seen[order]++;
	if (slot && fault)
		compare_fault(world, gfn, index, order);
}

static void compare(struct world *world)
{
	unsigned int i;

	for (i = 0; i < world->nr_slots; i++) {
		const struct slot slot = world->slots[i];
		const uint64_t at[] = {
			slot.gfn - !!slot.gfn,
			slot.gfn,
			slot.gfn + slot.nr_pages - 1,
			slot.gfn + slot.nr_pages,
			slot.gfn + draw(world, slot.nr_pages),
			slot.gfn + draw_edge(world, slot.nr_pages),
		};
		size_t k;

		for (k = 0; k < ARRAY_SIZE(at); k++)
			compare_at(world, at[k], k > 4);
	}
	for (i = 0; i < 4; i++)
		compare_at(world, draw(world, NR_GFNS + T_1G), true);
	assert_int_equal(rig_stats(&world->rig).bindings, world->nr_slots);
}

/* Removes all bindings and makes all pages private. Otherwise few blocks would stay uniform. */
static void start_over(struct world *world)
{
	unsigned int i;

	while (world->nr_slots)
		assert_int_equal(gms_unbind(world->rig.state, world->slots[--world->nr_slots].id),
				 0);
	rig_convert(&world->rig, 0, NR_PAGES, GMS_PRIVATE);
	mark(world->pages, 0, NR_PAGES, IS_PRIVATE, true);
	assert_int_equal(gms_uninhibit(world->rig.state, 0, NR_PAGES), 0);
	mark(world->inhibits, 0, NR_PAGES, AT_MOST_4K | AT_MOST_2M, false);
	for (i = 0; i < NR_ATTRS; i++) {
		assert_int_equal(gms_attr_set(world->rig.state, world->attr[i], 0, NR_PAGES, false),
				 0);
		mark(world->pages, 0, NR_PAGES, HAS_ATTR(i), false);
	}
	rig_forget(&world->rig);
}

/* Rules 21 and 22: the largest mapping is what the model finds page by page. */
static void rule_21_max_order_agrees_with_a_model(void **unused)
{
	const struct rig_opts opts = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
	uint64_t round, rounds = test_iters(3000);
	struct world world = {.seed = 2 * test_seed() + 1};
	unsigned int i;

	(void)unused;
	print_message("seed %llu\n", (unsigned long long)test_seed());
	rig_init(&world.rig, &opts);
	world.pages = calloc(1, NR_PAGES);
	world.inhibits = calloc(1, NR_PAGES);
	assert_true(world.pages && world.inhibits);
	for (i = 0; i < NR_ATTRS; i++)
		assert_int_equal(gms_attr_create(world.rig.state, &world.attr[i]), 0);
	for (round = 0; round < rounds; round++) {
		if (draw(&world, 3))
			change_bindings(&world);
		else
			change_pages(&world);
		if (round % 32 == 31)
			start_over(&world);
		compare(&world);
	}
	/* A test of this length has met each order. */
	if (rounds >= 3000)
		assert_true(world.seen[0] && world.seen[GMS_ORDER_2M] && world.seen[GMS_ORDER_1G]);
	free(world.pages);
	free(world.inhibits);
	rig_fini(&world.rig);
}

/* ---- many bindings ---- */

#define MANY 1500U
#define LONG 40U /* pages of a binding; the gaps are as long */

/* The place of the binding numbered @nr. Gfns ascend; indices go up and down. */
static uint64_t gfn_of(unsigned int nr)
{
	return 1000 + 2ULL * LONG * nr;
}

static gms_pgoff_t index_of(unsigned int nr)
{
	return 2ULL * LONG * (nr % 2 ? MANY - nr : nr);
}

static void check_many(const struct rig *rig, const bool *bound)
{
	unsigned int nr;

	for (nr = 0; nr < MANY; nr++) {
		const uint64_t gfn = gfn_of(nr);
		gms_pgoff_t index = UINT64_MAX;

		assert_int_equal(gms_gfn_to_index(rig->state, gfn - 1, &index), -ENOENT);
		assert_int_equal(gms_gfn_to_index(rig->state, gfn + LONG, &index), -ENOENT);
		if (!bound[nr]) {
			assert_int_equal(gms_gfn_to_index(rig->state, gfn, &index), -ENOENT);
			continue;
		}
		assert_int_equal(gms_gfn_to_index(rig->state, gfn, &index), 0);
		assert_int_equal(index, index_of(nr));
		assert_int_equal(gms_gfn_to_index(rig->state, gfn + LONG - 1, &index), 0);
		assert_int_equal(index, index_of(nr) + LONG - 1);
	}
}

/* Returns the bytes that struct gms_stats does not count. */
static uint64_t uncounted_bytes(const struct rig *rig)
{
	const struct gms_stats stats = rig_stats(rig);

	return rig->talloc.live_bytes - stats.bytes_in_use - stats.bytes_pooled;
}

/* Rule 22: 1500 bindings can be made and removed in any order. */
static void rule_22_many_bindings_in_any_order(void **unused)
{
	const struct rig_opts opts = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};
	static unsigned int id[MANY];
	static bool bound[MANY];
	unsigned int i, nr;
	uint64_t uncounted;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	uncounted = uncounted_bytes(&rig);
	/* 7 and MANY have no common divisor: each binding is made once, in a scattered order. */
	for (i = 0; i < MANY; i++) {
		nr = i * 7 % MANY;
		assert_int_equal(gms_bind(rig.state, gfn_of(nr), index_of(nr), LONG, &id[nr]), 0);
		bound[nr] = true;
	}
	check_many(&rig, bound);
	assert_int_equal(rig_stats(&rig).bindings, MANY);
	assert_int_equal(uncounted_bytes(&rig), uncounted);
	for (i = 0; i < MANY; i++) {
		nr = i * 11 % MANY;
		if (nr % 3) {
			assert_int_equal(gms_unbind(rig.state, id[nr]), 0);
			bound[nr] = false;
		}
	}
	check_many(&rig, bound);
	assert_int_equal(rig_stats(&rig).bindings, MANY / 3);
	for (nr = 0; nr < MANY; nr++) {
		unsigned int none = 0x77;

		if (bound[nr]) {
			assert_int_equal(
				gms_bind(rig.state, gfn_of(nr) + LONG - 1, NR_PAGES - 9, 1, &none),
				-EEXIST);
			assert_int_equal(gms_bind(rig.state, 0, index_of(nr), 1, &none), -EEXIST);
			continue;
		}
		assert_int_equal(gms_bind(rig.state, gfn_of(nr), index_of(nr), LONG, &id[nr]), 0);
		bound[nr] = true;
	}
	check_many(&rig, bound);
	for (nr = 0; nr < MANY; nr++) {
		for (i = nr + 1; i < MANY; i++)
			assert_true(id[nr] != id[i]);
	}
	for (nr = 0; nr < MANY; nr++) {
		assert_int_equal(gms_unbind(rig.state, id[nr]), 0);
		bound[nr] = false;
	}
	check_many(&rig, bound);
	assert_int_equal(rig_stats(&rig).bindings, 0);
	assert_int_equal(uncounted_bytes(&rig), uncounted);
	rig_fini(&rig);
}

/* ---- without memory ---- */

#define FEW 70U

/* Calls gms_bind() with memory for @skip allocations. A call that fails changes nothing. */
static void without_memory(struct rig *rig, unsigned int nr, uint64_t skip, bool *bound)
{
	struct gms_stats before = rig_stats(rig), after;
	unsigned int id = 0x77;
	int rc;

	talloc_fail(&rig->talloc, skip, UINT64_MAX);
	rc = gms_bind(rig->state, gfn_of(nr), index_of(nr), LONG, &id);
	talloc_fail_never(&rig->talloc);
	bound[nr] = !rc;
	if (!rc)
		return;
	assert_int_equal(rc, -ENOMEM);
	assert_int_equal(id, 0x77);
	after = rig_stats(rig);
	assert_int_equal(after.refused_nomem, before.refused_nomem + 1);
	after.refused_nomem = before.refused_nomem;
	/* The library may keep the memory that it got. */
	after.bytes_in_use = before.bytes_in_use;
	after.bytes_pooled = before.bytes_pooled;
	assert_memory_equal(&before, &after, sizeof(before));
	check_many(rig, bound);
}

/*
 * Rules 14 and 22: each allocation of gms_bind() fails in turn, and nothing has changed then.
 * gms_unbind() needs no memory.
 */
static void rule_14_bind_without_memory_changes_nothing(void **unused)
{
	const struct rig_opts opts = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};
	static unsigned int id[MANY];
	static bool bound[MANY];
	unsigned int nr, failed = 0;
	struct rig rig;
	uint64_t skip;

	(void)unused;
	memset(bound, 0, sizeof(bound));
	rig_init(&rig, &opts);
	for (nr = 0; nr < FEW; nr++) {
		for (skip = 0; !bound[nr]; skip++, failed++)
			without_memory(&rig, nr, skip, bound);
		failed--;
	}
	/* Some calls need no allocation, but the first one does. */
	assert_true(failed >= 1);
	assert_int_equal(rig_stats(&rig).refused_nomem, failed);
	assert_int_equal(rig_stats(&rig).bindings, FEW);
	check_many(&rig, bound);
	rig_check(&rig);
	rig_fini(&rig);

	memset(bound, 0, sizeof(bound));
	rig_init(&rig, &opts);
	for (nr = 0; nr < FEW; nr++) {
		assert_int_equal(gms_bind(rig.state, gfn_of(nr), index_of(nr), LONG, &id[nr]), 0);
		bound[nr] = true;
	}
	talloc_fail(&rig.talloc, 0, UINT64_MAX);
	for (nr = 0; nr < FEW; nr++) {
		assert_int_equal(gms_unbind(rig.state, id[nr]), 0);
		bound[nr] = false;
		check_many(&rig, bound);
	}
	talloc_fail_never(&rig.talloc);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_21_max_order_agrees_with_a_model),
		cmocka_unit_test(rule_22_many_bindings_in_any_order),
		cmocka_unit_test(rule_14_bind_without_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
