// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gen.c - the guest of a generated log: its memory, its random choices, and the rows of the log
 *
 * Invariant: no row of a log touches memory that the guest does not have.
 */
#include "gen_priv.h"

#include "random.h"

#include <errno.h>
#include <inttypes.h>
#include <strings.h>

/* swiotlb: the size of a slot, and of the segments in which slots are handed out. */
#define GEN_SLOT_BYTES 2048
#define GEN_SEGMENT_SLOTS 128

static const struct {
	const char *name;
	enum costs_arch arch;
	int (*make)(struct gen *gen);
} gen_workloads[] = {
	{"snp-boot", COSTS_SNP, gen_load_snp_boot},
	{"snp-lazy-accept", COSTS_SNP, gen_load_snp_lazy_accept},
	{"tdx", COSTS_TDX, gen_load_tdx},
	{"pkvm", COSTS_PKVM, gen_load_pkvm},
	{"dpdk", COSTS_SNP, gen_load_dpdk},
	{"pieces", COSTS_SNP, gen_load_pieces},
};

uint64_t gen_below(struct gen *gen, uint64_t limit)
{
	return random_below(&gen->random, limit);
}

uint64_t gen_power_of_two(uint64_t value)
{
	uint64_t power = 1;

	while (power < value)
		power *= 2;
	return power;
}

void gen_row(const struct gen *gen, enum event_op op, uint64_t gpa, uint64_t size)
{
	fprintf(gen->out, "%" PRIu64 ",%s,0x%" PRIx64 ",%" PRIu64 "\n", gen->now_us,
		event_op_name(op), gpa, size);
}

void gen_emit(struct gen *gen, enum event_op op, uint64_t start, uint64_t nr_pages)
{
	gen_row(gen, op, start << GMS_PAGE_SHIFT, nr_pages << GMS_PAGE_SHIFT);
	gen->now_us += 1 + gen_below(gen, 20);
}

void gen_emit_steps(struct gen *gen, enum event_op op, uint64_t start, uint64_t end, uint64_t step)
{
	for (uint64_t at = start; at < end; at += step)
		gen_emit(gen, op, at, gen_min(step, end - at));
}

/*
 * The rule of Linux since 6.0: 6% of memory, at least 64 MiB and at most 1 GiB
 * (mem_encrypt_setup_arch()), then a power of two of slots, and at least a segment for each area,
 * of which there is one for each CPU, rounded up to a power of two (swiotlb_adjust_nareas()).
 */
uint64_t gen_pool_pages(const struct gen *gen)
{
	const uint64_t min = (64ULL << 20) / GEN_SLOT_BYTES, max = (1ULL << 30) / GEN_SLOT_BYTES;
	const uint64_t bytes = (gen->nr_pages << GMS_PAGE_SHIFT) * 6 / 100;
	const uint64_t slots = gen_min(gen_max(bytes / GEN_SLOT_BYTES, min), max);
	const uint64_t areas = gen_power_of_two(gen->nr_vcpus);

	return gen_max(gen_power_of_two(slots), areas * GEN_SEGMENT_SLOTS) * GEN_SLOT_BYTES >>
	       GMS_PAGE_SHIFT;
}

/*
 * Lays out memory as QEMU's machine q35 does: if there is less than 2.75 GiB, all of it begins at
 * 0; else 2 GiB begin at 0, and the rest begins at 4 GiB (pc_q35_init() in hw/i386/pc_q35.c,
 * without the option max-ram-below-4g). The machines of protected guests on arm64 have no hole:
 * their memory is one range, whose first page has index 0 in the guest's guest_memfd.
 */
static void gen_lay_out(struct gen *gen)
{
	const bool hole = gen->arch != COSTS_PKVM && gen->nr_pages >= GEN_1G * 11 / 4;

	gen->nr_ram = 1;
	gen->ram[0].end = hole ? 2 * GEN_1G : gen->nr_pages;
	if (hole)
		gen->ram[gen->nr_ram++] =
			(struct gen_range) {GEN_4G, GEN_4G + gen->nr_pages - 2 * GEN_1G};
}

/*
 * QEMU makes each slot of memory private when it adds the slot (kvm_set_phys_mem()). In memory
 * that is private at first this changes nothing, but hosts record it.
 */
void gen_head(struct gen *gen)
{
	static const char *const names[] = {
		[COSTS_SNP] = "snp", [COSTS_TDX] = "tdx", [COSTS_PKVM] = "pkvm"};

	fprintf(gen->out, "# arch: %s\n# init: private\n", names[gen->arch]);
	for (unsigned int i = 0; i < gen->nr_ram; i++)
		fprintf(gen->out, "# ram: 0x%" PRIx64 "-0x%" PRIx64 "\n",
			gen->ram[i].start << GMS_PAGE_SHIFT, gen->ram[i].end << GMS_PAGE_SHIFT);
	fprintf(gen->out, "# vcpus: %u\n" EVENT_CSV_HEADER "\n", gen->nr_vcpus);
	for (unsigned int i = 0; i < gen->nr_ram; i++)
		gen_emit(gen, EVENT_TO_PRIVATE, gen->ram[i].start,
			 gen->ram[i].end - gen->ram[i].start);
}

const char *gen_name(unsigned int i)
{
	return i < sizeof(gen_workloads) / sizeof(*gen_workloads) ? gen_workloads[i].name : NULL;
}

int gen_run(FILE *out, const struct gen_opts *opts)
{
	struct gen gen = {.out = out, .random = opts->seed, .nr_pages = opts->nr_pages};
	unsigned int i = 0;

	while (gen_name(i) && strcasecmp(gen_name(i), opts->name))
		i++;
	if (!gen_name(i))
		return -ENOENT;
	if (opts->nr_pages < GEN_MIN_PAGES || opts->nr_pages > GEN_MAX_PAGES ||
	    opts->nr_vcpus > GEN_MAX_VCPUS)
		return -ERANGE;
	gen.arch = gen_workloads[i].arch;
	gen.nr_vcpus = opts->nr_vcpus;
	if (!gen.nr_vcpus)
		gen.nr_vcpus = (unsigned int)gen_min(gen_max(gen.nr_pages / (2 * GEN_1G), 1), 64);
	gen_lay_out(&gen);
	return gen_workloads[i].make(&gen);
}
