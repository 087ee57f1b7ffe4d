// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * machine.c - the memory: messages, views, and what an access may do
 *
 * This is the view machine of "A promising semantics for relaxed-memory concurrency" (Kang, Hur,
 * Lahav, Vafeiadis, Dreyer) without promises, which is equivalent to RC11 without load buffering.
 *
 *	message		a store. The messages of a location have an order, the modification order.
 *	view		of each location a message, which a thread that has the view must not overlook.
 *
 *	load		reads the message of the thread's view of the location, or any newer one.
 *			The view moves to that message. Acquire: the message's own view is added
 *			to the thread's. Relaxed: it is kept aside for a later acquire fence.
 *	store		puts a message anywhere after the one in the thread's view, but not between
 *			a read-modify-write and what that read. Release: the message gets the
 *			thread's view. Relaxed: it gets the view as of the last release fence.
 *	rmw		reads a message that no other rmw has read, and puts its own right behind
 *			it. That has the view of the message read as well: rmws continue a release
 *			sequence. A relaxed store does not have the view of earlier stores of the
 *			same thread (C++20; C11 let it continue the release sequence).
 *	lock		an rmw of the last message, which must say "unlocked"; acquire
 *	unlock		a release store, which comes last
 *
 * A view also has clocks: the events of each thread that happen before. Plain accesses, which
 * have no messages, are checked with these; see memory.c.
 *
 * Which events there may be at all is up to the program, and in which order they are made to
 * explore.c.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"

struct weak_machine weak;

void weak_machine_reset(unsigned int nr_threads)
{
	weak.nr_threads = nr_threads;
	weak.nr_locations = 0;
	weak.nr_messages = 1;
	weak.nr_reads = 1;
	weak.self = NULL;
	memset(weak.thread, 0, sizeof(weak.thread));
	for (unsigned int i = 0; i < WEAK_THREADS; i++)
		weak.thread[i].id = (uint8_t)i;
}

/* ---- views ---- */

static unsigned int pos_of(uint16_t message)
{
	return weak.message[message].pos;
}

static void join_clock(uint16_t *to, const uint16_t *from)
{
	for (unsigned int i = 0; i < WEAK_THREADS; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

static void join(struct weak_view *to, const struct weak_view *from)
{
	for (unsigned int i = 0; i < weak.nr_locations; i++)
		if (pos_of(from->at[i]) > pos_of(to->at[i]))
			to->at[i] = from->at[i];
	join_clock(to->clock, from->clock);
}

/* ---- plain memory ---- */

static uint64_t mask_of(size_t size)
{
	return size == 8 ? ~0ULL : (1ULL << size * 8) - 1;
}

static uint64_t memory_load(const void *p, size_t size)
{
	uint8_t v1;
	uint32_t v4;
	uint64_t v8;

	switch (size) {
	case 1:
		memcpy(&v1, p, 1);
		return v1;
	case 4:
		memcpy(&v4, p, 4);
		return v4;
	case 8:
		memcpy(&v8, p, 8);
		return v8;
	}
	weak_fail("an atomic access of %zu bytes", size);
}

static void memory_store(void *p, size_t size, uint64_t value)
{
	const uint8_t v1 = (uint8_t)value;
	const uint32_t v4 = (uint32_t)value;

	switch (size) {
	case 1:
		memcpy(p, &v1, 1);
		return;
	case 4:
		memcpy(p, &v4, 4);
		return;
	case 8:
		memcpy(p, &value, 8);
		return;
	}
	weak_fail("an atomic access of %zu bytes", size);
}

/* ---- locations and messages ---- */

static uint16_t new_message(const struct weak_location *l, uint8_t thread)
{
	struct weak_message *m;

	if (weak.nr_messages == WEAK_MESSAGES || l->nr == WEAK_MESSAGES / 4)
		weak_fail("more messages than the checker has room for");
	m = &weak.message[weak.nr_messages];
	memset(m, 0, sizeof(*m));
	m->location = (uint16_t)(l - weak.location);
	m->thread = thread;
	return (uint16_t)weak.nr_messages++;
}

static void insert(struct weak_location *l, uint16_t message, unsigned int pos)
{
	for (unsigned int i = l->nr; i > pos; i--) {
		l->order[i] = l->order[i - 1];
		weak.message[l->order[i]].pos = (uint16_t)i;
	}
	l->order[pos] = message;
	weak.message[message].pos = (uint16_t)pos;
	l->nr++;
	l->newest = message;
}

static struct weak_location *new_location(const void *p, size_t size)
{
	struct weak_location *l = &weak.location[weak.nr_locations];
	struct weak_message *m;
	uint16_t first;

	if (weak.nr_locations == WEAK_LOCATIONS)
		weak_fail("more atomic objects than the checker has room for");
	memset(l, 0, sizeof(*l));
	l->p = (unsigned char *)p;
	l->size = (uint8_t)size;
	weak.nr_locations++;
	first = new_message(l, WEAK_SETUP);
	m = &weak.message[first];
	m->unknown = weak_memory_unknown(p, size);
	m->value = memory_load(p, size);
	insert(l, first, 0);
	weak_memory_location(p, size, weak.nr_locations);
	return l;
}

static struct weak_location *find_location(const void *p, size_t size)
{
	const unsigned char *at = p;

	for (unsigned int i = 0; i < weak.nr_locations; i++) {
		struct weak_location *l = &weak.location[i];
		struct weak_message *last;

		if (at >= l->p + l->size || at + size <= l->p)
			continue;
		if (at != l->p || size != l->size)
			weak_fail("an object of %u bytes is accessed as one of %zu", l->size, size);
		last = &weak.message[l->newest];
		if (last->plain) {
			last->plain = false;
			last->value = memory_load(p, size);
		}
		return l;
	}
	return new_location(p, size);
}

/* ---- traces ---- */

static void name_of(const void *p, char *name, size_t size)
{
	const char *known = weak.describe ? weak.describe(p) : NULL;

	if (known)
		snprintf(name, size, "%s", known);
	else if (!weak_memory_name(p, name, size))
		snprintf(name, size, "%p", p);
}

static const char *const order_names[] = {"relaxed", "acquire", "release", "acq_rel"};

static void trace(const char *what, enum weak_order order, const void *p,
		  const struct weak_site *site)
{
	const struct weak_thread *t = weak.self;
	char name[64] = "";

	if (p)
		name_of(p, name, sizeof(name));
	printf("  T%u.%-3u %-7s %-7s %-24s", t->id, t->event, what, order_names[order], name);
	if (site)
		printf(" %s:%u",
		       strrchr(site->file, '/') ? strrchr(site->file, '/') + 1 : site->file,
		       site->line);
	printf("\n");
}

static void trace_message(const char *what, uint16_t message)
{
	const struct weak_message *m = &weak.message[message];

	printf("         %s %#llx, ", what, (unsigned long long)m->value);
	if (m->thread == WEAK_SETUP)
		printf("the initial value\n");
	else
		printf("T%u.%u, number %u of %u\n", m->thread, m->event, m->pos,
		       weak.location[m->location].nr - 1);
}

/* ---- what an access may do ---- */

enum filter { ANY, RMW, CMPXCHG, LOCK };

/* An rmw may read a message only if no other one did. */
static bool was_taken(const struct weak_location *l, unsigned int pos)
{
	return pos + 1 < l->nr && weak.message[l->order[pos + 1]].rmw;
}

static bool may_read(const struct weak_location *l, unsigned int pos, enum filter filter,
		     uint64_t old)
{
	const struct weak_message *m = &weak.message[l->order[pos]];

	switch (filter) {
	case ANY:
		return true;
	case RMW:
		return !was_taken(l, pos);
	case CMPXCHG:
		return m->value != old || !was_taken(l, pos);
	case LOCK:
		return pos + 1u == l->nr && !m->value;
	}
	return false;
}

static void note_read(struct weak_location *l, uint16_t low, uint16_t node, bool rmw)
{
	struct weak_read *r = &weak.read[weak.nr_reads];

	if (weak.nr_reads == WEAK_READS)
		weak_fail("more loads than the checker has room for");
	r->next = l->reads;
	r->event = weak.self->event;
	r->node = node;
	r->low = low;
	r->thread = weak.self->id;
	r->rmw = rmw;
	l->reads = (uint16_t)weak.nr_reads++;
}

/*
 * Chooses the message that the running thread reads. Waits for a new one where explore.c says so,
 * or where there is none yet.
 */
static uint16_t choose_message(struct weak_location *l, enum filter filter, uint64_t old)
{
	struct weak_thread *t = weak.self;
	const unsigned int index = (unsigned int)(l - weak.location);
	uint16_t found[WEAK_MESSAGES / 4], mark = 0;

	t->state = WEAK_LOCKING;
	for (;;) {
		const uint16_t low = t->now.at[index];
		unsigned int nr = 0;

		for (unsigned int pos = l->nr; pos-- > pos_of(low);)
			if (l->order[pos] >= mark && may_read(l, pos, filter, old))
				found[nr++] = l->order[pos];
		if (nr) {
			uint16_t node;
			const unsigned int choice = weak_choose(nr, &node);

			if (choice != WEAK_WAIT) {
				const uint16_t m = found[choice];

				note_read(l, low, node,
					  filter == RMW || filter == LOCK ||
						  (filter == CMPXCHG &&
						   weak.message[m].value == old));
				t->state = WEAK_READY;
				return m;
			}
			t->state = WEAK_WAITING;
		}
		mark = (uint16_t)weak.nr_messages;
		t->location = (uint16_t)index;
		t->mark = mark;
		weak_yield();
	}
}

bool weak_can_run(const struct weak_thread *t)
{
	switch (t->state) {
	case WEAK_READY:
		return true;
	case WEAK_WAITING:
	case WEAK_LOCKING:
		return weak.location[t->location].newest >= t->mark;
	case WEAK_DONE:
		return false;
	}
	return false;
}

/*
 * A store to @l is about to be made, or was. Loads of other threads that do not come before it
 * could have waited for it. @message is 0 where it may have been prevented by an rmw of another
 * thread: then only those are told.
 */
static void wake_reads(const struct weak_location *l, uint16_t message, const uint16_t *cause)
{
	for (uint16_t i = l->reads; i; i = weak.read[i].next) {
		const struct weak_read *r = &weak.read[i];

		if (r->thread == weak.self->id || r->event <= cause[r->thread])
			continue;
		if (message ? pos_of(message) > pos_of(r->low) : r->rmw)
			weak_want_wait(r->node);
	}
}

static struct weak_location *access_begin(const void *p, size_t size, bool write)
{
	struct weak_thread *t = weak.self;
	struct weak_location *l;

	weak_memory_atomic(p, size, write);
	l = find_location(p, size);
	t->event++;
	t->cause[t->id] = t->now.clock[t->id] = t->event;
	(write ? l->stores : l->loads)[t->id] = t->event;
	return l;
}

static void read_message(uint16_t message, enum weak_order order)
{
	const struct weak_message *m = &weak.message[message];
	struct weak_thread *t = weak.self;

	if (m->unknown)
		weak_fail("a load of memory that was never written");
	if (m->pos > pos_of(t->now.at[m->location]))
		t->now.at[m->location] = message;
	join_clock(t->cause, m->cause);
	weak.last_read = message;
	join(order & WEAK_ACQUIRE ? &t->now : &t->acquired, &m->view);
}

/* Puts a message at @pos. @from is the message that it continues the release sequence of, or 0. */
static void write_message(struct weak_location *l, unsigned int pos, uint64_t value,
			  enum weak_order order, uint16_t from)
{
	struct weak_thread *t = weak.self;
	const uint16_t message = new_message(l, t->id);
	struct weak_message *m = &weak.message[message];

	m->value = value & mask_of(l->size);
	m->event = t->event;
	m->rmw = from != 0;
	insert(l, message, pos);
	memcpy(m->cause, t->cause, sizeof(m->cause));
	t->now.at[m->location] = message;
	m->view = order & WEAK_RELEASE ? t->now : t->released;
	m->view.at[m->location] = message;
	if (from)
		join(&m->view, &weak.message[from].view);
	if (m->pos + 1u == l->nr)
		memory_store(l->p, l->size, m->value);
	if (weak.tracing)
		trace_message(from ? "puts" : "stores", message);
}

uint64_t weak_load(const void *p, size_t size, enum weak_order order, const struct weak_site *site)
{
	struct weak_location *l;
	uint16_t m;

	if (!weak.self) {
		weak_memory_direct(p, size, false);
		return memory_load(p, size);
	}
	order = weak_effective_order(order, site);
	l = access_begin(p, size, false);
	m = choose_message(l, ANY, 0);
	if (weak.tracing) {
		trace("load", order, p, site);
		trace_message("reads", m);
	}
	read_message(m, order);
	return weak.message[m].value;
}

/* Chooses where a store goes: the newest place first. */
static unsigned int choose_place(const struct weak_location *l)
{
	const uint16_t low = weak.self->now.at[l - weak.location];
	uint16_t found[WEAK_MESSAGES / 4];
	unsigned int nr = 0;

	for (unsigned int pos = l->nr; pos > pos_of(low); pos--)
		if (!was_taken(l, pos - 1))
			found[nr++] = (uint16_t)pos;
	return found[nr > 1 ? weak_choose(nr, NULL) : 0];
}

void weak_store(void *p, size_t size, uint64_t value, enum weak_order order,
		const struct weak_site *site)
{
	struct weak_location *l;

	if (!weak.self) {
		weak_memory_direct(p, size, true);
		memory_store(p, size, value);
		return;
	}
	order = weak_effective_order(order, site);
	l = access_begin(p, size, true);
	if (weak.tracing)
		trace("store", order, p, site);
	write_message(l, choose_place(l), value, order, 0);
	wake_reads(l, l->newest, weak.self->cause);
}

static uint64_t rmw(void *p, size_t size, enum filter filter, uint64_t old, uint64_t value,
		    enum weak_order order, const struct weak_site *site)
{
	struct weak_location *l;
	uint16_t cause[WEAK_THREADS], m;
	uint64_t found;

	order = weak_effective_order(order, site);
	l = access_begin(p, size, true);
	memcpy(cause, weak.self->cause, sizeof(cause));
	m = choose_message(l, filter, old);
	if (weak.tracing) {
		trace(filter == LOCK ? "lock" : "rmw", order, p, site);
		trace_message("reads", m);
	}
	read_message(m, order);
	found = weak.message[m].value;
	if (filter == CMPXCHG && found != old) {
		wake_reads(l, 0, cause);
		return found;
	}
	write_message(l, weak.message[m].pos + 1u, filter == RMW ? found + value : value, order, m);
	wake_reads(l, l->newest, cause);
	return found;
}

uint64_t weak_add(void *p, size_t size, uint64_t value, enum weak_order order,
		  const struct weak_site *site)
{
	if (!weak.self) {
		const uint64_t found = memory_load(p, size);

		weak_memory_direct(p, size, true);
		memory_store(p, size, found + value);
		return found;
	}
	return rmw(p, size, RMW, 0, value, order, site);
}

uint64_t weak_cmpxchg(void *p, size_t size, uint64_t old, uint64_t value, enum weak_order order,
		      const struct weak_site *site)
{
	old &= mask_of(size);
	if (!weak.self) {
		const uint64_t found = memory_load(p, size);

		weak_memory_direct(p, size, true);
		if (found == old)
			memory_store(p, size, value);
		return found;
	}
	return rmw(p, size, CMPXCHG, old, value, order, site);
}

void weak_fence(enum weak_order order, const struct weak_site *site)
{
	struct weak_thread *t = weak.self;

	if (!t)
		return;
	order = weak_effective_order(order, site);
	t->event++;
	t->cause[t->id] = t->now.clock[t->id] = t->event;
	if (order & WEAK_ACQUIRE)
		join(&t->now, &t->acquired);
	if (order & WEAK_RELEASE)
		t->released = t->now;
	if (weak.tracing)
		trace("fence", order, NULL, site);
}

void weak_lock(struct weak_mutex *mutex)
{
	if (!weak.self)
		weak_fail("a lock outside of all threads");
	rmw(&mutex->locked, sizeof(mutex->locked), LOCK, 0, 1, WEAK_ACQUIRE, NULL);
}

void weak_unlock(struct weak_mutex *mutex)
{
	const struct weak_location *l;
	const struct weak_message *last;

	if (!weak.self)
		weak_fail("an unlock outside of all threads");
	l = find_location(&mutex->locked, sizeof(mutex->locked));
	last = &weak.message[l->order[l->nr - 1]];
	if (last->thread != weak.self->id || !last->value)
		weak_fail("an unlock by a thread that does not hold the lock");
	weak_store(&mutex->locked, sizeof(mutex->locked), 0, WEAK_RELEASE, NULL);
}

/*
 * The store is ordered with all other accesses, or memory.c has found the race. So it comes last.
 * Its value is not known yet: the callback comes before the store.
 */
void weak_plain_message(struct weak_location *l)
{
	struct weak_thread *t = weak.self;
	uint16_t message;

	if (weak.message[l->newest].plain && weak.message[l->newest].thread == t->id)
		return;
	message = new_message(l, t->id);
	insert(l, message, l->nr);
	weak.message[message].plain = true;
	weak.message[message].event = t->event;
	t->now.at[weak.message[message].location] = message;
	memcpy(weak.message[message].cause, t->cause, sizeof(t->cause));
	weak.message[message].view = t->now;
}

/* ---- time ---- */

void weak_now(struct weak_time *time)
{
	time->thread = weak.self->id;
	time->here = weak.self->event;
	memcpy(time->before, weak.self->now.clock, sizeof(time->before));
}

/*
 * @a is a point after its thread's event @a->here. Another thread knows of that point if it
 * synchronised with a later event.
 */
bool weak_happens_before(const struct weak_time *a, const struct weak_time *b)
{
	if (a->thread == b->thread)
		return a->here <= b->here;
	return b->before[a->thread] > a->here;
}
