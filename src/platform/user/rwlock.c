// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rwlock.c - where the two sides of a gms_rwlock meet
 *
 * One side writes its word and then reads the other's, both sequentially consistent, so of
 * two sides that come at once at least one sees the other:
 *
 *	reader				writer
 *	slot += 1			writer = 1
 *	writer 0? it holds the lock	all slots 0? it holds the lock
 *
 *	slot -= 1			writer = 2, under the mutex
 *	writer 2? wake it		a slot not 0? sleep
 *
 *	asleep += 1, under the mutex	writer = 0
 *	slot += 1; writer 0? it holds	asleep not 0? let them in, under the mutex
 *	    the lock, else sleep
 *
 * A slot that was 0 while the writer's word was set belongs to readers that will all step
 * back: the writer may look at one slot after the other.
 *
 * Nobody starves. A reader that met a writer says that it waits, spins a little, then goes to
 * sleep; the writer counts those who wait into their slots before it returns from its unlock,
 * so they hold the lock before the next writer begins, which waits for them. Readers that come
 * while a writer holds the lock or waits for it step back.
 */
#include "platform.h"

/*
 * Some microseconds: less than it costs to sleep and be woken. A pause takes 20 to 140 cycles,
 * depending on the processor: the count is for those with a short one.
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
	/* Inside the mutex the writer is either not asleep yet, and will look again, or asleep. */
	pthread_mutex_lock(&lock->mutex);
	pthread_cond_signal(&lock->wake_writer);
	pthread_mutex_unlock(&lock->mutex);
}

static bool rwlock_writer_is(const struct gms_rwlock *lock, uint32_t state)
{
	return __atomic_load_n(&lock->writer, __ATOMIC_SEQ_CST) == state;
}

/*
 * The mutex is held. Say that a reader is waiting; it is counted into its slot by the writer, which
 * is when the phase changes. False where the writer is gone, and the reader has the lock.
 */
static bool rwlock_read_wait_locked(struct gms_rwlock *lock, struct gms_rwlock_slot *slot)
{
	slot->asleep++;
	__atomic_fetch_add(&lock->asleep, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&slot->readers, 1, __ATOMIC_SEQ_CST);
	if (rwlock_writer_is(lock, GMS_WRITER_NONE)) {
		slot->asleep--;
		__atomic_fetch_sub(&lock->asleep, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	/* A writer that goes to sleep looks inside the mutex: it has not seen this reader. */
	__atomic_fetch_sub(&slot->readers, 1, __ATOMIC_SEQ_CST);
	return true;
}

static void rwlock_step_back(struct gms_rwlock *lock, struct gms_rwlock_slot *slot)
{
	__atomic_fetch_sub(&slot->readers, 1, __ATOMIC_SEQ_CST);
	if (rwlock_writer_is(lock, GMS_WRITER_ASLEEP))
		gms_rwlock_wake_writer(lock);
}

/* The caller has counted itself and seen a writer. */
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
	/* The next unlock lets it in, so it is not overtaken by a writer while it spins. */
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
 * The writer's word is 0 again, and stays so until this returns: no other writer may begin.
 * Whoever is asleep has seen it set, so nobody else will let him in.
 */
void gms_rwlock_write_unlock_slow(struct gms_rwlock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	if (gms_load_relaxed(&lock->asleep)) {
		for (unsigned int i = 0; i < GMS_NR_SLOTS; i++) {
			__atomic_fetch_add(&lock->slot[i].readers, lock->slot[i].asleep,
					   __ATOMIC_SEQ_CST);
			lock->slot[i].asleep = 0;
		}
		__atomic_store_n(&lock->asleep, 0, __ATOMIC_SEQ_CST);
		gms_store_release(&lock->phase, lock->phase + 1);
		pthread_cond_broadcast(&lock->wake_readers);
	}
	pthread_mutex_unlock(&lock->mutex);
}
