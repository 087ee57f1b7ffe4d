/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * weak.h - an exhaustive checker of small programs under a weak memory model
 *
 * A program is a few threads over shared memory. The checker runs a program again and again, until
 * it has seen every execution that the memory model allows, and checks each of them.
 *
 * The model is RC11 (Lahav, Vafeiadis, Kang, Hur, Dreyer: "Repairing sequential consistency in
 * C/C++11") restricted to relaxed, acquire, release and acq_rel accesses and fences. The union
 * of program order and reads-from is acyclic: a load never reads from a store that depends on
 * that load ("load buffering" is excluded). Release sequences are those of C++20: a
 * read-modify-write continues one, a later store of the same thread does not. There is no
 * sequentially consistent order. docs/memory-model.md says what the model covers.
 *
 * A program may use
 *	weak_load(), ...	atomic accesses, each with its order. An object is accessed at one
 *				size only; another size fails the execution.
 *	weak_lock()		a mutex
 *	weak_check()		to fail the execution
 *	weak_allocator		memory; the tree uses it, too
 *
 * Except for the values that it loads, a program must be deterministic. A program must end: it may
 * not spin. setup() runs before all threads and end() after them; both see plain memory.
 */
#ifndef GMS_WEAK_H
#define GMS_WEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmemstate/alloc.h>

#define WEAK_THREADS 4

/* Bits: acq_rel is both. */
enum weak_order { WEAK_RELAXED = 0, WEAK_ACQUIRE = 1, WEAK_RELEASE = 2, WEAK_ACQ_REL = 3 };

enum weak_op { WEAK_LOAD, WEAK_STORE, WEAK_ADD, WEAK_CMPXCHG, WEAK_FENCE };

/*
 * One use of a platform macro in the sources that are checked. It has one ordering for each bit of
 * @order. Orderings have numbers, from 1 on, by which they are weakened.
 */
struct weak_site {
	const char *file, *function, *text;
	unsigned int line;
	enum weak_op op;
	enum weak_order order;
	unsigned int first; /* number of its first ordering */
};

/* Atomic accesses. Programs pass NULL as @site: their accesses are not weakened. */
uint64_t weak_load(const void *p, size_t size, enum weak_order order, const struct weak_site *site);
void weak_store(void *p, size_t size, uint64_t value, enum weak_order order,
		const struct weak_site *site);
uint64_t weak_add(void *p, size_t size, uint64_t value, enum weak_order order,
		  const struct weak_site *site);
uint64_t weak_cmpxchg(void *p, size_t size, uint64_t old, uint64_t value, enum weak_order order,
		      const struct weak_site *site);
void weak_fence(enum weak_order order, const struct weak_site *site);

/* Atomic accesses by programs, to variables of type uint64_t. */
#define weak_get(p, order) weak_load(p, sizeof(*(p)), order, NULL)
#define weak_set(p, value, order) weak_store(p, sizeof(*(p)), value, order, NULL)

/* A mutex; zero is unlocked. Only threads may lock it. */
struct weak_mutex {
	uint32_t locked;
};
void weak_lock(struct weak_mutex *mutex);
void weak_unlock(struct weak_mutex *mutex);

/* If @ok is false, fails the execution and does not return. */
void weak_check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory that lasts until the end of the execution. */
extern const struct gms_allocator weak_allocator;

/* memset() and memcpy(), checked for data races. */
void *weak_memset(void *p, int c, size_t n);
void *weak_memcpy(void *to, const void *from, size_t n);

/* ---- time, to record calls ---- */

/* A point in a thread's program order: its number in @here, and what happens before it. */
struct weak_time {
	uint8_t thread;
	uint16_t here;
	uint16_t before[WEAK_THREADS];
};
/* Sets @time to the point that the running thread has reached. */
void weak_now(struct weak_time *time);

/* Returns true if @a happens before @b. The caller took @b after @a. */
bool weak_happens_before(const struct weak_time *a, const struct weak_time *b);

/* ---- exploration ---- */

struct weak_program {
	const char *name;
	const char *about;
	unsigned int nr_threads;
	bool large; /* more executions than a quick run explores */
	void (*setup)(void);
	void (*thread[WEAK_THREADS])(void);
	void (*end)(void);
	/* Returns the name of the object at an address, for traces; NULL if unknown. Optional. */
	const char *(*describe)(const void *p);
};

struct weak_result {
	uint64_t executions; /* that ran to their end */
	uint64_t blocked; /* abandoned: a load waited for a store that did not come */
	bool failed;
	bool bounded; /* the limit was reached: there are more executions */
	char why[512];
	char choices[4096]; /* of the failed execution, for weak_replay() */
};

enum weak_reduction {
	WEAK_REDUCED,
	WEAK_EAGER, /* explores also waits that no store calls for; for tests of the checker */
};

/* Runs all executions, or the first @limit. Stops at one that fails. */
void weak_explore(const struct weak_program *program, uint64_t limit, enum weak_reduction reduction,
		  struct weak_result *result);

/* Runs one execution and prints its events. Returns false if @choices is malformed. */
bool weak_replay(const struct weak_program *program, const char *choices,
		 struct weak_result *result);

/* ---- orderings ---- */

/* Numbers all orderings, by file and line. Returns their number. */
unsigned int weak_orderings_init(void);

/*
 * Returns the site of an ordering. Sets @part to the bit of the site's order that it stands for.
 */
const struct weak_site *weak_ordering_site(unsigned int number, enum weak_order *part);

/* Makes the machine ignore an ordering (@on), or respect it again. */
void weak_weaken(unsigned int number, bool on);
bool weak_is_weakened(unsigned int number);

/* Returns the order of an access at a site, without the orderings that are weakened. */
enum weak_order weak_effective_order(enum weak_order order, const struct weak_site *site);

#endif /* GMS_WEAK_H */
