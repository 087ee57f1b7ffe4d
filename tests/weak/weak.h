/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * weak.h - an exhaustive checker of small programs under a weak memory model
 *
 * A program is a few threads over shared memory. The checker runs it again and again, until it
 * has seen every execution that the memory model allows, and checks each of them.
 *
 * The model is RC11 (Lahav, Vafeiadis, Kang, Hur, Dreyer: "Repairing sequential consistency in
 * C/C++11") restricted to relaxed, acquire, release and acq_rel accesses and fences. The union
 * of program order and reads-from is acyclic, so a load never reads from a store that depends on
 * it ("load buffering" is excluded). Release sequences are those of C++20: read-modify-writes
 * continue them, later stores of the same thread do not. There is no sequentially consistent
 * order. docs/memory-model.md says what that covers.
 *
 * What a program may use
 *	weak_load() and so on	atomic accesses, each with its order. An object is accessed at one
 *				size only; another size fails the execution.
 *	weak_lock()		a mutex
 *	weak_check()		fails the execution
 *	weak_allocator		memory; used by the tree, too
 *
 * A program must be deterministic but for what it loads, and must end: it may not spin.
 * setup() runs before all threads and end() after them; both see plain memory.
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
 * One use of a platform macro in the sources that are checked. Its orderings have numbers, from
 * 1 on, by which they can be weakened: one ordering for each bit of @order.
 */
struct weak_site {
	const char *file, *function, *text;
	unsigned int line;
	enum weak_op op;
	enum weak_order order;
	unsigned int first; /* number of its first ordering */
};

/* Atomic accesses. @site is NULL in programs: those are not weakened. */
uint64_t weak_load(const void *p, size_t size, enum weak_order order, const struct weak_site *site);
void weak_store(void *p, size_t size, uint64_t value, enum weak_order order,
		const struct weak_site *site);
uint64_t weak_add(void *p, size_t size, uint64_t value, enum weak_order order,
		  const struct weak_site *site);
uint64_t weak_cmpxchg(void *p, size_t size, uint64_t old, uint64_t value, enum weak_order order,
		      const struct weak_site *site);
void weak_fence(enum weak_order order, const struct weak_site *site);

/* For programs: variables of type uint64_t. */
#define weak_get(p, order) weak_load(p, sizeof(*(p)), order, NULL)
#define weak_set(p, value, order) weak_store(p, sizeof(*(p)), value, order, NULL)

/* A mutex; zero is unlocked. Only threads may lock it. */
struct weak_mutex {
	uint32_t locked;
};
void weak_lock(struct weak_mutex *mutex);
void weak_unlock(struct weak_mutex *mutex);

/* Fails the execution where @ok is false. Does not return then. */
void weak_check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory that lasts until the end of the execution. */
extern const struct gms_allocator weak_allocator;

/* Plain accesses by functions: they are checked for data races. */
void *weak_memset(void *p, int c, size_t n);
void *weak_memcpy(void *to, const void *from, size_t n);

/* ---- time, to record calls ---- */

/* A point in a thread's program order, and the points of all threads that happen before it. */
struct weak_time {
	uint8_t thread;
	uint16_t here;
	uint16_t before[WEAK_THREADS];
};
void weak_now(struct weak_time *time);

/* Does @a happen before @b, which was taken later? */
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
	/* names the object at an address in a trace; NULL: unknown. May be NULL */
	const char *(*describe)(const void *p);
};

struct weak_result {
	uint64_t executions; /* complete ones */
	uint64_t blocked; /* abandoned ones: a load waited for a store that did not come */
	bool failed;
	bool bounded; /* the limit was reached before the end */
	char why[512];
	char choices[4096]; /* of the failed execution, for weak_replay() */
};

enum weak_reduction {
	WEAK_REDUCED,
	WEAK_EAGER, /* explores also the waits that no store asked for; for tests of the checker */
};

/* Runs all executions, or the first @limit, up to one that fails. */
void weak_explore(const struct weak_program *program, uint64_t limit, enum weak_reduction reduction,
		  struct weak_result *result);

/* Runs one execution and prints its events. False: @choices is malformed. */
bool weak_replay(const struct weak_program *program, const char *choices,
		 struct weak_result *result);

/* ---- orderings ---- */

/* Numbers all orderings, by file and line. Returns how many there are. */
unsigned int weak_orderings_init(void);

/* The site of an ordering, and which bit of its order it is. */
const struct weak_site *weak_ordering_site(unsigned int number, enum weak_order *part);

/* Lets the machine overlook an ordering, or respect it again. */
void weak_weaken(unsigned int number, bool on);
bool weak_is_weakened(unsigned int number);

/* The order of an access at a site, without what is weakened. */
enum weak_order weak_effective_order(enum weak_order order, const struct weak_site *site);

#endif /* GMS_WEAK_H */
