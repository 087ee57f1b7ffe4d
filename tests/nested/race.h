/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * race.h - what the files of the race share: the memory, what is known of each page, the threads
 *
 *	race.c          options, set-up, the rounds, the report
 *	race_model.c    what is known of a page, and what may be seen of it
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
#include "setup.h"
#include "vcpus.h"

#define RACE_HOST VCPUS_MAX /* the host's place among the writers */
#define RACE_WRITERS (VCPUS_MAX + 1)
#define RACE_BALLOON VCPUS_MAX /* the balloon's place among the converters */
#define RACE_CONVERTERS (VCPUS_MAX + 1)
#define RACE_WORDS 8 /* in a page, side by side; each writer has one */
#define RACE_BATCH 16 /* pages that a vCPU touches before it is judged */

enum race_plant {
	RACE_NOTHING,
	RACE_WINDOW, /* attributes: where KVM finds shared memory, a page refuses */
	RACE_DEAF, /* attributes: KVM is not told, from then on, of pages that become private */
	RACE_LOST, /* a shared page is lost, and comes back empty */
	RACE_RUNNING, /* memslots: no vCPU is stopped while they are re-cut */
	RACE_NR_PLANTS,
};

struct race_options {
	uint64_t pages;
	uint64_t conversions; /* in all rounds */
	uint64_t rounds;
	uint64_t vcpus;
	uint64_t seed;
	enum gms_kvm_way way;
	enum race_plant plant;
};

struct race_tally {
	_Atomic uint64_t guest, host; /* touches */
	_Atomic uint64_t raced; /* of these, beside a conversion of their page */
	_Atomic uint64_t sigbus;
	_Atomic uint64_t conversions, asked; /* by anyone; by the guest */
	_Atomic uint64_t overlapped; /* beside another one of the same pages */
	_Atomic uint64_t pinned, failed; /* refused for a pin; by a hook */
	/* exits that are none of the guest's doing */
	_Atomic uint64_t stopped, memory_faults, efaults, mmio;
};

/* A conversion that was asked for and, while it is open, has not been answered. */
struct request {
	_Atomic uint64_t at, nr_pages;
	_Atomic bool open;
	bool overlapped;
};

struct race {
	struct race_options options;
	struct machine m;
	struct vcpus vcpus;
	struct machine_vcpu added[VCPUS_MAX]; /* but the first, which is the machine's */
	struct memory memory;

	/* race_model.c, each for all pages */
	_Atomic uint64_t *cells;
	_Atomic uint64_t *written[RACE_WRITERS];
	_Atomic uint32_t issued[RACE_WRITERS];

	pthread_mutex_t lock; /* for the two that follow */
	struct request requests[RACE_CONVERTERS];
	struct tally mismatches;

	_Atomic uint32_t *pins; /* of each page, at least what the library counts */
	_Atomic uint64_t *unpinned; /* and when it was unpinned */
	_Atomic uint64_t clock;

	struct race_tally tally;
	_Atomic int64_t left; /* conversions in this round */
	_Atomic int err; /* a thread cannot go on */
	uint64_t seeds; /* threads that were given one */
	bool deaf; /* RACE_DEAF */
};

/* xorshift64*: the next random number, below @below; and a state for a new thread. */
uint64_t race_draw(uint64_t *rng, uint64_t below);
uint64_t race_seed(struct race *r);

void race_mismatch(struct race *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- race_model.c ---- */

/* What was known of a page just before it was touched. */
struct look {
	uint64_t page;
	uint64_t cell;
	uint64_t written[RACE_WRITERS];
};

int model_create(struct race *r, bool private);
void model_destroy(struct race *r);

/* The library's hooks, with the model kept beside them; their ctx is the struct gms_kvm. */
const struct gms_backend_ops *model_backend(struct race *r);

/* What a converter asks for. */
#define MODEL_MAX_WISH (1ULL << GMS_ORDER_2M)

struct wish {
	uint64_t at, nr_pages; /* in the row; no more than MODEL_MAX_WISH */
	enum gms_shareability to;
};

/*
 * The calling thread is about to convert; its @fail_apply-th apply is to fail. 0: none. Afterwards:
 * returns true if one did.
 */
void model_begin(const struct wish *wish, unsigned int fail_apply);
bool model_end(struct race *r);

bool model_private(const struct race *r, uint64_t page);
bool model_moving(const struct race *r, uint64_t page); /* a converter has it in hand */

/* Where in a page its words are: all of the page is used by some. */
uint64_t model_words_offset(uint64_t page);

/* The next number of a writer, who writes it with all that follows; and what that is in a page. */
uint32_t model_issue(struct race *r, unsigned int writer);
uint64_t model_value(unsigned int writer, uint64_t page, uint32_t number);

void look_begin(const struct race *r, uint64_t page, struct look *look);

/*
 * The page was touched: @answer, @words where it is data; @number was written, or 0. @still: nobody
 * may have converted it meanwhile. @faults: KVM_EXIT_MEMORY_FAULT came before, so often.
 */
struct touch {
	unsigned int writer;
	enum answer answer;
	const uint64_t *words;
	uint32_t number;
	bool still;
	unsigned int faults;
};

void look_end(struct race *r, const struct look *look, const struct touch *touch);

/* At rest: the library's pages are the model's. */
void model_check(struct race *r);

/* ---- race_convert.c ---- */

struct wish draw_wish(struct race *r, uint64_t *rng, unsigned int converter);
void race_convert(struct race *r, uint64_t *rng, unsigned int converter, const struct wish *wish);

/* A page that another converter is at, if one is; else perhaps a page that one was at last. */
uint64_t draw_contested(struct race *r, uint64_t *rng, unsigned int converter);

/* ---- race_vcpu.c ---- */

/* Puts the guest into the machine, and its vCPUs at its beginning. 0 or -errno. */
int race_vcpus_start(struct race *r);

/* Touches until there is nothing left to convert. Returns 0 or -errno. */
int race_vcpu(struct race *r, unsigned int i, uint64_t seed);

/* At rest: vCPU @i touches all pages. 0 or -errno. */
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
