// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gen.c - generates logs
 *
 * The memory of a guest has no holes. It is laid out as Linux does it:
 *
 *	0 to boot_end           firmware, kernel and initrd, loaded before the guest runs
 *	... to early_start      free memory
 *	... to pool_start       memory that the kernel allocates first
 *	... to pool_end         the pool of bounce buffers (swiotlb), below 4G, 2M aligned
 *	... to nr_pages         free memory
 */
#include "gen.h"

#include "event.h"

#include <gmemstate/order.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define GEN_2M gms_order_pages(GMS_ORDER_2M)
#define GEN_4M (2 * GEN_2M)
#define GEN_1G gms_order_pages(GMS_ORDER_1G)

/* The most steps that a workload over all memory takes. */
#define GEN_MAX_STEPS 65536

struct gen {
	FILE *out;
	uint64_t random;
	uint64_t now_us;
	uint64_t nr_pages;
	uint64_t boot_end;
	uint64_t early_start;
	uint64_t pool_start;
	uint64_t pool_end;
};

/* Returns a random number below a limit, by splitmix64. */
static uint64_t gen_below(struct gen *gen, uint64_t limit)
{
	uint64_t z = gen->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % limit;
}

static uint64_t gen_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t gen_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Rounds down to a multiple of 2M, but not to 0. */
static uint64_t gen_whole_2m(uint64_t nr_pages)
{
	return gen_max(gms_order_down(nr_pages, GMS_ORDER_2M), GEN_2M);
}

static void gen_row(const struct gen *gen, enum event_op op, uint64_t gpa, uint64_t size)
{
	fprintf(gen->out, "%" PRIu64 ",%s,0x%" PRIx64 ",%" PRIu64 "\n", gen->now_us,
		event_op_name(op), gpa, size);
}

static void gen_emit(struct gen *gen, enum event_op op, uint64_t start, uint64_t nr_pages)
{
	gen_row(gen, op, start << GMS_PAGE_SHIFT, nr_pages << GMS_PAGE_SHIFT);
	gen->now_us += 1 + gen_below(gen, 20);
}

/* Writes an op on a range, with one row for every @step pages. */
static void gen_emit_steps(struct gen *gen, enum event_op op, uint64_t start, uint64_t end,
			   uint64_t step)
{
	for (uint64_t at = start; at < end; at += step)
		gen_emit(gen, op, at, gen_min(step, end - at));
}

/* Writes one transfer through a bounce buffer of 2K to 64K, in steps of 2K. */
static void gen_bounce(struct gen *gen)
{
	uint64_t slots = (gen->pool_end - gen->pool_start) * 2;
	uint64_t nr = 1 + gen_below(gen, 32), at = gen_below(gen, slots - nr);

	gen_row(gen, gen_below(gen, 4) ? EVENT_HOST_WRITE : EVENT_HOST_READ,
		(gen->pool_start << GMS_PAGE_SHIFT) + at * 2048, nr * 2048);
	gen->now_us += 50 + gen_below(gen, 500);
}

static void gen_lay_out(struct gen *gen)
{
	const uint64_t pool = gen_whole_2m(gen_min(gen->nr_pages * 6 / 100, GEN_1G));
	const uint64_t early = gen_whole_2m(gen_min(gen->nr_pages / 8, 64 * 256));

	gen->boot_end = gen_whole_2m(gen_min(gen->nr_pages / 4, 64 * 256));
	gen->pool_end = gms_order_down(gen_min(gen->nr_pages, 4 * GEN_1G), GMS_ORDER_2M) - GEN_2M;
	gen->pool_start = gen->pool_end - pool;
	gen->early_start = gen->pool_start - early;
}

/* Lets the host write firmware, kernel and initrd through a shared mapping. */
static void gen_populate(struct gen *gen)
{
	gen_emit_steps(gen, EVENT_HOST_WRITE, 0, gen->boot_end, GEN_2M);
	gen->now_us += 10000; /* by then the pins of the host's last accesses have ended */
}

/* Converts @nr different single pages between early_start and pool_start to shared. */
static void gen_share_pages(struct gen *gen, uint64_t nr)
{
	const uint64_t room = (gen->pool_start - gen->early_start) / nr;

	for (uint64_t i = 0; i < nr; i++)
		gen_emit(gen, EVENT_TO_SHARED, gen->early_start + i * room + gen_below(gen, room),
			 1);
}

/* Returns the number of CPUs: one for each 2 GiB, 64 at most. */
static uint64_t gen_nr_cpus(const struct gen *gen)
{
	return gen_min(gen_max(gen->nr_pages / (2 * GEN_1G), 1), 64);
}

/*
 * Lets the guest use free memory, ascending, with one row for every @step pages and with I/O in
 * between. Stops after GEN_MAX_STEPS rows: a larger guest uses only a part of its memory.
 */
static void gen_use_free(struct gen *gen, enum event_op op, uint64_t step)
{
	const uint64_t ranges[2][2] = {{gen->boot_end, gen->early_start},
				       {gen->pool_end, gen->nr_pages}};
	uint64_t steps = 0, total = 0, every;

	for (int i = 0; i < 2; i++)
		total += (ranges[i][1] - ranges[i][0]) / step;
	every = gen_max(gen_min(total, GEN_MAX_STEPS) / 4096, 1);
	for (int i = 0; i < 2; i++) {
		for (uint64_t at = ranges[i][0]; at < ranges[i][1] && steps < GEN_MAX_STEPS;
		     at += step, steps++) {
			gen_emit(gen, op, at, gen_min(step, ranges[i][1] - at));
			if (steps % every == 0)
				gen_bounce(gen);
		}
	}
}

/*
 * Generates an SNP guest, whose memory is shared at first. The host writes firmware, kernel and
 * initrd, which then become private. Linux accepts the rest in chunks of 4 MiB as it needs them,
 * up to 256 GiB.
 */
static void gen_snp_lazy_accept(struct gen *gen)
{
	gen_emit(gen, EVENT_TO_SHARED, 0, gen->nr_pages);
	gen_populate(gen);
	gen_emit(gen, EVENT_TO_PRIVATE, 0, gen->boot_end);
	gen_emit(gen, EVENT_GUEST_TOUCH, 0, gen->boot_end);
	gen_emit_steps(gen, EVENT_ACCEPT, gen->early_start, gen->pool_end, 8 * GEN_4M);
	gen_share_pages(gen, gen_nr_cpus(gen)); /* GHCBs */
	gen_share_pages(gen, 64); /* coherent DMA */
	gen_emit(gen, EVENT_TO_SHARED, gen->pool_start, gen->pool_end - gen->pool_start);
	gen_use_free(gen, EVENT_ACCEPT, GEN_4M);
	for (int i = 0; i < 2048; i++)
		gen_bounce(gen);
}

/*
 * Generates a TDX guest, whose memory is private at first. The guest accepts some memory by 4K,
 * although 2M would be possible: 2,710 pages for each 4 GiB, at least 512 pages and at most 64
 * MiB. It accepts the rest in chunks of 4 MiB as it needs them, up to 256 GiB. It converts the
 * pool to shared by 2M. It converts one page to shared and back 500 times.
 */
static void gen_tdx(struct gen *gen)
{
	const uint64_t wanted = gen_max(gen->nr_pages * 2710 / (4 * GEN_1G), 512);
	const uint64_t nr_4k = gen_min(wanted, gen->boot_end);
	const uint64_t early = gen->pool_start - gen->early_start;
	const uint64_t page = gen->early_start + gen_below(gen, early);

	gen_emit(gen, EVENT_TO_PRIVATE, 0, gen->nr_pages);
	gen_emit_steps(gen, EVENT_ACCEPT, 0, nr_4k, 1);
	if (nr_4k < gen->boot_end)
		gen_emit(gen, EVENT_ACCEPT, nr_4k, gen->boot_end - nr_4k);
	gen_emit_steps(gen, EVENT_ACCEPT, gen->early_start, gen->pool_end, GEN_2M);
	gen_share_pages(gen, 64);
	gen_emit_steps(gen, EVENT_TO_SHARED, gen->pool_start, gen->pool_end, GEN_2M);
	gen_use_free(gen, EVENT_ACCEPT, GEN_4M);
	for (int i = 0; i < 500; i++) {
		gen_emit(gen, EVENT_TO_SHARED, page, 1);
		gen_emit(gen, EVENT_HOST_WRITE, page, 1);
		gen->now_us += 1000 + gen_below(gen, 2000);
		gen_emit(gen, EVENT_TO_PRIVATE, page, 1);
		gen_bounce(gen);
	}
}

/*
 * Generates a protected guest of pKVM, whose memory is private at first. The guest begins to use
 * memory as it touches it, by 2M, up to 128 GiB. It converts a small pool for DMA and 256 single
 * pages to shared, and makes a quarter of the single pages private again.
 */
static void gen_pkvm(struct gen *gen)
{
	const uint64_t room = (gen->pool_start - gen->early_start) / 256;

	gen_emit(gen, EVENT_TO_PRIVATE, 0, gen->nr_pages);
	gen_emit(gen, EVENT_GUEST_TOUCH, 0, gen->boot_end);
	gen_emit_steps(gen, EVENT_GUEST_TOUCH, gen->early_start, gen->pool_end, GEN_2M);
	gen->pool_end = gen_min(gen->pool_start + 64 * 256, gen->pool_end);
	gen_emit_steps(gen, EVENT_TO_SHARED, gen->pool_start, gen->pool_end, GEN_2M);
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t page = gen->early_start + i * room;

		gen_emit(gen, EVENT_TO_SHARED, page, 1);
		gen_emit(gen, EVENT_HOST_READ, page, 1);
		gen->now_us += 2000;
		if (i % 4 == 0)
			gen_emit(gen, EVENT_TO_PRIVATE, page, 1);
	}
	gen_use_free(gen, EVENT_GUEST_TOUCH, GEN_2M);
}

/*
 * Generates a guest with DPDK. A quarter of its memory, at most 32 GiB, is buffers that the host
 * reads all the time, by 4K to 2M. In a guest of 8 GiB or more the buffers begin in the middle of
 * a 1G block. From time to time the guest makes 2M of them private for a while. The guest accepts
 * all memory first, in at most some 16,384 steps.
 */
static void gen_dpdk(struct gen *gen)
{
	const uint64_t nr = gen_whole_2m(gen_min(gen->nr_pages / 4, 32 * GEN_1G));
	const uint64_t first =
		gen->nr_pages >= 8 * GEN_1G ? 4 * GEN_1G + GEN_1G / 2 : gen->boot_end + 5 * GEN_2M;
	const uint64_t step = gen_whole_2m(gen_max(gen->nr_pages / 16384, GEN_4M));

	gen_emit(gen, EVENT_TO_PRIVATE, 0, gen->nr_pages);
	gen_emit_steps(gen, EVENT_ACCEPT, 0, gen->nr_pages, step);
	gen_share_pages(gen, 64);
	gen_emit(gen, EVENT_TO_SHARED, gen->pool_start, gen->pool_end - gen->pool_start);
	gen_emit_steps(gen, EVENT_TO_SHARED, first, first + nr, GEN_2M);
	for (int i = 0; i < 20000; i++) {
		uint64_t size = 1ULL << gen_below(gen, 10);
		uint64_t at = first + gen_below(gen, nr / size) * size;

		gen_emit(gen, EVENT_HOST_READ, at, size);
		if (i % 100 == 50) {
			uint64_t taken = first + gen_below(gen, nr / GEN_2M) * GEN_2M;

			gen_emit(gen, EVENT_TO_PRIVATE, taken, GEN_2M);
			gen_emit(gen, EVENT_TO_SHARED, taken, GEN_2M);
		}
	}
}

/*
 * Generates three boots of one guest. Before each boot all memory becomes shared, the host writes
 * firmware, kernel and initrd, and all memory becomes private. The guest accepts all memory, in at
 * most some 1,024 steps.
 */
static void gen_reboot(struct gen *gen)
{
	const uint64_t step = gen_whole_2m(gen_max(gen->nr_pages / 1024, GEN_4M));

	for (int boot = 0; boot < 3; boot++) {
		gen_emit(gen, EVENT_TO_SHARED, 0, gen->nr_pages);
		gen_populate(gen);
		gen_emit(gen, EVENT_TO_PRIVATE, 0, gen->nr_pages);
		gen->now_us += 2000000; /* firmware */
		gen_emit_steps(gen, EVENT_ACCEPT, 0, gen->nr_pages, step);
		gen_share_pages(gen, 64);
		gen_emit(gen, EVENT_TO_SHARED, gen->pool_start, gen->pool_end - gen->pool_start);
		for (int i = 0; i < 512; i++)
			gen_bounce(gen);
		gen->now_us += 1000000;
	}
}

static const struct {
	const char *name;
	void (*make)(struct gen *gen);
} gen_workloads[] = {
	{"snp-lazy-accept", gen_snp_lazy_accept},
	{"tdx", gen_tdx},
	{"pkvm", gen_pkvm},
	{"dpdk", gen_dpdk},
	{"reboot", gen_reboot},
};

const char *gen_name(unsigned int i)
{
	return i < sizeof(gen_workloads) / sizeof(*gen_workloads) ? gen_workloads[i].name : NULL;
}

int gen_run(FILE *out, const char *name, uint64_t nr_pages, uint64_t seed)
{
	struct gen gen = {.out = out, .random = seed, .nr_pages = nr_pages};
	unsigned int i = 0;

	while (gen_name(i) && strcmp(gen_name(i), name))
		i++;
	if (!gen_name(i))
		return -ENOENT;
	if (nr_pages < GEN_MIN_PAGES || nr_pages > GEN_MAX_PAGES)
		return -ERANGE;
	gen_lay_out(&gen);
	fputs(EVENT_CSV_HEADER "\n", out);
	gen_workloads[i].make(&gen);
	return 0;
}
