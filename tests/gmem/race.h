/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * race.h - the memory, the model and the threads of the race, for all of its files
 *
 *	race.c          options, set-up, the rounds, the report
 *	race_model.c    the model: what is known of a page, and what a touch may see
 *	race_vcpu.c     the threads of the vCPUs, which touch, convert and pre-fault
 *	race_host.c     the threads of the host, which touch and pin, and the one of the mappings
 */
#ifndef RACE_H
#define RACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib.h"

#define RACE_VCPUS 2
#define RACE_HOSTS 2
#define RACE_HOST(i) (RACE_VCPUS + (i)) /* a host thread's number among the writers */
#define RACE_WRITERS (RACE_VCPUS + RACE_HOSTS)
#define RACE_WORDS 8 /* neighbouring words of a page; each writer has one of them */
#define RACE_NOBODY RACE_WRITERS /* the writer of a touch that never writes */

enum race_plant {
	RACE_NOTHING,
	RACE_LOST, /* a page loses what it holds */
	RACE_SIDE, /* a page changes its side */
	RACE_NR_PLANTS,
};

struct race_options {
	uint64_t pages;
	uint64_t seconds;
	uint64_t seed;
	enum folio folio;
	enum policy policy;
	enum race_plant plant;
};

struct race_tally {
	_Atomic uint64_t guest, host; /* touches */
	_Atomic uint64_t raced; /* touches beside a conversion or a hole */
	_Atomic uint64_t sigbus;
	_Atomic uint64_t conversions, overlapped; /* all; those of pages that another one had */
	_Atomic uint64_t refused, refused_shared; /* by EAGAIN: all; those to shared */
	_Atomic uint64_t holes, holes_refused;
	_Atomic uint64_t pins; /* that were held for a while */
	_Atomic uint64_t memory_faults; /* exits that the guest did not cause */
	_Atomic uint64_t pre_faults, pre_faults_failed;
	_Atomic uint64_t mismatches;
};

/* What is known of a page: see race_model.c. */
struct page {
	_Atomic uint64_t cell;
	_Atomic uint32_t holes_begun, holes_ended, last_hole;
	_Atomic uint64_t written[RACE_WRITERS];
};

struct race {
	struct race_options options;
	struct gmem gmem;
	struct machine_vcpu second; /* the vCPU that is not the machine's */
	struct page *pages;
	_Atomic uint32_t issued[RACE_WRITERS];
	pthread_mutex_t lock; /* of changes of cells, and of messages */
	_Atomic uint64_t last_at[RACE_VCPUS]; /* where each vCPU's thread converted last */
	struct race_tally tally;
	_Atomic bool stop; /* the round is over */
	_Atomic int err; /* the error of a thread that is stuck */
	uint64_t seeds; /* number of calls of race_seed() */
	uint64_t round;
};

/* Returns the next random number, which is below @below (xorshift64*). */
uint64_t race_draw(uint64_t *rng, uint64_t below);

/* Returns the random state for a new thread. */
uint64_t race_seed(struct race *r);

/* Reports a mismatch, and ends the round. Only the first one is printed. */
void race_mismatch(struct race *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct machine_vcpu *race_vcpu_of(struct race *r, unsigned int i);

/* ---- race_model.c ---- */

/* What the model knew of a page just before a touch. */
struct look {
	uint64_t page;
	uint64_t cell;
	uint32_t holes_begun, holes_ended, last_hole;
	uint64_t written[RACE_WRITERS];
};

/* A touch that was made. */
struct touch {
	unsigned int writer;
	enum answer answer;
	const uint64_t *words; /* if the answer is data */
	uint32_t number; /* the number that was written, or 0 */
	bool pinned; /* the page was pinned all the time */
	unsigned int faults; /* exits with KVM_EXIT_MEMORY_FAULT before the answer */
};

int model_create(struct race *r, enum side first);
void model_destroy(struct race *r);

/* A thread begins to convert pages, and ends. @err is what the conversion returned. */
void model_convert_begin(struct race *r, uint64_t page, uint64_t nr_pages);
void model_convert_end(struct race *r, uint64_t page, uint64_t nr_pages, enum side to, int err);

/* The only thread that punches holes begins, and ends. */
void model_hole_begin(struct race *r, uint64_t page, uint64_t nr_pages);
void model_hole_end(struct race *r, uint64_t page, uint64_t nr_pages, int err);

/* Returns where in a page its words are. The offsets of different pages cover all of a page. */
uint64_t model_words_offset(uint64_t page);

/* Returns a new number for a writer, which is part of what it writes next. */
uint32_t model_issue(struct race *r, unsigned int writer);

/* Returns what a writer writes to a page with a number. */
uint64_t model_value(unsigned int writer, uint64_t page, uint32_t number);

/* Records what is known of a page, just before a touch. */
void look_begin(const struct race *r, uint64_t page, struct look *look);

/* Judges a touch, just after it. */
void look_end(struct race *r, const struct look *look, const struct touch *touch);

/* Returns true if the page is known to be of a side, and nobody converts it. */
bool model_is(const struct race *r, uint64_t page, enum side side);

/* ---- race_vcpu.c ---- */

/* Loads the guest, and puts all vCPUs at its first instruction. Returns 0 or -errno. */
int race_vcpus_start(struct race *r);

/* Touches and converts until the round is over. Returns 0 or -errno. */
int race_vcpu(struct race *r, unsigned int i, uint64_t seed);

/* Makes vCPU @i touch all pages. No other thread may run. Returns 0 or -errno. */
int race_vcpu_all(struct race *r, unsigned int i, enum probe_mode mode);

/* Converts a range, and judges what the ioctl returns. Returns what it returned. */
int race_convert(struct race *r, uint64_t page, uint64_t nr_pages, enum side to);

/* ---- race_host.c ---- */

void race_host(struct race *r, unsigned int i, uint64_t seed);
void race_mappings(struct race *r, uint64_t seed);

/* Makes host @i touch all pages. No other thread may run. */
void race_host_all(struct race *r, unsigned int i, enum probe_mode mode);

#endif /* RACE_H */
