// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * machine.c - the memory: messages, views, and what an access may do
 *
 * This is the view machine of "A promising semantics for relaxed-memory concurrency" (Kang, Hur,
 * Lahav, Vafeiadis, Dreyer) without promises. It is equivalent to RC11 without load buffering.
 *
 *	message		a store. The messages of a location have an order, the modification order.
 *	view		has a message of each location. A thread with this view must not read an
 *			older one.
 *
 *	load		reads the message of the location in the thread's view, or a newer one. The
 *			view moves to the message that was read. An acquire load adds the view of
 *			the message to the view of the thread. A relaxed load keeps the view of the
 *			message for a later acquire fence.
 *	store		puts a message anywhere after the one in the thread's view, but not between
 *			a read-modify-write and the message that it read. A release store gives the
 *			message the thread's view; a relaxed store, the view at the thread's last
 *			release fence. A relaxed store does not continue a release sequence of its
 *			thread: C++20 says so, C11 did not.
 *	rmw		reads a message that no other rmw has read, and puts its own right behind
 *			that one. The new message also has the view of the message that was read:
 *			rmws continue a release sequence.
 *	lock		an rmw, acquire. It reads the last message, which must say "unlocked".
 *	unlock		a release store, whose message comes last
 *
 * A view also has clocks: the number of events of each thread that happen before. Plain accesses
 * have no messages; memory.c checks them with the clocks.
 *
 * The program determines which events there are, and explore.c in which order they are made.
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

static unsigned int machine_pos_of(uint16_t message)
{
	return weak.message[message].pos;
}

static void machine_join_clock(uint16_t *to, const uint16_t *from)
{
	for (unsigned int i = 0; i < WEAK_THREADS; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

static void machine_join(struct weak_view *to, const struct weak_view *from)
{
	for (unsigned int i = 0; i < weak.nr_locations; i++)
		if (machine_pos_of(from->at[i]) > machine_pos_of(to->at[i]))
			to->at[i] = from->at[i];
	machine_join_clock(to->clock, from->clock);
}

/* ---- plain memory ---- */

static uint64_t machine_mask_of(size_t size)
{
	return size == 8 ? ~0ULL : (1ULL << size * 8) - 1;
}

static uint64_t machine_load(const void *p, size_t size)
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

static void machine_store(void *p, size_t size, uint64_t value)
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

static uint16_t machine_new_message(const struct weak_location *l, uint8_t thread)
{
	struct weak_message *m;

	if (weak.nr_messages == WEAK_MESSAGES || l->nr == WEAK_MESSAGES / 4)
		weak_fail("the checker has no room for more messages");
	m = &weak.message[weak.nr_messages];
	memset(m, 0, sizeof(*m));
	m->location = (uint16_t)(l - weak.location);
	m->thread = thread;
	return (uint16_t)weak.nr_messages++;
}

static void machine_insert(struct weak_location *l, uint16_t message, unsigned int pos)
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

static struct weak_location *machine_new_location(const void *p, size_t size)
{
	struct weak_location *l = &weak.location[weak.nr_locations];
	struct weak_message *m;
	uint16_t first;

	if (weak.nr_locations == WEAK_LOCATIONS)
		weak_fail("the checker has no room for more atomic objects");
	memset(l, 0, sizeof(*l));
	l->p = (unsigned char *)p;
	l->size = (uint8_t)size;
	weak.nr_locations++;
	first = machine_new_message(l, WEAK_SETUP);
	m = &weak.message[first];
	m->unknown = weak_memory_unknown(p, size);
	m->value = machine_load(p, size);
	machine_insert(l, first, 0);
	weak_memory_location(p, size, weak.nr_locations);
	return l;
}

static struct weak_location *machine_find_location(const void *p, size_t size)
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
			last->value = machine_load(p, size);
		}
		return l;
	}
	return machine_new_location(p, size);
}

/* ---- traces ---- */

static void machine_name_of(const void *p, char *name, size_t size)
{
	const char *known = weak.describe ? weak.describe(p) : NULL;

	if (known)
		snprintf(name, size, "%s", known);
	else if (!weak_memory_name(p, name, size))
		snprintf(name, size, "%p", p);
}

static const char *const order_names[] = {"relaxed", "acquire", "release", "acq_rel"};

static void machine_trace(const char *what, enum weak_order order, const void *p,
			  const struct weak_site *site)
{
	const struct weak_thread *t = weak.self;
	char name[64] = "";

	if (p)
		machine_name_of(p, name, sizeof(name));
	printf("  T%u.%-3u %-7s %-7s %-24s", t->id, t->event, what, order_names[order], name);
	if (site)
		printf(" %s:%u",
		       strrchr(site->file, '/') ? strrchr(site->file, '/') + 1 : site->file,
		       site->line);
	printf("\n");
}

static void machine_trace_message(const char *what, uint16_t message)
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

enum machine_filter { MACHINE_ANY, MACHINE_RMW, MACHINE_CMPXCHG, MACHINE_LOCK };

/* Returns true if an rmw has read the message at @pos: another rmw may not read it. */
static bool machine_was_taken(const struct weak_location *l, unsigned int pos)
{
	return pos + 1 < l->nr && weak.message[l->order[pos + 1]].rmw;
}

static bool machine_may_read(const struct weak_location *l, unsigned int pos,
			     enum machine_filter filter, uint64_t old)
{
	const struct weak_message *m = &weak.message[l->order[pos]];

	switch (filter) {
	case MACHINE_ANY:
		return true;
	case MACHINE_RMW:
		return !machine_was_taken(l, pos);
	case MACHINE_CMPXCHG:
		return m->value != old || !machine_was_taken(l, pos);
	case MACHINE_LOCK:
		return pos + 1u == l->nr && !m->value;
	}
	return false;
}

static void machine_note_read(struct weak_location *l, uint16_t low, uint16_t node,
			      bool machine_rmw)
{
	struct weak_read *r = &weak.read[weak.nr_reads];

	if (weak.nr_reads == WEAK_READS)
		weak_fail("the checker has no room for more loads");
	r->next = l->reads;
	r->event = weak.self->event;
	r->node = node;
	r->low = low;
	r->thread = weak.self->id;
	r->rmw = machine_rmw;
	l->reads = (uint16_t)weak.nr_reads++;
}

/*
 * Chooses the message that the running thread reads. Waits for a new message if explore.c chooses
 * to wait, or if the thread may read none of those that exist.
 */
static uint16_t machine_choose_message(struct weak_location *l, enum machine_filter filter,
				       uint64_t old)
{
	struct weak_thread *t = weak.self;
	const unsigned int index = (unsigned int)(l - weak.location);
	uint16_t found[WEAK_MESSAGES / 4], mark = 0;

	t->state = WEAK_LOCKING;
	for (;;) {
		const uint16_t low = t->now.at[index];
		unsigned int nr = 0;

		for (unsigned int pos = l->nr; pos-- > machine_pos_of(low);)
			if (l->order[pos] >= mark && machine_may_read(l, pos, filter, old))
				found[nr++] = l->order[pos];
		if (nr) {
			uint16_t node;
			const unsigned int choice = weak_choose(nr, &node);

			if (choice != WEAK_WAIT) {
				const uint16_t m = found[choice];

				machine_note_read(l, low, node,
						  filter == MACHINE_RMW || filter == MACHINE_LOCK ||
							  (filter == MACHINE_CMPXCHG &&
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
 * Lets loads of @l by other threads wait, if they do not come before a store to @l and could have
 * read its message. @message 0 stands for a store that an rmw of another thread may have
 * prevented: then only loads of rmws wait.
 */
static void machine_wake_reads(const struct weak_location *l, uint16_t message,
			       const uint16_t *cause)
{
	for (uint16_t i = l->reads; i; i = weak.read[i].next) {
		const struct weak_read *r = &weak.read[i];

		if (r->thread == weak.self->id || r->event <= cause[r->thread])
			continue;
		if (message ? machine_pos_of(message) > machine_pos_of(r->low) : r->rmw)
			weak_want_wait(r->node);
	}
}

static struct weak_location *machine_access_begin(const void *p, size_t size, bool write)
{
	struct weak_thread *t = weak.self;
	struct weak_location *l;

	weak_memory_atomic(p, size, write);
	l = machine_find_location(p, size);
	t->event++;
	t->cause[t->id] = t->now.clock[t->id] = t->event;
	(write ? l->stores : l->loads)[t->id] = t->event;
	return l;
}

static void machine_read_message(uint16_t message, enum weak_order order)
{
	const struct weak_message *m = &weak.message[message];
	struct weak_thread *t = weak.self;

	if (m->unknown)
		weak_fail("a load of memory that was never written");
	if (m->pos > machine_pos_of(t->now.at[m->location]))
		t->now.at[m->location] = message;
	machine_join_clock(t->cause, m->cause);
	weak.last_read = message;
	machine_join(order & WEAK_ACQUIRE ? &t->now : &t->acquired, &m->view);
}

/*
 * Puts a message at @pos. If @from is not 0, the message continues the release sequence of @from.
 */
static void machine_write_message(struct weak_location *l, unsigned int pos, uint64_t value,
				  enum weak_order order, uint16_t from)
{
	struct weak_thread *t = weak.self;
	const uint16_t message = machine_new_message(l, t->id);
	struct weak_message *m = &weak.message[message];

	m->value = value & machine_mask_of(l->size);
	m->event = t->event;
	m->rmw = from != 0;
	machine_insert(l, message, pos);
	memcpy(m->cause, t->cause, sizeof(m->cause));
	t->now.at[m->location] = message;
	m->view = order & WEAK_RELEASE ? t->now : t->released;
	m->view.at[m->location] = message;
	if (from)
		machine_join(&m->view, &weak.message[from].view);
	if (m->pos + 1u == l->nr)
		machine_store(l->p, l->size, m->value);
	if (weak.tracing)
		machine_trace_message(from ? "puts" : "stores", message);
}

uint64_t weak_load(const void *p, size_t size, enum weak_order order, const struct weak_site *site)
{
	struct weak_location *l;
	uint16_t m;

	if (!weak.self) {
		weak_memory_direct(p, size, false);
		return machine_load(p, size);
	}
	order = weak_effective_order(order, site);
	l = machine_access_begin(p, size, false);
	m = machine_choose_message(l, MACHINE_ANY, 0);
	if (weak.tracing) {
		machine_trace("load", order, p, site);
		machine_trace_message("reads", m);
	}
	machine_read_message(m, order);
	return weak.message[m].value;
}

/* Chooses the place of a store in modification order. The first choice is the newest place. */
static unsigned int machine_choose_place(const struct weak_location *l)
{
	const uint16_t low = weak.self->now.at[l - weak.location];
	uint16_t found[WEAK_MESSAGES / 4];
	unsigned int nr = 0;

	for (unsigned int pos = l->nr; pos > machine_pos_of(low); pos--)
		if (!machine_was_taken(l, pos - 1))
			found[nr++] = (uint16_t)pos;
	return found[nr > 1 ? weak_choose(nr, NULL) : 0];
}

void weak_store(void *p, size_t size, uint64_t value, enum weak_order order,
		const struct weak_site *site)
{
	struct weak_location *l;

	if (!weak.self) {
		weak_memory_direct(p, size, true);
		machine_store(p, size, value);
		return;
	}
	order = weak_effective_order(order, site);
	l = machine_access_begin(p, size, true);
	if (weak.tracing)
		machine_trace("store", order, p, site);
	machine_write_message(l, machine_choose_place(l), value, order, 0);
	machine_wake_reads(l, l->newest, weak.self->cause);
}

static uint64_t machine_rmw(void *p, size_t size, enum machine_filter filter, uint64_t old,
			    uint64_t value, enum weak_order order, const struct weak_site *site)
{
	struct weak_location *l;
	uint16_t cause[WEAK_THREADS], m;
	uint64_t found;

	order = weak_effective_order(order, site);
	l = machine_access_begin(p, size, true);
	memcpy(cause, weak.self->cause, sizeof(cause));
	m = machine_choose_message(l, filter, old);
	if (weak.tracing) {
		machine_trace(filter == MACHINE_LOCK ? "lock" : "rmw", order, p, site);
		machine_trace_message("reads", m);
	}
	machine_read_message(m, order);
	found = weak.message[m].value;
	if (filter == MACHINE_CMPXCHG && found != old) {
		machine_wake_reads(l, 0, cause);
		return found;
	}
	machine_write_message(l, weak.message[m].pos + 1u,
			      filter == MACHINE_RMW ? found + value : value, order, m);
	machine_wake_reads(l, l->newest, cause);
	return found;
}

uint64_t weak_add(void *p, size_t size, uint64_t value, enum weak_order order,
		  const struct weak_site *site)
{
	if (!weak.self) {
		const uint64_t found = machine_load(p, size);

		weak_memory_direct(p, size, true);
		machine_store(p, size, found + value);
		return found;
	}
	return machine_rmw(p, size, MACHINE_RMW, 0, value, order, site);
}

uint64_t weak_cmpxchg(void *p, size_t size, uint64_t old, uint64_t value, enum weak_order order,
		      const struct weak_site *site)
{
	old &= machine_mask_of(size);
	if (!weak.self) {
		const uint64_t found = machine_load(p, size);

		weak_memory_direct(p, size, true);
		if (found == old)
			machine_store(p, size, value);
		return found;
	}
	return machine_rmw(p, size, MACHINE_CMPXCHG, old, value, order, site);
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
		machine_join(&t->now, &t->acquired);
	if (order & WEAK_RELEASE)
		t->released = t->now;
	if (weak.tracing)
		machine_trace("fence", order, NULL, site);
}

void weak_lock(struct weak_mutex *mutex)
{
	if (!weak.self)
		weak_fail("a lock outside of all threads");
	machine_rmw(&mutex->locked, sizeof(mutex->locked), MACHINE_LOCK, 0, 1, WEAK_ACQUIRE, NULL);
}

void weak_unlock(struct weak_mutex *mutex)
{
	const struct weak_location *l;
	const struct weak_message *last;

	if (!weak.self)
		weak_fail("an unlock outside of all threads");
	l = machine_find_location(&mutex->locked, sizeof(mutex->locked));
	last = &weak.message[l->order[l->nr - 1]];
	if (last->thread != weak.self->id || !last->value)
		weak_fail("an unlock by a thread that does not hold the lock");
	weak_store(&mutex->locked, sizeof(mutex->locked), 0, WEAK_RELEASE, NULL);
}

/*
 * The message comes last: a plain store is ordered with all other accesses, or memory.c has found
 * the race. Its value is not known yet, because the compiler's callback comes before the store.
 */
void weak_plain_message(struct weak_location *l)
{
	struct weak_thread *t = weak.self;
	uint16_t message;

	if (weak.message[l->newest].plain && weak.message[l->newest].thread == t->id)
		return;
	message = machine_new_message(l, t->id);
	machine_insert(l, message, l->nr);
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
 * @a lies behind event @a->here of its thread. Another thread knows of @a if it synchronised with
 * a later event of that thread.
 */
bool weak_happens_before(const struct weak_time *a, const struct weak_time *b)
{
	if (a->thread == b->thread)
		return a->here <= b->here;
	return b->before[a->thread] > a->here;
}
