/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gen_priv.h - what the generators of workloads share: the guest's memory, and the rows of a log
 *
 * gen.c has what is declared here, but for the workloads, which are in gen_load.c. On x86 they
 * begin with the boot of a guest (gen_boot.h).
 */
#ifndef GMS_TOOL_GEN_PRIV_H
#define GMS_TOOL_GEN_PRIV_H

#include "costs.h"
#include "event.h"
#include "gen.h"

#include <gmemstate/order.h>

#define GEN_2M gms_order_pages(GMS_ORDER_2M)
#define GEN_4M (2 * GEN_2M)
#define GEN_1G gms_order_pages(GMS_ORDER_1G)
#define GEN_4G (4 * GEN_1G)

/* A range of pages: [start, end). */
struct gen_range {
	uint64_t start;
	uint64_t end;
};

/**
 * struct gen - a guest, and the log that is written
 * @out: the stream of the log
 * @random: state of gen_below()
 * @now_us: time of the next row
 * @arch: what protects the guest
 * @nr_vcpus: number of vCPUs
 * @nr_pages: size of the guest's memory
 * @ram: where the memory is, ascending
 * @nr_ram: ranges in @ram
 */
struct gen {
	FILE *out;
	uint64_t random;
	uint64_t now_us;
	enum costs_arch arch;
	unsigned int nr_vcpus;
	uint64_t nr_pages;
	struct gen_range ram[2];
	unsigned int nr_ram;
};

static inline uint64_t gen_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t gen_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Rounds up to a multiple of a power of two. */
static inline uint64_t gen_align(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* Returns the smallest power of two that is not below @value, which is not 0. */
uint64_t gen_power_of_two(uint64_t value);

/* Returns a random number below a limit, which is not 0. */
uint64_t gen_below(struct gen *gen, uint64_t limit);

/* Writes the notes and the header of the log, and QEMU's first conversions. Comes first. */
void gen_head(struct gen *gen);

/* Writes a row about a range in bytes. The time stays. */
void gen_row(const struct gen *gen, enum event_op op, uint64_t gpa, uint64_t size);

/* Writes a row about a range in pages. A few microseconds pass. */
void gen_emit(struct gen *gen, enum event_op op, uint64_t start, uint64_t nr_pages);

/* Writes an op on [start, end), with one row for every @step pages. */
void gen_emit_steps(struct gen *gen, enum event_op op, uint64_t start, uint64_t end, uint64_t step);

/* Returns the number of pages that an encrypted Linux guest on x86 wants for bounce buffers. */
uint64_t gen_pool_pages(const struct gen *gen);

/* The workloads. Each returns 0, or -ENOSPC before it has written anything. */
int gen_load_snp_boot(struct gen *gen);
int gen_load_snp_lazy_accept(struct gen *gen);
int gen_load_tdx(struct gen *gen);
int gen_load_pkvm(struct gen *gen);
int gen_load_dpdk(struct gen *gen);
int gen_load_pieces(struct gen *gen);

#endif /* GMS_TOOL_GEN_PRIV_H */
