// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rwlock.c - the slow paths of gms_rwlock, where readers and a writer meet
 *
 * Each side writes its own word and then reads the word of the other side, and both accesses are
 * sequentially consistent. So if the two sides come at the same time, at least one of them sees
 * the other. Below, the word writer is 0 (GMS_WRITER_NONE), 1 (AWAKE) or 2 (ASLEEP):
 *
 *	a reader                         a writer
 *	slot += 1                        writer = 1
 *	writer 0? it holds the lock      all slots 0? it holds the lock
 *
 *	slot -= 1                        writer = 2, under the mutex
 *	writer 2? it wakes the writer    a slot not 0? it sleeps
 *
 *	under the mutex: waiting += 1,   writer = 0
 *	slot += 1; writer 0? it holds    waiting not 0? it lets the waiting readers in,
 *	the lock, else slot -= 1             under the mutex
 *
 * The writer may look at one slot after another. If it has set its word and then finds a slot to
 * be 0, readers that come to this slot later step back.
 *
 * No side starves. A reader that meets a writer counts itself as waiting, spins for a while, and
 * then sleeps. Before the writer returns from its unlock, it counts the waiting readers into their
 * slots: from then on they hold the lock, and the next writer waits for them. Readers that come
 * while a writer holds the lock or waits for it step back.
 */
#include "platform.h"

/*
 * How often a thread spins before it sleeps. That takes some microseconds, less than to sleep and
 * be woken. A pause takes 20 to 140 cycles; the count suits processors with a short one.
 */
#define RWLOCK_SPINS 256

int gms_rwlock_init(struct gms_rwlock *lock, const void *object, enum gms_rank rank,
		    unsigned int key)
{
	memset(lock, 0, sizeof(*lock));
	gms_place_set(lock, object, rank, key);
	if (pthread_mutex_init(&lock->mutex, NULL))
		return -ENOMEM;
	if (pthread_cond_init(&lock->wake_readers, NULL))
		goto fail_readers;
	if (pthread_cond_init(&lock->wake_writer, NULL))
		goto fail_writer;
	return 0;

fail_writer:
	pthread_cond_destroy(&lock->wake_readers);
fail_readers:
	pthread_mutex_destroy(&lock->mutex);
	return -ENOMEM;
}

void gms_rwlock_fini(struct gms_rwlock *lock)
{
	pthread_cond_destroy(&lock->wake_writer);
	pthread_cond_destroy(&lock->wake_readers);
	pthread_mutex_destroy(&lock->mutex);
}

void gms_rwlock_wake_writer(struct gms_rwlock *lock)
{
	/* Under the mutex, the writer either sleeps or has yet to look at the slots. */
	pthread_mutex_lock(&lock->mutex);
	pthread_cond_signal(&lock->wake_writer);
	pthread_mutex_unlock(&lock->mutex);
}

static bool rwlock_writer_is(const struct gms_rwlock *lock, uint32_t state)
{
	return __atomic_load_n(&lock->writer, __ATOMIC_SEQ_CST) == state;
}

/*
 * Counts a reader as waiting: the writer will count it into its slot and change the phase. Returns
 * false if the writer has gone: the reader holds the lock. Caller holds the mutex.
 */
static bool rwlock_read_wait_locked(struct gms_rwlock *lock, struct gms_rwlock_slot *slot)
{
	slot->waiting++;
	__atomic_fetch_add(&lock->waiting, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&slot->readers, 1, __ATOMIC_SEQ_CST);
	if (rwlock_writer_is(lock, GMS_WRITER_NONE)) {
		slot->waiting--;
		__atomic_fetch_sub(&lock->waiting, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	/*
	 * A writer that has seen the reader counted here looks again before it sleeps, and goes to
	 * sleep under the mutex only. So this needs to wake no writer.
	 */
	__atomic_fetch_sub(&slot->readers, 1, __ATOMIC_SEQ_CST);
	return true;
}

/* Takes a reader that has met a writer out of its slot. Wakes the writer if it sleeps. */
static void rwlock_step_back(struct gms_rwlock *lock, struct gms_rwlock_slot *slot)
{
	__atomic_fetch_sub(&slot->readers, 1, __ATOMIC_SEQ_CST);
	if (rwlock_writer_is(lock, GMS_WRITER_ASLEEP))
		gms_rwlock_wake_writer(lock);
}

/* The caller has counted itself in its slot and has seen a writer. */
void gms_rwlock_read_lock_slow(struct gms_rwlock *lock)
{
	struct gms_rwlock_slot *slot = &lock->slot[gms_slot()];
	uint32_t phase;
	bool wait;

	rwlock_step_back(lock, slot);
	pthread_mutex_lock(&lock->mutex);
	phase = lock->phase;
	wait = rwlock_read_wait_locked(lock, slot);
	pthread_mutex_unlock(&lock->mutex);
	/* The next unlock lets this reader in, so the writer after it waits for this reader. */
	for (unsigned int i = 0; wait && i < RWLOCK_SPINS; i++) {
		if (gms_load_acquire(&lock->phase) != phase)
			return;
		gms_cpu_relax();
	}
	if (!wait)
		return;
	pthread_mutex_lock(&lock->mutex);
	while (lock->phase == phase)
		pthread_cond_wait(&lock->wake_readers, &lock->mutex);
	pthread_mutex_unlock(&lock->mutex);
}

static bool rwlock_has_readers(const struct gms_rwlock *lock)
{
	for (unsigned int i = 0; i < GMS_NR_SLOTS; i++)
		if (__atomic_load_n(&lock->slot[i].readers, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

void gms_rwlock_write_lock_slow(struct gms_rwlock *lock)
{
	for (unsigned int i = 0; i < RWLOCK_SPINS; i++) {
		gms_cpu_relax();
		if (!rwlock_has_readers(lock))
			return;
	}
	pthread_mutex_lock(&lock->mutex);
	__atomic_store_n(&lock->writer, GMS_WRITER_ASLEEP, __ATOMIC_SEQ_CST);
	while (rwlock_has_readers(lock))
		pthread_cond_wait(&lock->wake_writer, &lock->mutex);
	__atomic_store_n(&lock->writer, GMS_WRITER_AWAKE, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&lock->mutex);
}

/*
 * Lets the waiting readers in: they have seen that the word of the writer was set. The word is 0
 * by now, and stays 0 until this returns, because no other writer may begin before.
 */
void gms_rwlock_write_unlock_slow(struct gms_rwlock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	if (gms_load_relaxed(&lock->waiting)) {
		for (unsigned int i = 0; i < GMS_NR_SLOTS; i++) {
			__atomic_fetch_add(&lock->slot[i].readers, lock->slot[i].waiting,
					   __ATOMIC_SEQ_CST);
			lock->slot[i].waiting = 0;
		}
		__atomic_store_n(&lock->waiting, 0, __ATOMIC_SEQ_CST);
		gms_store_release(&lock->phase, lock->phase + 1);
		pthread_cond_broadcast(&lock->wake_readers);
	}
	pthread_mutex_unlock(&lock->mutex);
}
