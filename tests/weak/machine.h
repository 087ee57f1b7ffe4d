/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * machine.h - the state of an execution; shared by the parts of the checker
 */
#ifndef GMS_WEAK_MACHINE_H
#define GMS_WEAK_MACHINE_H

#include "weak.h"

#define WEAK_LOCATIONS 128
#define WEAK_MESSAGES 1024
#define WEAK_READS 2048
#define WEAK_SETUP 0xff /* the "thread" that ran before all threads */

/*
 * What a thread or a message knows. at[] has, for each location, the newest message in
 * modification order that may not be overlooked any more. clock[] has, for each thread, the number
 * of its events that happen before.
 */
struct weak_view {
	uint16_t at[WEAK_LOCATIONS];
	uint16_t clock[WEAK_THREADS];
};

/* A store. Number 0 is not a message: it stands for the first message of any location. */
struct weak_message {
	uint64_t value;
	uint16_t location;
	uint16_t pos; /* in modification order */
	uint16_t event; /* of its thread */
	uint8_t thread;
	bool rmw; /* reads from the message before; no message may come between */
	bool unknown; /* memory that was never written */
	bool plain; /* made by a plain store: the value has to be fetched from memory */
	uint16_t cause[WEAK_THREADS]; /* events before this one in program order and reads-from */
	struct weak_view view;
};

struct weak_location {
	unsigned char *p;
	uint8_t size;
	uint16_t nr; /* of messages */
	uint16_t order[WEAK_MESSAGES / 4]; /* the messages, in modification order */
	uint16_t newest; /* the message that was made last */
	uint16_t loads[WEAK_THREADS], stores[WEAK_THREADS]; /* last atomic event of each thread */
	uint16_t reads; /* the last weak_read of this location; 0: none */
};

/* A load that was made, and the choice point where its message was chosen. */
struct weak_read {
	uint16_t next;
	uint16_t event;
	uint16_t node;
	uint16_t low; /* the oldest message that it could have read */
	uint8_t thread;
	bool rmw;
};

enum weak_state { WEAK_READY, WEAK_WAITING, WEAK_LOCKING, WEAK_DONE };

struct weak_thread {
	uint8_t id;
	enum weak_state state;
	uint16_t location; /* WAITING, LOCKING: the location whose message the thread waits for */
	uint16_t mark; /* WAITING, LOCKING: the message has at least this number */
	uint16_t event; /* number of events so far */
	uint16_t cause[WEAK_THREADS];
	struct weak_view now; /* what the next access must respect */
	struct weak_view acquired; /* what an acquire fence would add */
	struct weak_view released; /* the view at the last release fence: part of later stores */
};

struct weak_machine {
	unsigned int nr_threads, nr_locations, nr_messages, nr_reads;
	struct weak_thread thread[WEAK_THREADS];
	struct weak_location location[WEAK_LOCATIONS];
	struct weak_message message[WEAK_MESSAGES];
	struct weak_read read[WEAK_READS];
	uint16_t last_read; /* the message that the last load or rmw read */
	struct weak_thread *self; /* the running thread; NULL in setup() and end() */
	bool tracing;
	const char *(*describe)(const void *p);
};
extern struct weak_machine weak;

/* ---- machine.c ---- */
void weak_machine_reset(unsigned int nr_threads);
/* Returns true if a thread waits for nothing, or for a message that has come. */
bool weak_can_run(const struct weak_thread *t);
/* Adds the message of a plain store by the running thread to an atomic object. */
void weak_plain_message(struct weak_location *l);

/* ---- explore.c ---- */
#define WEAK_WAIT 255u
/*
 * Returns the next choice: a number below @n; or WEAK_WAIT, if @node is not NULL and
 * weak_want_wait() was called for the node.
 */
unsigned int weak_choose(unsigned int n, uint16_t *node);
void weak_want_wait(uint16_t node);
/* Lets other threads run. Called by the running thread when it waits. */
void weak_yield(void);
void weak_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- memory.c ---- */
void weak_memory_reset(void);
/*
 * Checks an atomic access by the running thread: it must be in allocated memory, and ordered with
 * the plain accesses to that memory.
 */
void weak_memory_atomic(const void *p, size_t size, bool write);
/* Checks an access by setup() or end(): it must be in allocated memory. */
void weak_memory_direct(const void *p, size_t size, bool write);
/* Makes memory the object of an atomic location, number @location - 1. */
void weak_memory_location(const void *p, size_t size, unsigned int location);
/* Returns true if a part of the memory was never written. */
bool weak_memory_unknown(const void *p, size_t size);
/* Writes "number+offset" of the allocation at an address. Returns false if there is none. */
bool weak_memory_name(const void *p, char *name, size_t size);

#endif /* GMS_WEAK_MACHINE_H */
