/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * race.h - the memory, the model and the threads of the race, for all of its files
 *
 *	race.c          options, set-up, the rounds, the report
 *	race_model.c    the model: what is known of a page, and what a touch may see
 *	race_convert.c  conversions, and what the library has to answer
 *	race_vcpu.c     a vCPU's thread
 *	race_host.c     the host's thread, and the balloon's
 *	race_plant.c    mismatches made on purpose
 */
#ifndef RACE_H
#define RACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "hold.h"
#include "setup.h"
#include "vcpus.h"

#define RACE_HOST VCPUS_MAX /* the host's number among the writers */
#define RACE_WRITERS (VCPUS_MAX + 1)
#define RACE_BALLOON VCPUS_MAX /* the balloon's number among the converters */
#define RACE_CONVERTERS (VCPUS_MAX + 1)
#define RACE_WORDS 8 /* neighbouring words of a page; each writer has one of them */
#define RACE_BATCH 16 /* touches of a vCPU before they are judged */

enum race_plant {
	RACE_NOTHING,
	RACE_WINDOW, /* attributes: in KVM's window a page refuses each touch */
	RACE_DEAF, /* attributes: from now on KVM sees pages that become private as shared */
	RACE_LOST, /* a shared page loses its content and holds 0 */
	RACE_RUNNING, /* memslots: no vCPU is stopped while memslots are re-cut */
	RACE_NR_PLANTS,
};

struct race_options {
	uint64_t pages;
	uint64_t conversions; /* in all rounds */
	uint64_t rounds;
	uint64_t vcpus;
	uint64_t seed;
	struct way way;
	enum race_plant plant;
};

struct race_tally {
	_Atomic uint64_t guest, host; /* touches */
	_Atomic uint64_t raced; /* touches beside a conversion of their page */
	_Atomic uint64_t sigbus;
	_Atomic uint64_t conversions, asked; /* all; those that the guest requested */
	_Atomic uint64_t overlapped; /* conversions beside another one of the same pages */
	_Atomic uint64_t pinned, failed; /* conversions refused for a pin; by a hook */
	_Atomic uint64_t referred; /* references that the host took, in place */
	/* exits that the guest did not cause */
	_Atomic uint64_t stopped, memory_faults, efaults, mmio;
};

/* A conversion. It is open from before gms_convert() until its answer is judged. */
struct request {
	_Atomic uint64_t at, nr_pages;
	_Atomic bool open;
	bool overlapped;
};

struct race {
	struct race_options options;
	struct machine m;
	struct vcpus vcpus;
	struct machine_vcpu added[VCPUS_MAX]; /* all but the first, which is the machine's */
	struct memory memory;

	/* of race_model.c: see there */
	_Atomic uint64_t *cells;
	_Atomic uint64_t *written[RACE_WRITERS];
	_Atomic uint32_t issued[RACE_WRITERS];

	pthread_mutex_t lock; /* protects requests and mismatches */
	struct request requests[RACE_CONVERTERS];
	struct tally mismatches;

	_Atomic uint32_t *pins; /* of each page: never below the library's count */
	_Atomic uint64_t *unpinned; /* of each page: the clock at its last unpin */
	_Atomic uint64_t clock;

	struct race_tally tally;
	_Atomic int64_t left; /* conversions that are still to be made in this round */
	_Atomic int err; /* the error of a thread that is stuck */
	uint64_t seeds; /* number of calls of race_seed() */
	bool deaf; /* RACE_DEAF */
	bool never_stops; /* RACE_RUNNING */
	bool in_place;
};

/* Returns the next random number, which is below @below (xorshift64*). */
uint64_t race_draw(uint64_t *rng, uint64_t below);

/* Returns the random state for a new thread. */
uint64_t race_seed(struct race *r);

void race_mismatch(struct race *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- race_model.c ---- */

/* What the model knew of a page just before a touch. */
struct look {
	uint64_t page;
	uint64_t cell;
	uint64_t written[RACE_WRITERS];
};

int model_create(struct race *r, bool private);
void model_destroy(struct race *r);

/* Returns the backend's hooks, which also update the model. Their ctx is the struct gms_kvm. */
const struct gms_backend_ops *model_backend(struct race *r);

/* A conversion that a converter is about to make. */
#define MODEL_MAX_WISH_ORDER GMS_ORDER_2M
#define MODEL_MAX_WISH (1ULL << MODEL_MAX_WISH_ORDER)

struct wish {
	uint64_t at, nr_pages; /* in the row; at most MODEL_MAX_WISH */
	enum gms_shareability to;
};

/* Begins a conversion of the calling thread. Its @fail_apply-th call of apply fails; 0: none. */
void model_begin(const struct wish *wish, unsigned int fail_apply);

/* Ends the conversion of the calling thread. Returns true if a call of apply was made to fail. */
bool model_end(struct race *r);

bool model_private(const struct race *r, uint64_t page);

/* Returns true if a converter has a page in hand. */
bool model_moving(const struct race *r, uint64_t page);

/* Returns where in a page its words are. The offsets of different pages cover all of a page. */
uint64_t model_words_offset(uint64_t page);

/* Returns a new number for a writer, which is part of what it writes next. */
uint32_t model_issue(struct race *r, unsigned int writer);

/* Returns what a writer writes to a page with a number. */
uint64_t model_value(unsigned int writer, uint64_t page, uint32_t number);

/* Records what is known of a page, just before a touch. */
void look_begin(const struct race *r, uint64_t page, struct look *look);

/* A touch that was made. */
struct touch {
	unsigned int writer;
	enum answer answer;
	const uint64_t *words; /* if the answer is data */
	uint32_t number; /* the number that was written, or 0 */
	bool still; /* no conversion of the page was allowed meanwhile */
	unsigned int faults; /* exits with KVM_EXIT_MEMORY_FAULT before the answer */
};

/* Judges a touch: M1 to M3 of race_model.c. */
void look_end(struct race *r, const struct look *look, const struct touch *touch);

/* Checks that the library's pages are the model's. No thread may run. */
void model_check(struct race *r);

/* ---- race_convert.c ---- */

struct wish draw_wish(struct race *r, uint64_t *rng, unsigned int converter);

/* Converts, and judges what the library answers. */
void race_convert(struct race *r, uint64_t *rng, unsigned int converter, const struct wish *wish);

/* Draws a page that another converter converts at the moment, or converted last. */
uint64_t draw_contested(struct race *r, uint64_t *rng, unsigned int converter);

/* ---- race_vcpu.c ---- */

/* Loads the guest, and puts all vCPUs at its first instruction. Returns 0 or -errno. */
int race_vcpus_start(struct race *r);

/* Touches and converts until no conversion is left in the round. Returns 0 or -errno. */
int race_vcpu(struct race *r, unsigned int i, uint64_t seed);

/* Makes vCPU @i touch all pages. No other thread may run. Returns 0 or -errno. */
int race_vcpu_all(struct race *r, unsigned int i, enum probe_mode mode);

/* ---- race_host.c ---- */

void race_host(struct race *r, uint64_t seed);
void race_balloon(struct race *r, uint64_t seed);
void race_host_all(struct race *r);

/* ---- race_plant.c ---- */

int race_plant_parse(const char *name, enum race_plant *plant);
const char *race_plant_name(enum race_plant plant);
int race_plant_now(struct race *r);

#endif /* RACE_H */
