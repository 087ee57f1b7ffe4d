// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * snapshot.c - a state object as bytes, and back: see docs/snapshot-format.md
 *
 *	| header | private | quarantine | inhibits | attributes | CRC |
 *
 * Each set is its runs, alternately out of it and in it. What must hold:
 *
 *  1. One state has one snapshot: whatever could be written in two ways is refused at loading
 *     in all but one. So what was loaded is saved as the same bytes.
 *  2. Saving reads under all convert locks, twice: first to learn the size. It allocates nothing.
 *  3. Loading believes nothing. All of the bytes are checked before anything is allocated, and each
 *     again when it is stored: a buffer that somebody else writes to meanwhile may make another
 *     state, or none, but nothing is read or stored out of bounds.
 *  4. What is loaded has no folios yet, so nobody is told when it has to be destroyed half-way.
 *
 * Costs: to save, two look-ups a run; to load, two readings of the bytes and a store for each run
 * that is in a set, and what creating the object does.
 */
#include "base/crc32c.h"
#include "core/core.h"

#define MAGIC 0x70616e736d656d67ULL /* "gmemsnap" */
#define VERSION 1

/* What all versions have: magic, version, header size, total size; and in the end the CRC. */
#define PREFIX_SIZE 24
#define HEADER_SIZE 40
#define CRC_SIZE 4

/* The sets: private, quarantine, the inhibits, the attributes. */
#define SET_INHIBIT 2
#define NR_FIXED_SETS (SET_INHIBIT + GMS_NR_INHIBITS)

static struct gms_rtree *set_of(const struct gms_state *s, unsigned int i)
{
	if (i >= NR_FIXED_SETS)
		return s->attr[i - NR_FIXED_SETS];
	if (i >= SET_INHIBIT)
		return s->inhibit[i - SET_INHIBIT];
	return i ? s->quarantine : s->private;
}

/* ---- saving ---- */

static uint8_t *put(uint8_t *to, uint64_t value, unsigned int size)
{
	for (; size; size--, value >>= 8)
		*to++ = (uint8_t)value;
	return to;
}

/* LEB128: 7 bits a byte, the low ones first; the high bit says that more follow. Its size. */
static size_t put_number(uint8_t *to, uint64_t value)
{
	size_t size = 0;

	for (; value > 0x7f; value >>= 7, size++)
		if (to)
			to[size] = (uint8_t)(value | 0x80);
	if (to)
		to[size] = (uint8_t)value;
	return size + 1;
}

/* The runs of one set, written unless @to is NULL. Their size. */
static size_t put_set(uint8_t *to, const struct gms_rtree *set, uint64_t nr_pages)
{
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;
	size_t size = 0;

#define PUT(value) (size += put_number(to ? to + size : NULL, value))
	gms_rtree_cursor_init(&cursor, set, 0, nr_pages);
	while (gms_rtree_cursor_next(&cursor, &run)) {
		if (!run.start && run.set)
			PUT(0); /* it begins with page 0 */
		PUT(run.nr_pages);
	}
#undef PUT
	return size;
}

static size_t measure(const struct gms_state *s) GMS_REQUIRES(gms_convert_lock)
{
	size_t size = HEADER_SIZE + CRC_SIZE;

	for (unsigned int i = 0; i < NR_FIXED_SETS + s->nr_attrs; i++)
		size += put_set(NULL, set_of(s, i), s->nr_pages);
	return size;
}

static void put_all(const struct gms_state *s, uint8_t *buf, size_t size)
	GMS_REQUIRES(gms_convert_lock)
{
	uint8_t *to = buf;

	to = put(to, MAGIC, 8);
	to = put(to, VERSION, 4);
	to = put(to, HEADER_SIZE, 4);
	to = put(to, size, 8);
	to = put(to, s->nr_pages, 8);
	to = put(to, s->folios.order, 1);
	to = put(to, s->nr_attrs, 1);
	to = put(to, 0, 6);
	for (unsigned int i = 0; i < NR_FIXED_SETS + s->nr_attrs; i++)
		to += put_set(to, set_of(s, i), s->nr_pages);
	gms_assert(to == buf + size - CRC_SIZE);
	put(to, gms_crc32c(buf, size - CRC_SIZE), CRC_SIZE);
}

/* Returns the size. What is too large for @size is not written. */
static size_t save(const struct gms_state *s, void *buf, size_t size) GMS_REQUIRES(gms_convert_lock)
{
	const size_t total = measure(s);

	if (buf && total <= size)
		put_all(s, buf, total);
	return total;
}

int gms_snapshot_save(const struct gms_state *state, void *buf, size_t size, size_t *needed)
{
	/* const for the caller: what a snapshot holds does not change; locks and counters do */
	struct gms_state *s = (struct gms_state *)state;
	const unsigned int how = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	size_t total;
	int err;

	if (!buf && size)
		return gms_refused(s, -EINVAL);
	err = gms_enter(s, how, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	if (gms_frozen(s)) {
		total = save(s, buf, size);
	} else { /* a guest's fault may inhibit pages */
		gms_shards_lock(s, GMS_ALL_SHARDS);
		total = save(s, buf, size);
		gms_shards_unlock(s, GMS_ALL_SHARDS);
	}
	(void)gms_leave(s, how, 0, s->nr_pages, 0);
	if (needed)
		*needed = total;
	/* too small is an answer, and no refusal that counts */
	return buf && total > size ? -ENOSPC : 0;
}

/* ---- reading ---- */

static uint64_t get(const uint8_t *from, unsigned int size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | from[size];
	return value;
}

/* What there is to read of the sets, and how far the one at hand was read. */
struct reader {
	const uint8_t *at, *end;
	uint64_t nr_pages;
	gms_pgoff_t page;
	bool set; /* of the next run */
};

static void read_set(struct reader *r)
{
	r->page = 0;
	r->set = false;
}

/* 2^40 takes 6 bytes. False: there is no number here, or not in its shortest form. */
static bool get_number(struct reader *r, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; shift < 42 && r->at < r->end; shift += 7) {
		const uint8_t byte = *r->at++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return byte || !shift;
	}
	return false;
}

/* The next run of a set that is not at its end. False: there is none, or it is not sound. */
static bool get_run(struct reader *r, struct gms_rtree_run *run)
{
	uint64_t nr_pages;

	if (!get_number(r, &nr_pages) || nr_pages > r->nr_pages - r->page)
		return false;
	/* a set that begins with page 0 says so with a run of 0 */
	if (!nr_pages && (r->page || r->set))
		return false;
	*run = (struct gms_rtree_run) {.start = r->page, .nr_pages = nr_pages, .set = r->set};
	r->page += nr_pages;
	r->set = !r->set;
	return true;
}

/* Read past a set. */
static bool skip_set(struct reader *r)
{
	struct gms_rtree_run run;

	for (read_set(r); r->page < r->nr_pages;)
		if (!get_run(r, &run))
			return false;
	return true;
}

/* Of two sets that are sound, is each page of one in the other? */
static bool is_within(struct reader set, struct reader other)
{
	struct gms_rtree_run a, b = {0};

	read_set(&set);
	read_set(&other);
	while (set.page < set.nr_pages) {
		if (!get_run(&set, &a))
			return false;
		if (!a.set)
			continue;
		while (b.start + b.nr_pages <= a.start)
			if (!get_run(&other, &b))
				return false;
		if (!b.set || b.start + b.nr_pages < a.start + a.nr_pages)
			return false;
	}
	return true;
}

/* The bytes are those that some version wrote. 0; -EBADMSG; -EPROTONOSUPPORT. */
static int check_whole(const uint8_t *buf, size_t size)
{
	uint64_t version;

	/* of what was damaged even the version means nothing: the CRC goes first */
	if (!buf || size < PREFIX_SIZE + CRC_SIZE || get(buf, 8) != MAGIC ||
	    get(buf + 16, 8) != size ||
	    get(buf + size - CRC_SIZE, CRC_SIZE) != gms_crc32c(buf, size - CRC_SIZE))
		return -EBADMSG;
	version = get(buf + 8, 4);
	return version > VERSION ? -EPROTONOSUPPORT : version == VERSION ? 0 : -EBADMSG;
}

struct header {
	uint64_t nr_pages;
	unsigned int folio_order, nr_attrs;
};

static bool get_header(const uint8_t *buf, size_t size, struct header *h)
{
	if (size < HEADER_SIZE + CRC_SIZE || get(buf + 12, 4) != HEADER_SIZE)
		return false;
	h->nr_pages = get(buf + 24, 8);
	h->folio_order = buf[32];
	h->nr_attrs = buf[33];
	return h->nr_pages && h->nr_pages <= GMS_MAX_PAGES &&
	       (h->folio_order == GMS_ORDER_4K || h->folio_order == GMS_ORDER_2M ||
		h->folio_order == GMS_ORDER_1G) &&
	       h->nr_attrs <= GMS_MAX_ATTRS && !get(buf + 34, 6);
}

/* Are they the sets of a state that can be, and is there nothing else? */
static bool check_sets(const struct reader *sets, const struct header *h)
{
	struct reader inhibit[GMS_NR_INHIBITS];
	struct reader r = *sets;

	for (unsigned int i = 0; i < NR_FIXED_SETS + h->nr_attrs; i++) {
		if (i >= SET_INHIBIT && i < NR_FIXED_SETS)
			inhibit[i - SET_INHIBIT] = r;
		if (!skip_set(&r))
			return false;
	}
	/* what is held to 4K is held to 2M as well */
	return r.at == r.end && is_within(inhibit[0], inhibit[1]);
}

/* ---- loading ---- */

static int load_set(struct gms_state *s, struct gms_rtree *set, struct reader *r)
{
	struct gms_rtree_run run;
	int err = 0;

	for (read_set(r); !err && r->page < r->nr_pages;) {
		if (!get_run(r, &run))
			return -EBADMSG;
		if (!run.set)
			continue;
		err = gms_rtree_set(set, run.start, run.nr_pages);
		/* what is mixed has a record, as if it had been converted */
		if (!err && set == s->private)
			err = gms_history_prepare(s, run.start, run.start + run.nr_pages);
	}
	return err;
}

static int load_sets(struct gms_state *s, struct reader *r, unsigned int nr_attrs)
{
	unsigned int id;
	int err = 0;

	for (unsigned int i = 0; !err && i < NR_FIXED_SETS + nr_attrs; i++) {
		if (i >= NR_FIXED_SETS)
			err = gms_attr_create(s, &id);
		if (!err)
			err = load_set(s, set_of(s, i), r);
	}
	if (err)
		return err;
	s->quarantined = gms_rtree_count(s->quarantine, 0, s->nr_pages);
	s->inhibited = gms_rtree_fill_range(s->inhibit[1], 0, s->nr_pages) != GMS_RTREE_NONE;
	return 0;
}

int gms_snapshot_load(const void *buf, size_t size, const struct gms_state_opts *opts,
		      struct gms_state **state)
{
	struct gms_state_opts o;
	struct gms_state *s;
	struct reader sets;
	struct header h;
	int err;

	if (!gms_state_opts_copy(&o, opts))
		return -EINVAL;
	err = check_whole(buf, size);
	if (err)
		return err;
	if (!get_header(buf, size, &h))
		return -EBADMSG;
	sets = (struct reader) {
		.at = (const uint8_t *)buf + HEADER_SIZE,
		.end = (const uint8_t *)buf + size - CRC_SIZE,
		.nr_pages = h.nr_pages,
	};
	if (!check_sets(&sets, &h))
		return -EBADMSG;
	if ((o.nr_pages && o.nr_pages != h.nr_pages) ||
	    (o.folio_order && o.folio_order != h.folio_order))
		return -EINVAL;
	o.nr_pages = h.nr_pages;
	o.folio_order = h.folio_order;
	o.flags &= ~GMS_INIT_PRIVATE; /* the private pages are set one run after the other */
	err = gms_state_create(&o, &s);
	if (err)
		return err;
	err = load_sets(s, &sets, h.nr_attrs);
	if (err) {
		gms_state_destroy(s);
		return err;
	}
	*state = s;
	return 0;
}
