// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gen_load.c - generates logs of workloads
 *
 * A guest on x86 first boots (gen_boot.h), so that each of its logs has what such guests share,
 * and what the host touches of it. A guest of pKVM is laid out here.
 */
#include "gen_boot.h"

/* How many disk reads a boot has: a choice. */
#define LOAD_BOOT_READS 3072

/* The most steps that a workload over all memory takes. */
#define LOAD_MAX_STEPS 65536

/* Reads that are spread over the use of all memory. */
#define LOAD_READS 2048

static void load_reads(struct boot *boot, unsigned int nr)
{
	while (nr--)
		gen_boot_read(boot);
}

/*
 * An SNP guest that boots and reads some 200 MiB from its disk: the guest of docs/published.md.
 */
int gen_load_snp_boot(struct gen *gen)
{
	struct boot boot;
	int ret = gen_boot(&boot, gen);

	if (ret)
		return ret;
	load_reads(&boot, LOAD_BOOT_READS);
	return 0;
}

/*
 * Lets the guest use its memory, 4 MiB at a time, which it accepts as it needs them, up to 256
 * GiB. In between it reads from its disk.
 */
static void load_use_all(struct boot *boot)
{
	const uint64_t steps = gen_min((boot->top - boot->next) / GEN_4M, LOAD_MAX_STEPS);
	const uint64_t every = gen_max(steps / LOAD_READS, 1);

	for (uint64_t i = 0; i < steps && boot->top - boot->next >= 2 * GEN_4M; i++) {
		gen_boot_pages(boot, GEN_4M);
		if (i % every == 0)
			gen_boot_read(boot);
	}
}

/*
 * An SNP guest that boots, and then needs its memory little by little: Linux accepts a block of
 * its largest order, 4 MiB, when it runs short (cond_accept_memory()).
 */
int gen_load_snp_lazy_accept(struct gen *gen)
{
	struct boot boot;
	int ret = gen_boot(&boot, gen);

	if (ret)
		return ret;
	load_reads(&boot, LOAD_BOOT_READS);
	load_use_all(&boot);
	load_reads(&boot, LOAD_READS);
	return 0;
}

/*
 * A TDX guest: the same, but for what only SNP shares. Then a driver shares one page, a device
 * writes it, and the driver takes it back, again and again: the mail that boot_firmware() cites
 * saw one page go to and fro 974 times.
 */
int gen_load_tdx(struct gen *gen)
{
	struct boot boot;
	uint64_t page;
	int ret = gen_boot(&boot, gen);

	if (ret)
		return ret;
	page = gen_boot_pages(&boot, 1);
	load_reads(&boot, LOAD_BOOT_READS);
	load_use_all(&boot);
	for (int i = 0; i < 974 / 2; i++) {
		gen_emit(gen, EVENT_TO_SHARED, page, 1);
		gen_emit(gen, EVENT_HOST_WRITE, page, 1);
		gen->now_us += 1000 + gen_below(gen, 2000);
		gen_emit(gen, EVENT_TO_PRIVATE, page, 1);
		gen_boot_read(&boot);
	}
	return 0;
}

/*
 * An SNP guest whose huge pages are shared with a DPDK switch on the host: the case that the
 * discussion of lazy splitting names. How much is shared, and how often it comes back, are
 * choices.
 *
 *	accept                  all memory, once the drivers run, in at most some 16,384 steps
 *	to_shared 2M            a quarter of memory, at most 32 GiB and half of what is free: the
 *	                        guest's huge pages of 2M. The memory that a boot leaves has some
 *	host_read               the switch reads buffers of 4K to 2M
 *	to_private, to_shared   the guest takes 2M out of use, and gives 2M again: every 100 reads
 */
int gen_load_dpdk(struct gen *gen)
{
	const uint64_t step = gen_max(gen->nr_pages / 16384 / GEN_4M, 1) * GEN_4M;
	struct boot boot;
	uint64_t nr, first;
	int ret = gen_boot(&boot, gen);

	if (ret)
		return ret;
	gen_emit_steps(gen, EVENT_ACCEPT, boot.accepted, boot.top, step);
	boot.accepted = boot.top;
	first = gen_align(boot.next, GEN_2M);
	nr = gen_min(gen_min(gen->nr_pages / 4, (boot.top - first) / 2), 32 * GEN_1G);
	nr = gms_order_down(nr, GMS_ORDER_2M);
	boot.next = first + nr;
	load_reads(&boot, LOAD_BOOT_READS);
	gen_emit_steps(gen, EVENT_TO_SHARED, first, first + nr, GEN_2M);
	for (int i = 0; i < 20000; i++) {
		const uint64_t size = 1ULL << gen_below(gen, 10);
		const uint64_t at = first + gen_below(gen, nr / size) * size;

		gen_emit(gen, EVENT_HOST_READ, at, size);
		if (i % 100 == 50) {
			const uint64_t taken = first + gen_below(gen, nr / GEN_2M) * GEN_2M;

			gen_emit(gen, EVENT_TO_PRIVATE, taken, GEN_2M);
			gen_emit(gen, EVENT_TO_SHARED, taken, GEN_2M);
		}
	}
	return 0;
}

/*
 * An SNP guest that takes small pieces of large shared buffers back, while the host has pinned
 * other pieces: the objection to lazy splitting in the discussion of it. All figures are choices.
 *
 *	to_shared 2M            256 MiB, at most an eighth of memory, as huge pages of the guest
 *	host_read               shared pieces of 64K, at random, 3,300 in a second
 *	to_private              a piece of 64K, at random, that is shared: 400 times, every 10 ms
 */
int gen_load_pieces(struct gen *gen)
{
	const uint64_t nr = gms_order_down(gen_min(gen->nr_pages / 8, 1 << 16), GMS_ORDER_2M);
	const uint64_t piece = 16;
	bool taken[1 << 12] = {false}; /* pieces that the guest has taken back */
	struct boot boot;
	uint64_t first;
	int ret = gen_boot(&boot, gen);

	if (ret)
		return ret;
	first = gen_align(boot.next, GEN_2M);
	gen_emit_steps(gen, EVENT_ACCEPT, boot.accepted, gen_align(first + nr, GEN_4M), GEN_4M);
	gen_emit_steps(gen, EVENT_TO_SHARED, first, first + nr, GEN_2M);
	for (int i = 0; i < 400 * 34; i++) {
		const bool take = i % 34 == 33;
		uint64_t nth;

		do
			nth = gen_below(gen, nr / piece);
		while (taken[nth]);
		taken[nth] = take;
		gen_emit(gen, take ? EVENT_TO_PRIVATE : EVENT_HOST_READ, first + nth * piece,
			 piece);
		gen->now_us += 285;
	}
	return 0;
}

/*
 * A protected guest of pKVM, on arm64. Its memory is private until the guest shares it, page by
 * page, with a hypercall (pkvm_set_memory_decrypted()). There is no accepting: a page is the
 * guest's from its first fault on. The pool is the one that crosvm gives such a guest: 64 MiB, the
 * default of its option --swiotlb.
 *
 *	guest_touch             64 MiB of kernel and initrd, and 64 MiB of early allocations
 *	to_shared pool          in rows of 2M
 *	256 pages               coherent buffers of drivers, one after another; the device reads
 *	                        each. A driver frees a quarter of them again after its probing
 *	guest_touch             the rest of memory, by 2M, up to 128 GiB
 *	bounce buffers          devices write 4K each, all over the pool
 */
int gen_load_pkvm(struct gen *gen)
{
	const uint64_t part = GEN_1G / 16; /* 64 MiB: 256 MiB have four parts */
	const uint64_t end = gms_order_down(gen->nr_pages, GMS_ORDER_2M);
	const uint64_t pool = end - part, early = pool - part, buffers = early + GEN_2M / 2;
	const uint64_t used = gen_min(early - part, LOAD_MAX_STEPS * GEN_2M);

	gen_head(gen);
	gen_emit(gen, EVENT_GUEST_TOUCH, 0, part);
	gen_emit_steps(gen, EVENT_GUEST_TOUCH, early, pool, GEN_2M);
	gen_emit_steps(gen, EVENT_TO_SHARED, pool, end, GEN_2M);
	for (uint64_t i = 0; i < 256; i++) {
		gen_emit(gen, EVENT_TO_SHARED, buffers + i, 1);
		gen_emit(gen, EVENT_HOST_READ, buffers + i, 1);
		gen->now_us += 2000;
		if (i % 4 == 0)
			gen_emit(gen, EVENT_TO_PRIVATE, buffers + i, 1);
	}
	gen_emit_steps(gen, EVENT_GUEST_TOUCH, part, part + used, GEN_2M);
	for (int i = 0; i < LOAD_READS; i++) {
		gen_emit(gen, EVENT_HOST_WRITE, pool + gen_below(gen, part), 1);
		gen->now_us += 50 + gen_below(gen, 500);
	}
	return 0;
}
