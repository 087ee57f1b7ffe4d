/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * load.h - the memory, the model and the threads of the load, for all of its files
 *
 *	load.c          options, the rounds and the report
 *	load_round.c    one round: sets up, starts the threads, checks everything at the end
 *	load_convert.c  the thread that converts, and makes conversions fail
 *	load_vcpu.c     the vCPUs' threads, and requests to the guest
 *	load_host.c     the host's threads
 *	load_plant.c    mismatches made on purpose
 *	load_page.c     what a page should hold; records of pages
 *	load_fail.c     failures of allocations
 *	load_kernel.c   the kernel's free memory and its messages
 *	load_guest.S    the guest
 */
#ifndef LOAD_H
#define LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib.h"
#include "load_command.h"

#define LOAD_VCPUS_MAX 4
#define LOAD_BLOCKS_MAX 32

enum load_plant {
	LOAD_NOTHING,
	LOAD_WORD, /* overwrites a word that a vCPU owns, in a shared page */
	LOAD_NUMBER, /* writes an old number to the word of a host thread */
	LOAD_SIDE, /* converts a page, and the model does not know */
	LOAD_HALF, /* a conversion that failed has converted a page */
	LOAD_LEAK, /* memory is lost after the first round */
	LOAD_MESSAGE, /* the kernel complains */
	LOAD_NR_PLANTS,
};

struct load_options {
	enum policy policy;
	enum load_plant plant;
	uint64_t blocks; /* of 2M */
	uint64_t vcpus;
	uint64_t splits; /* to be made, and as many merges */
	uint64_t conversions; /* if not 0: how many to make, whatever splits and merges there are */
	uint64_t rounds;
	uint64_t seconds; /* the limit for all rounds */
	uint64_t percent; /* of allocations fail in the threads of the vCPUs and of the host */
	uint64_t seed;
};

/* Counts of all rounds, in memory that the processes share. */
struct load_tally {
	_Atomic uint64_t conversions, splits, merges;
	_Atomic uint64_t deferred, unmerged; /* splits and merges that were put off */
	_Atomic uint64_t fallbacks; /* blocks that were allocated as 512 pages */
	_Atomic uint64_t injected; /* failures of allocations, in all threads */
	_Atomic uint64_t refused; /* conversions that failed because of one */
	_Atomic uint64_t unharmed; /* conversions that succeeded in spite of one */
	_Atomic uint64_t busy; /* conversions that were refused with EAGAIN */
	_Atomic uint64_t guest, host; /* pages checked */
	_Atomic uint64_t sigbus;
	_Atomic uint64_t memory_faults, enomem; /* exits of KVM_RUN that the guest did not cause */
	_Atomic uint64_t mappings; /* calls of mmap, madvise and munmap */
	_Atomic uint64_t mismatches;
};

/* A page's record. load_command.h describes it. */
struct load_record {
	_Atomic uint32_t begun, done;
	struct {
		_Atomic uint32_t begun, done;
	} host[LOAD_HOSTS];
	uint32_t unused[2];
};

/* The model's view of a page: LOAD_PRIVATE and LOAD_MOVING, and a count of conversions. */
#define LOAD_PRIVATE 1U
#define LOAD_MOVING 2U /* a conversion is under way */
#define LOAD_COUNT 4U

struct load {
	const struct load_options *options;
	struct load_tally *tally;
	struct gmem g;
	uint64_t nr_pages;
	void *hidden; /* addresses of the memslot where the host has no mapping */
	struct machine_vcpu added[LOAD_VCPUS_MAX]; /* all vCPUs but the first */
	struct load_record *records; /* in the low memory */
	_Atomic uint32_t *sides; /* of each page */
	_Atomic uint64_t focus, focus_nr; /* the pages of the last conversion */
	_Atomic bool stop; /* the host's threads have to end */
	_Atomic int err; /* a thread is stuck */
	double deadline;
};

/* Returns the next random number, which is below @below (xorshift64*). */
uint64_t load_draw(uint64_t *rng, uint64_t below);

/* Returns the random state of the @i-th thread of a round. */
uint64_t load_seed(const struct load_options *options, uint64_t round, uint64_t i);

double load_now(void);

/* Prints a mismatch, with the seed, and counts it. */
void load_mismatch(struct load *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns true if the round has to end: a mismatch, or a thread that is stuck. */
bool load_failed(const struct load *l);

/* ---- load_round.c ---- */

/* Runs a round in the calling process. Returns 0 or -errno; mismatches are in the tally. */
int load_round(const struct load_options *options, struct load_tally *tally, uint64_t round,
	       double deadline);

/* ---- load_convert.c ---- */

/* Converts until enough is done. Returns 0 or -errno; -ETIME: there was not enough time. */
int load_convert(struct load *l, uint64_t seed);

/* Converts all pages, with nothing injected. */
int load_convert_all(struct load *l, enum side to);

/* ---- load_vcpu.c ---- */

int load_vcpus_create(struct load *l, uint64_t seed);
void load_vcpus_destroy(struct load *l);
int load_vcpus_start(struct load *l);
void load_vcpus_end(struct load *l);

/* Tells the guest where to look more often. */
void load_vcpus_focus(struct load *l, uint64_t page, uint64_t nr_pages);

/* Lets the guest check pages, and waits for it. Returns 0 or -errno. */
int load_vcpus_check(struct load *l, uint64_t page, uint64_t nr_pages);

/* ---- load_plant.c ---- */

int load_plant_parse(const char *text, enum load_plant *plant);

/* Makes a mismatch on purpose, now and then. */
void load_plant_now(struct load *l, uint64_t *rng);

/* Makes a mistake on purpose after a round. */
void load_plant_after(enum load_plant plant);

/* ---- load_host.c ---- */

/* Catches SIGBUS and SIGSEGV. Returns 0 or -errno. */
int load_hosts_init(void);
int load_hosts_start(struct load *l, uint64_t seed);
void load_hosts_end(struct load *l);

/* Touches a page of the mapping @host, and judges it. @thread: who writes; LOAD_HOSTS: nobody. */
void load_host_touch(struct load *l, const unsigned char *host, unsigned int thread, uint64_t page);

/* ---- load_page.c ---- */

/* Fills a page with a generation, and with number 0 of each host thread. */
void load_page_fill(uint64_t *words, uint64_t page, uint32_t generation);

/* Returns what a host thread writes to a page. */
uint64_t load_page_number(uint64_t page, unsigned int thread, uint32_t number);

/* What was known of a page before it was read. */
struct load_look {
	uint64_t page;
	uint32_t done, host[LOAD_HOSTS];
};

void load_look_begin(const struct load *l, uint64_t page, struct load_look *look);

/* Judges what was read of a page after load_look_begin(). */
void load_look_end(struct load *l, const struct load_look *look, const uint64_t *words);

/* Prints what the @i-th word of a page, which is wrong, seems to be. */
void load_page_explain(const struct load *l, uint64_t page, uint64_t i, uint64_t word);

/* ---- load_fail.c ---- */

/* Sets up failslab and fail_page_alloc. Returns 0 or -errno. */
int load_fail_init(uint64_t percent);

/* Returns how many allocations were made to fail since load_fail_init(). */
uint64_t load_fail_count(void);

/* The files of the calling thread. */
struct load_fail {
	int nth, it;
};

int load_fail_open(struct load_fail *f);
void load_fail_close(struct load_fail *f);

/* Makes the @nth next allocation of the calling thread fail. */
void load_fail_nth(const struct load_fail *f, unsigned int nth);

/* Ends load_fail_nth(). Returns true if the allocation was made, and failed. */
bool load_fail_nth_end(const struct load_fail *f);

/* Lets allocations of the calling thread fail by chance, or no longer. */
void load_fail_by_chance(const struct load_fail *f, bool on);

/* ---- load_kernel.c ---- */

/* Returns the free pages of the system, after caches were dropped; 0: unknown. */
uint64_t load_kernel_free_pages(void);

/* Opens the kernel's messages behind the last one. Returns a file or -errno. */
int load_kernel_messages(void);

/* Prints new messages that report an error of the kernel. Returns their number. */
unsigned int load_kernel_complaints(int messages);

#endif /* LOAD_H */
