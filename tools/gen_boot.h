/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gen_boot.h - the boot of an encrypted Linux guest on x86, and what it does afterwards
 */
#ifndef GMS_TOOL_GEN_BOOT_H
#define GMS_TOOL_GEN_BOOT_H

#include "gen_priv.h"

/* Each CPU's area leaves a free range, and so do areas without a CPU: at most a third as many. */
#define BOOT_MAX_FREE (2 * GEN_MAX_VCPUS)

/**
 * struct boot - a guest that boots
 * @gen: the guest, and the log
 * @free: the memory that memblock has not given out, ascending; ranges may be empty
 * @nr_free: ranges in @free
 * @next: first page that the page allocator has not given out
 * @accepted: index after the last page that was accepted of the memory that is used upwards
 * @top: the memory that is used upwards ends there
 * @high: what memblock gave out above 4G, or an empty range
 * @pcpu: the areas of the CPUs
 * @unit: distance of two CPUs' areas
 * @ghcb: the GHCB of each CPU
 * @pool: the pool of bounce buffers
 * @pool_pages: its size
 * @areas: number of areas of the pool
 * @next_slot: for each area, the slot that is handed out next
 * @atomic_pages: size of an atomic pool of coherent DMA
 * @disk_rings: the rings of the disk, one for each CPU
 */
struct boot {
	struct gen *gen;
	struct gen_range free[BOOT_MAX_FREE];
	unsigned int nr_free;
	uint64_t next;
	uint64_t accepted;
	uint64_t top;
	struct gen_range high;
	uint64_t pcpu;
	uint64_t unit;
	uint64_t ghcb[GEN_MAX_VCPUS];
	uint64_t pool;
	uint64_t pool_pages;
	uint64_t areas;
	uint64_t next_slot[GEN_MAX_VCPUS];
	uint64_t atomic_pages;
	uint64_t disk_rings;
};

/* Boots a guest: writes the log up to the last driver. Returns 0; or -ENOSPC, without a log. */
int gen_boot(struct boot *boot, struct gen *gen);

/* Gives out the next free pages, and accepts what they need. Returns the first page. */
uint64_t gen_boot_pages(struct boot *boot, uint64_t nr);

/* Reads 4K or 256K from the disk, on any CPU, into new pages while there are some. */
void gen_boot_read(struct boot *boot);

#endif /* GMS_TOOL_GEN_BOOT_H */
