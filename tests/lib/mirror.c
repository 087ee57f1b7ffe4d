// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mirror.c - a listener that checks each of its calls
 *
 * Without GMS_LISTENER_CONCURRENT the code takes no lock, so that ThreadSanitizer sees if the
 * library fails to serialise the calls.
 */
#include "mirror.h"

#include <inttypes.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_broken(struct mirror *m, const struct mirror_call *call, size_t run,
			const char *rule)
{
	pthread_mutex_lock(&lock);
	if (!*m->broken && run < call->count)
		snprintf(m->broken, sizeof(m->broken),
			 "granule %#" PRIx64 ", call %" PRIu64 ", run %zu of %zu [%#" PRIx64
			 ", %#" PRIx64 ") to %s: %s",
			 m->granule, call->number, run, call->count, call->runs[run].start,
			 call->runs[run].start + call->runs[run].nr_pages,
			 call->to == GMS_PRIVATE ? "private" : "shared", rule);
	else if (!*m->broken)
		snprintf(m->broken, sizeof(m->broken), "%s", rule);
	pthread_mutex_unlock(&lock);
}

/* ---- checking a call ---- */

static bool in_range(const struct mirror *m, const struct gms_run *run)
{
	return run->nr_pages && run->start >= m->start && run->nr_pages <= m->nr_pages &&
	       run->start - m->start <= m->nr_pages - run->nr_pages &&
	       (run->start - m->start) % m->granule == 0 && run->nr_pages % m->granule == 0;
}

/* Reads the first pages of the run one by one, and then the run as a whole. */
static bool is_shared(const struct mirror *m, const struct gms_run *run)
{
	uint64_t i;

	for (i = 0; i < run->nr_pages && i < 4 * T_2M; i++)
		if (gms_is_private(m->rig->state, run->start + i))
			return false;
	return gms_range_is(m->rig->state, run->start, run->nr_pages, GMS_SHARED);
}

static const char *check_held(const struct mirror *m, const struct gms_run *run,
			      enum gms_shareability to)
{
	const enum gms_rtree_fill held = oracle_fill_range(&m->held, run->start, run->nr_pages);

	if (to == GMS_SHARED && held != GMS_RTREE_NONE)
		return "notified of pages that it holds";
	if (to == GMS_PRIVATE && held != GMS_RTREE_ALL && !m->loose)
		return "withdraws pages that it does not hold";
	return NULL;
}

static const char *check_run(const struct mirror *m, const struct mirror_call *call, size_t i)
{
	const struct gms_run *run = &call->runs[i];

	if (run->shareability != call->to)
		return "the run has another shareability than the call";
	if (!in_range(m, run))
		return "the run does not consist of granules of the range";
	if (!(m->flags & GMS_LISTENER_CAN_SPLIT) && run->nr_pages != m->granule)
		return "the run is not one granule";
	if (i && run->start < run[-1].start + run[-1].nr_pages)
		return "runs do not ascend";
	if (i && (m->flags & GMS_LISTENER_CAN_SPLIT) &&
	    run->start == run[-1].start + run[-1].nr_pages)
		return "runs are not as long as possible";
	if (!is_shared(m, run))
		return "a page of the run is private";
	if (gms_seq_read(m->rig->state, run->start) % 2 ||
	    gms_seq_read(m->rig->state, run->start + run->nr_pages - 1) % 2)
		return "called under the invalidate lock";
	return check_held(m, run, call->to);
}

static void check_call(struct mirror *m, const struct mirror_call *call, const size_t *done)
{
	size_t i;

	if (!m->live)
		keep_broken(m, call, 0, "called while not registered");
	if (call->to != GMS_SHARED && call->to != GMS_PRIVATE)
		keep_broken(m, call, 0, "the call has an unknown shareability");
	if (!call->count || call->count > GMS_LISTENER_BATCH)
		keep_broken(m, call, call->count, "the call has no run, or more than a batch");
	if (*done)
		keep_broken(m, call, 0, "done is not 0 before the call");
	for (i = 0; i < call->count; i++) {
		const char *why = check_run(m, call, i);

		if (why)
			keep_broken(m, call, i, why);
	}
}

/* ---- what a mirror does in a call ---- */

static void note(struct mirror *m, const struct mirror_call *call)
{
	const struct gms_run *runs = call->runs;
	const bool split = m->flags & GMS_LISTENER_CAN_SPLIT;
	size_t i;

	if (m->nr_events && runs[0].start < m->end + split)
		m->untidy++;
	for (i = 0; i < call->count; i++) {
		if (m->nr_events < MIRROR_EVENTS)
			m->events[m->nr_events] = (struct mirror_event) {
				call->to, runs[i].start, runs[i].nr_pages, call->number};
		m->nr_events++;
	}
	m->end = runs[i - 1].start + runs[i - 1].nr_pages;
}

/* Returns the error of a call that the plan refuses, and sets *done to the runs taken over. */
static int refuse(struct mirror *m, const struct mirror_call *call, size_t *done)
{
	struct mirror_plan *plan = m->plan;
	size_t i;

	for (i = 0; plan && i < 2; i++) {
		const struct mirror_refusal *r = &plan->refusal[i];

		if (call->number < r->from || call->number >= r->to ||
		    (r->mirror && r->mirror != m))
			continue;
		plan->refused[i]++;
		if (r->done == DONE_NONE)
			*done = 0;
		else if (r->done == DONE_HALF)
			*done = call->count / 2;
		else if (r->done == DONE_BUT_ONE)
			*done = call->count - 1;
		if ((i || plan->failed) && call->to == GMS_PRIVATE)
			m->loose = true;
		return r->err;
	}
	return 0;
}

static void unpin(struct mirror *m, const struct gms_run *run)
{
	const uint64_t end = run->start + run->nr_pages;
	struct gms_rtree_run r;
	uint64_t at;

	for (at = run->start; oracle_next(&m->held, at, end, &r); at = r.start + r.nr_pages)
		if (r.set)
			gms_unpin(m->rig->state, r.start, r.nr_pages);
}

static int do_runs(struct mirror *m, const struct mirror_call *call, size_t *done)
{
	const bool add = call->to == GMS_SHARED;
	int err = 0;
	size_t i;

	for (i = 0; !err && i < *done; i++) {
		const struct gms_run *run = &call->runs[i];

		if (m->pins && add)
			err = gms_pin(m->rig->state, run->start, run->nr_pages, NULL);
		else if (m->pins)
			unpin(m, run);
		if (!err)
			oracle_store(&m->held, run->start, run->nr_pages, add);
	}
	*done = err ? i - 1 : i;
	return err;
}

static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct mirror *m = ctx;
	struct mirror_call call = {to, runs, count, 0};
	const bool concurrent = m->flags & GMS_LISTENER_CONCURRENT;
	size_t did = count;
	int err, pin_err;

	if (m->plan)
		call.number = atomic_fetch_add_explicit(&m->plan->calls, 1, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&m->inside, 1, memory_order_relaxed) && !concurrent)
		keep_broken(m, &call, 0, "called during another call");
	check_call(m, &call, done);
	if (m->hook)
		m->hook(m, &call);
	if (concurrent)
		pthread_mutex_lock(&lock);
	m->calls++;
	note(m, &call);
	err = refuse(m, &call, &did);
	if (concurrent)
		pthread_mutex_unlock(&lock);
	pin_err = do_runs(m, &call, &did);
	if (!err)
		err = pin_err;
	if (err && m->plan)
		m->plan->failed = true;
	*done = err ? did : call.number % (count + 1); /* on success the library ignores *done */
	atomic_fetch_sub_explicit(&m->inside, 1, memory_order_relaxed);
	return err;
}

/* ---- set-up ---- */

void mirror_init(struct mirror *m, struct rig *rig, struct mirror_plan *plan, uint64_t start,
		 uint64_t nr_pages, uint64_t granule, unsigned int flags)
{
	memset(m, 0, sizeof(*m));
	m->rig = rig;
	m->plan = plan;
	m->start = start;
	m->nr_pages = nr_pages;
	m->granule = granule;
	m->flags = flags;
	oracle_init(&m->held, rig->nr_pages, false);
}

void mirror_fini(struct mirror *m)
{
	if (*m->broken)
		fail_msg("%s", m->broken);
	assert_false(m->live);
	assert_int_equal(oracle_count(&m->held, 0, m->held.nr_pages), 0);
	oracle_fini(&m->held);
}

int mirror_register(struct mirror *m)
{
	const struct gms_listener_ops ops = {sizeof(ops), m->flags, change};
	int err;

	m->live = true;
	m->id = 0x77777777;
	err = gms_listener_register(m->rig->state, &ops, m, m->start, m->nr_pages, m->granule,
				    &m->id);
	if (err) {
		m->live = false;
		if (m->id != 0x77777777)
			snprintf(m->broken, sizeof(m->broken), "the id is written on failure");
	}
	return err;
}

int mirror_unregister(struct mirror *m)
{
	const int err = gms_listener_unregister(m->rig->state, m->id);

	if (!err)
		m->live = false;
	return err;
}

void mirror_drop(struct mirror *m)
{
	const struct gms_run all = {0, m->rig->nr_pages, GMS_SHARED};

	assert_false(m->live);
	if (m->pins)
		unpin(m, &all);
	oracle_store(&m->held, 0, m->rig->nr_pages, false);
}

/* ---- at rest ---- */

static bool has_quarantined(const struct mirror *m, uint64_t start)
{
	uint64_t i;

	for (i = 0; i < m->granule; i++)
		if (gms_is_quarantined(m->rig->state, start + i))
			return true;
	return false;
}

/* Returns true if a page of the granule is private. */
static bool has_private(const struct mirror *m, uint64_t start)
{
	const struct gms_run run = {start, m->granule, GMS_SHARED};

	return !is_shared(m, &run);
}

const char *mirror_differs(struct mirror *m)
{
	const bool quarantine = rig_stats(m->rig).quarantined_pages;
	uint64_t at;

	for (at = m->start; !*m->broken && at < m->start + m->nr_pages; at += m->granule) {
		const enum gms_rtree_fill held = oracle_fill_range(&m->held, at, m->granule);
		const bool quarantined = quarantine && has_quarantined(m, at);
		const bool want = m->live && !quarantined && !has_private(m, at);

		if (want ? held == GMS_RTREE_ALL : held == GMS_RTREE_NONE)
			continue;
		if (quarantined && m->loose)
			continue;
		snprintf(m->broken, sizeof(m->broken), "granule %#" PRIx64 " at %#" PRIx64 "%s: %s",
			 m->granule, at, quarantined ? ", quarantined" : "",
			 want ? "the mirror does not hold it" : "the mirror holds pages of it");
	}
	return *m->broken ? m->broken : NULL;
}

void mirror_check(struct mirror *m)
{
	if (!rig_stats(m->rig).quarantined_pages)
		m->loose = false;
	assert_fine(mirror_differs(m));
	assert_int_equal(atomic_load(&m->inside), 0);
}

/* ---- events ---- */

void mirror_forget(struct mirror *m)
{
	m->nr_events = 0;
	m->untidy = 0;
	m->end = 0;
}

void mirror_tidy(const struct mirror *m)
{
	assert_int_equal(m->untidy, 0);
}

static void print_event(const char *what, const struct mirror_event *event)
{
	print_error("%s %s [%#" PRIx64 ", %#" PRIx64 ")\n", what,
		    event->to == GMS_SHARED ? "NOTIFY" : "WITHDRAW", event->start,
		    event->start + event->nr_pages);
}

void mirror_expect(struct mirror *m, const struct mirror_event *want, size_t count)
{
	size_t i;

	for (i = 0; i < count || i < m->nr_events; i++) {
		const struct mirror_event *was = &m->events[i];

		assert_true(i < MIRROR_EVENTS);
		if (i < count && i < m->nr_events && was->to == want[i].to &&
		    was->start == want[i].start && was->nr_pages == want[i].nr_pages)
			continue;
		if (i < m->nr_events)
			print_event("unexpected:", was);
		if (i < count)
			print_event("missing:", &want[i]);
		fail_msg("event %zu of %" PRIu64 " differs", i, m->nr_events);
	}
}

/* ---- plans ---- */

static void plan_set(struct mirror_plan *plan, unsigned int i, struct mirror_refusal refusal)
{
	const uint64_t now = atomic_load(&plan->calls);

	refusal.from += now;
	refusal.to = refusal.to > UINT64_MAX - now ? UINT64_MAX : refusal.to + now;
	plan->refusal[i] = refusal;
	plan->refused[i] = 0;
	plan->failed = false;
}

void plan_refuse(struct mirror_plan *plan, uint64_t from, uint64_t to, int err,
		 enum mirror_done done)
{
	plan_set(plan, 0, (struct mirror_refusal) {NULL, from, to, err, done});
}

void plan_refuse_undo(struct mirror_plan *plan, uint64_t from, uint64_t to, int err,
		      enum mirror_done done)
{
	plan_set(plan, 1, (struct mirror_refusal) {NULL, from, to, err, done});
}

void plan_refuse_none(struct mirror_plan *plan)
{
	plan->refusal[0] = plan->refusal[1] = (struct mirror_refusal) {0};
}

/* ---- halls ---- */

void hall_init(struct hall *h, const struct rig_opts *opts, unsigned int order, uint64_t start,
	       uint64_t end)
{
	unsigned int i;

	memset(&h->plan, 0, sizeof(h->plan));
	rig_init(&h->rig, opts);
	oracle_init(&h->private, opts->nr_pages, opts->init_private);
	mirror_init(&h->mirror[0], &h->rig, &h->plan, start, end - start, 1,
		    GMS_LISTENER_CAN_SPLIT);
	mirror_init(&h->mirror[1], &h->rig, &h->plan, start + 16, end - start - 40, 8, 0);
	h->mirror[1].pins = true;
	mirror_init(&h->mirror[2], &h->rig, &h->plan, start, end - start, T_2M,
		    order ? 0 : GMS_LISTENER_CAN_SPLIT);
	for (i = 0; i < HALL_MIRRORS; i++) {
		struct mirror *m = &h->mirror[order ? HALL_MIRRORS - 1 - i : i];

		assert_int_equal(mirror_register(m), 0);
	}
}

void hall_fini(struct hall *h)
{
	unsigned int i;

	hall_check(h);
	for (i = 0; i < HALL_MIRRORS; i++) {
		assert_int_equal(mirror_unregister(&h->mirror[i]), 0);
		mirror_check(&h->mirror[i]);
		mirror_fini(&h->mirror[i]);
	}
	assert_int_equal(rig_stats(&h->rig).listeners, 0);
	assert_int_equal(rig_stats(&h->rig).surplus_unpins, 0);
	assert_false(gms_first_pin(h->rig.state, 0, h->rig.nr_pages, NULL));
	oracle_fini(&h->private);
	rig_fini(&h->rig);
}

int hall_convert(struct hall *h, uint64_t start, uint64_t nr_pages, enum gms_shareability to,
		 unsigned int flags, gms_pgoff_t *err_index)
{
	gms_pgoff_t at = UINT64_MAX;
	const int rc = gms_convert(h->rig.state, start, nr_pages, to, flags, &at);

	if (!rc) {
		assert_true(at == UINT64_MAX);
		oracle_store(&h->private, start, nr_pages, to == GMS_PRIVATE);
	} else {
		assert_true(at >= start && at - start < nr_pages);
		if (flags & GMS_CONVERT_RESUMABLE && at > start)
			oracle_store(&h->private, start, at - start, to == GMS_PRIVATE);
	}
	if (err_index)
		*err_index = at;
	return rc;
}

void hall_converts(struct hall *h, uint64_t start, uint64_t nr_pages, enum gms_shareability to)
{
	assert_int_equal(hall_convert(h, start, nr_pages, to, 0, NULL), 0);
}

void hall_check_mirrors(struct hall *h)
{
	unsigned int i;

	for (i = 0; i < HALL_MIRRORS; i++)
		mirror_check(&h->mirror[i]);
}

void hall_check(struct hall *h)
{
	const bool quarantine = rig_stats(&h->rig).quarantined_pages;
	struct gms_state *s = h->rig.state;
	uint64_t i;

	hall_check_mirrors(h);
	rig_check(&h->rig);
	rig_forget(&h->rig);
	for (i = 0; i < h->rig.nr_pages; i++) {
		if (gms_is_private(s, i) != oracle_test(&h->private, i) &&
		    !(quarantine && gms_is_quarantined(s, i)))
			fail_msg("page %#llx is %s", (unsigned long long)i,
				 gms_is_private(s, i) ? "private" : "shared");
	}
}

bool hall_quarantined(const struct hall *h, uint64_t *start, uint64_t *nr_pages)
{
	const struct gms_state *s = h->rig.state;
	uint64_t end;

	while (*start < h->rig.nr_pages && !gms_is_quarantined(s, *start))
		++*start;
	for (end = *start; gms_is_quarantined(s, end);)
		end++;
	*nr_pages = end - *start;
	return *nr_pages;
}

int hall_repair(struct hall *h, uint64_t start, uint64_t nr_pages, enum gms_shareability to)
{
	int rc;

	assert_int_equal(sim_set(h->rig.sim, start, nr_pages, to), 0);
	rc = gms_repair(h->rig.state, start, nr_pages, to);
	if (!rc)
		oracle_store(&h->private, start, nr_pages, to == GMS_PRIVATE);
	return rc;
}

void hall_repair_all(struct hall *h, enum hall_repair mode)
{
	uint64_t start = 0, nr_pages, turn = 0;

	while (hall_quarantined(h, &start, &nr_pages)) {
		enum gms_shareability to = mode == REPAIR_PRIVATE ? GMS_PRIVATE : GMS_SHARED;
		uint64_t i;

		if (mode == REPAIR_PIECES && nr_pages > 5 + turn % 7) {
			nr_pages = 5 + turn % 7;
			to = turn++ % 2 ? GMS_PRIVATE : GMS_SHARED;
		}
		for (i = 1; mode == REPAIR_AS_IS && i < nr_pages; i++)
			if (gms_is_private(h->rig.state, start + i) !=
			    gms_is_private(h->rig.state, start))
				nr_pages = i;
		if (mode == REPAIR_AS_IS)
			to = gms_is_private(h->rig.state, start) ? GMS_PRIVATE : GMS_SHARED;
		assert_int_equal(hall_repair(h, start, nr_pages, to), 0);
		start += nr_pages;
		hall_check_mirrors(h);
	}
	assert_int_equal(rig_stats(&h->rig).quarantined_pages, 0);
	hall_check(h);
}
