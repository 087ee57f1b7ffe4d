// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * snapshot.c - saving a state object to bytes, and loading it: see docs/snapshot-format.md
 *
 *	| header | private | quarantine | inhibits | attributes | CRC |
 *
 * Each set of pages is a sequence of runs, alternately out of the set and in it. Invariants:
 *
 *  1. A state has one snapshot. Where the format allows several forms, loading accepts only the
 *     one that saving writes. So a state that was loaded is saved as the bytes that it came from.
 *  2. Saving allocates nothing. It walks over the sets twice, the first time to learn the size.
 *     Its locks keep the sets from changing: all convert locks and, unless the object is frozen,
 *     all invalidate locks.
 *  3. Loading trusts nothing. It checks all bytes before it allocates anything, and checks each
 *     run again when it stores the run. If another thread writes to the buffer meanwhile, the
 *     result may be another state or an error, but nothing is read or stored out of bounds.
 *  4. An object that is being loaded has no folios. So no hook is called if loading fails and the
 *     object is destroyed.
 *
 * Cost. Saving walks over each run twice. Loading reads the bytes three times, and the inhibits
 * four times: for the CRC, to check them, and to store the runs. It also creates the object.
 */
#include "base/crc32c.h"
#include "core/entry.h"
#include "core/history.h"
#include "state_opts.h"

#define SNAPSHOT_MAGIC 0x70616e736d656d67ULL /* "gmemsnap" */
#define SNAPSHOT_VERSION 1

/* Every version begins with magic, version, header size and total size, and ends with the CRC. */
#define SNAPSHOT_PREFIX_SIZE 24
#define SNAPSHOT_HEADER_SIZE 40
#define SNAPSHOT_CRC_SIZE 4

/* The sets are numbered as they follow each other: private, quarantine, inhibits, attributes. */
#define SNAPSHOT_INHIBIT 2
#define SNAPSHOT_FIXED_SETS (SNAPSHOT_INHIBIT + GMS_NR_INHIBITS)

static struct gms_rtree *snapshot_set(const struct gms_state *s, unsigned int i)
{
	if (i >= SNAPSHOT_FIXED_SETS)
		return s->attr[i - SNAPSHOT_FIXED_SETS];
	if (i >= SNAPSHOT_INHIBIT)
		return s->inhibit[i - SNAPSHOT_INHIBIT];
	return i ? s->quarantine : s->private;
}

/* ---- saving ---- */

/* Writes a number as @size bytes, the low byte first. Returns the place behind it. */
static uint8_t *snapshot_put(uint8_t *to, uint64_t value, unsigned int size)
{
	for (; size; size--, value >>= 8)
		*to++ = (uint8_t)value;
	return to;
}

/*
 * Writes a number as LEB128, unless @to is NULL: 7 bits a byte, the low bits first. The high bit
 * of a byte says that another byte follows. Returns the size.
 */
static size_t snapshot_put_number(uint8_t *to, uint64_t value)
{
	size_t size = 0;

	for (; value > 0x7f; value >>= 7, size++)
		if (to)
			to[size] = (uint8_t)(value | 0x80);
	if (to)
		to[size] = (uint8_t)value;
	return size + 1;
}

/* Writes the runs of a set, unless @to is NULL. Returns their size. */
static size_t snapshot_put_set(uint8_t *to, const struct gms_rtree *set, uint64_t nr_pages)
{
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;
	size_t size = 0;

	gms_rtree_cursor_init(&cursor, set, 0, nr_pages);
	while (gms_rtree_cursor_next(&cursor, &run)) {
		/* The first run is out of the set, and may be empty. */
		if (!run.start && run.set)
			size += snapshot_put_number(to, 0);
		size += snapshot_put_number(to ? to + size : NULL, run.nr_pages);
	}
	return size;
}

static size_t snapshot_measure(const struct gms_state *s) GMS_REQUIRES(gms_convert_lock)
{
	size_t size = SNAPSHOT_HEADER_SIZE + SNAPSHOT_CRC_SIZE;

	for (unsigned int i = 0; i < SNAPSHOT_FIXED_SETS + s->nr_attrs; i++)
		size += snapshot_put_set(NULL, snapshot_set(s, i), s->nr_pages);
	return size;
}

static void snapshot_put_all(const struct gms_state *s, uint8_t *buf, size_t size)
	GMS_REQUIRES(gms_convert_lock)
{
	uint8_t *to = buf;

	to = snapshot_put(to, SNAPSHOT_MAGIC, 8);
	to = snapshot_put(to, SNAPSHOT_VERSION, 4);
	to = snapshot_put(to, SNAPSHOT_HEADER_SIZE, 4);
	to = snapshot_put(to, size, 8);
	to = snapshot_put(to, s->nr_pages, 8);
	to = snapshot_put(to, s->folios.order, 1);
	to = snapshot_put(to, s->nr_attrs, 1);
	to = snapshot_put(to, 0, 6);
	for (unsigned int i = 0; i < SNAPSHOT_FIXED_SETS + s->nr_attrs; i++)
		to += snapshot_put_set(to, snapshot_set(s, i), s->nr_pages);
	gms_assert(to == buf + size - SNAPSHOT_CRC_SIZE);
	snapshot_put(to, gms_crc32c(buf, size - SNAPSHOT_CRC_SIZE), SNAPSHOT_CRC_SIZE);
}

/* Writes a snapshot if it fits into @size bytes. Returns its size. */
static size_t snapshot_save(const struct gms_state *s, void *buf, size_t size)
	GMS_REQUIRES(gms_convert_lock)
{
	const size_t total = snapshot_measure(s);

	if (buf && total <= size)
		snapshot_put_all(s, buf, total);
	return total;
}

int gms_snapshot_save(const struct gms_state *state, void *buf, size_t size, size_t *needed)
{
	/* The caller passes const, because saving changes locks and counters only. */
	struct gms_state *s = (struct gms_state *)state;
	const unsigned int flags = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	size_t total;
	int err;

	if (!buf && size)
		return gms_refused(s, gms_because(-EINVAL, "a buffer with a size is NULL"));
	err = gms_enter(s, flags, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	if (gms_load_relaxed(&s->frozen)) {
		total = snapshot_save(s, buf, size);
	} else { /* a guest fault could add inhibits meanwhile */
		gms_shards_lock_exclusive(s, GMS_ALL_SHARDS);
		total = snapshot_save(s, buf, size);
		gms_shards_unlock_exclusive(s, GMS_ALL_SHARDS);
	}
	(void)gms_leave(s, flags, 0, s->nr_pages, 0);
	if (needed)
		*needed = total;
	/* A buffer that is too small is no refusal, and is not counted. */
	return buf && total > size ? -ENOSPC : 0;
}

/* ---- reading ---- */

/* Reads a number of @size bytes, the low byte first. */
static uint64_t snapshot_get(const uint8_t *from, unsigned int size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | from[size];
	return value;
}

/* The bytes of the sets that are still to be read, and the place in the current set. */
struct snapshot_reader {
	const uint8_t *at, *end;
	uint64_t nr_pages;
	gms_pgoff_t page;
	bool set; /* the next run is in the set */
};

static void snapshot_begin_set(struct snapshot_reader *r)
{
	r->page = 0;
	r->set = false;
}

/* Reads a LEB128 number of 6 bytes at most. Returns false if its form is not the shortest one. */
static bool snapshot_get_number(struct snapshot_reader *r, uint64_t *value)
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

/* Reads the next run of a set that has not ended. Returns false if the bytes are not valid. */
static bool snapshot_get_run(struct snapshot_reader *r, struct gms_rtree_run *run)
{
	uint64_t nr_pages;

	if (!snapshot_get_number(r, &nr_pages) || nr_pages > r->nr_pages - r->page)
		return false;
	/* Only the first run may be empty: then page 0 is in the set. */
	if (!nr_pages && (r->page || r->set))
		return false;
	*run = (struct gms_rtree_run) {.start = r->page, .nr_pages = nr_pages, .set = r->set};
	r->page += nr_pages;
	r->set = !r->set;
	return true;
}

/* Reads past a set. Returns false if its bytes are not valid. */
static bool snapshot_skip_set(struct snapshot_reader *r)
{
	struct gms_rtree_run run;

	for (snapshot_begin_set(r); r->page < r->nr_pages;)
		if (!snapshot_get_run(r, &run))
			return false;
	return true;
}

/* Returns true if each page of a set is in another set. The bytes of both were checked. */
static bool snapshot_is_within(struct snapshot_reader set, struct snapshot_reader other)
{
	struct gms_rtree_run a, b = {0};

	snapshot_begin_set(&set);
	snapshot_begin_set(&other);
	while (set.page < set.nr_pages) {
		if (!snapshot_get_run(&set, &a))
			return false;
		if (!a.set)
			continue;
		while (b.start + b.nr_pages <= a.start)
			if (!snapshot_get_run(&other, &b))
				return false;
		if (!b.set || b.start + b.nr_pages < a.start + a.nr_pages)
			return false;
	}
	return true;
}

/*
 * Checks that the bytes are what a version of the library wrote. Returns 0, -EBADMSG, or
 * -EPROTONOSUPPORT for a version that is newer than this one.
 */
static int snapshot_check_whole(const uint8_t *buf, size_t size)
{
	uint64_t version;

	/* The CRC is checked before the version, because damage may have changed the version. */
	if (!buf || size < SNAPSHOT_PREFIX_SIZE + SNAPSHOT_CRC_SIZE ||
	    snapshot_get(buf, 8) != SNAPSHOT_MAGIC)
		return gms_because(-EBADMSG, "this is no snapshot");
	if (snapshot_get(buf + 16, 8) != size)
		return gms_because(-EBADMSG, "bytes are missing, or too many");
	if (snapshot_get(buf + size - SNAPSHOT_CRC_SIZE, SNAPSHOT_CRC_SIZE) !=
	    gms_crc32c(buf, size - SNAPSHOT_CRC_SIZE))
		return gms_because(-EBADMSG, "the checksum is wrong");
	version = snapshot_get(buf + 8, 4);
	if (version > SNAPSHOT_VERSION)
		return gms_because(-EPROTONOSUPPORT, NULL);
	if (version < SNAPSHOT_VERSION)
		return gms_because(-EBADMSG, "there is no such version");
	return 0;
}

struct snapshot_header {
	uint64_t nr_pages;
	unsigned int folio_order, nr_attrs;
};

static bool snapshot_get_header(const uint8_t *buf, size_t size, struct snapshot_header *h)
{
	if (size < SNAPSHOT_HEADER_SIZE + SNAPSHOT_CRC_SIZE ||
	    snapshot_get(buf + 12, 4) != SNAPSHOT_HEADER_SIZE)
		return false;
	h->nr_pages = snapshot_get(buf + 24, 8);
	h->folio_order = buf[32];
	h->nr_attrs = buf[33];
	return h->nr_pages && h->nr_pages <= GMS_MAX_PAGES && gms_order_is_valid(h->folio_order) &&
	       h->nr_attrs <= GMS_MAX_ATTRS && !snapshot_get(buf + 34, 6);
}

/* Returns true if the sets are those of a possible state, and no byte follows them. */
static bool snapshot_check_sets(const struct snapshot_reader *sets, const struct snapshot_header *h)
{
	struct snapshot_reader inhibit[GMS_NR_INHIBITS];
	struct snapshot_reader r = *sets;

	for (unsigned int i = 0; i < SNAPSHOT_FIXED_SETS + h->nr_attrs; i++) {
		if (i >= SNAPSHOT_INHIBIT && i < SNAPSHOT_FIXED_SETS)
			inhibit[i - SNAPSHOT_INHIBIT] = r;
		if (!snapshot_skip_set(&r))
			return false;
	}
	/* A page that is limited to 4K is also limited to 2M. */
	return r.at == r.end && snapshot_is_within(inhibit[0], inhibit[1]);
}

/* ---- loading ---- */

static int snapshot_load_set(struct gms_state *s, struct gms_rtree *set, struct snapshot_reader *r)
{
	struct gms_rtree_run run;
	int err = 0;

	for (snapshot_begin_set(r); !err && r->page < r->nr_pages;) {
		if (!snapshot_get_run(r, &run))
			return -EBADMSG;
		if (!run.set)
			continue;
		err = gms_rtree_set(set, run.start, run.nr_pages);
		/* A conversion would have made records for the blocks that are mixed now. */
		if (!err && set == s->private)
			err = gms_history_prepare(s, run.start, run.start + run.nr_pages);
	}
	return err;
}

static int snapshot_load_sets(struct gms_state *s, struct snapshot_reader *r, unsigned int nr_attrs)
{
	unsigned int id;
	int err = 0;

	for (unsigned int i = 0; !err && i < SNAPSHOT_FIXED_SETS + nr_attrs; i++) {
		if (i >= SNAPSHOT_FIXED_SETS)
			err = gms_attr_create(s, &id);
		if (!err)
			err = snapshot_load_set(s, snapshot_set(s, i), r);
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
	struct snapshot_reader sets;
	struct snapshot_header h;
	const char *why;
	int err;

	why = gms_state_opts_copy(&o, opts);
	if (why)
		return gms_because(-EINVAL, why);
	err = snapshot_check_whole(buf, size);
	if (err)
		return err;
	if (!snapshot_get_header(buf, size, &h))
		return gms_because(-EBADMSG, "a field of the header is not valid");
	sets = (struct snapshot_reader) {
		.at = (const uint8_t *)buf + SNAPSHOT_HEADER_SIZE,
		.end = (const uint8_t *)buf + size - SNAPSHOT_CRC_SIZE,
		.nr_pages = h.nr_pages,
	};
	if (!snapshot_check_sets(&sets, &h))
		return gms_because(-EBADMSG, "the runs of a set are not valid");
	if (o.nr_pages && o.nr_pages != h.nr_pages)
		return gms_because(-EINVAL, "the snapshot has another nr_pages than the options");
	if (o.folio_order && o.folio_order != h.folio_order)
		return gms_because(-EINVAL,
				   "the snapshot has another folio_order than the options");
	o.nr_pages = h.nr_pages;
	o.folio_order = h.folio_order;
	o.flags &= ~GMS_INIT_PRIVATE; /* the snapshot says which pages are private */
	err = gms_state_create(&o, &s);
	if (err)
		return err;
	err = snapshot_load_sets(s, &sets, h.nr_attrs);
	if (err) {
		gms_state_destroy(s);
		return err;
	}
	*state = s;
	return 0;
}
