// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gen_boot.c - generates the boot of an encrypted guest from the rules of its kernel
 *
 * The rules are those of Linux 6.12 as Debian configures it, in a machine q35 of QEMU with OVMF;
 * docs/published.md names the function of the kernel behind each. Nothing is fitted to a recorded
 * guest but three sizes of that kernel's image, which are named below.
 *
 * Memory is given out twice, as in Linux. First memblock gives it out from the top down: struct
 * pages, areas of the CPUs, hash tables, GHCBs, and below 4G the pool of bounce buffers. What is
 * left goes to the page allocator, which here gives it out from the bottom up.
 *
 *	low memory    [1M..16M)  kernel  free, used upwards ... pool  firmware
 *	above 4G      free, accepted and used upwards ... GHCBs, hash tables, CPUs, struct pages
 *
 * A guest without memory above 4G has all of it in low memory.
 *
 * Invariant: all memory is found before the first row is written, so a guest that is too small
 * leaves no log.
 */
#include "gen_boot.h"

#include <errno.h>
#include <stdbool.h>

#define BOOT_1M 256ULL

/*
 * The kernel's image: where it is loaded (CONFIG_PHYSICAL_START), its size, the section
 * .bss..decrypted within it, and the part of a CPU's area that is static. The last three are those
 * of Debian's 6.12.117, from the recorded guest.
 */
#define BOOT_KERNEL (16 * BOOT_1M)
#define BOOT_KERNEL_PAGES 4616
#define BOOT_BSS_DECRYPTED (BOOT_KERNEL + 16 * BOOT_1M)
#define BOOT_PCPU_STATIC 43

/* Pages of .bss..decrypted that are used: boot_ghcb_page, hv_clock_boot, wall_clock. */
#define BOOT_BSS_USED 3

/* Pages of a CPU's area. Beyond its static part it has 8K for modules and 28K for allocations. */
#define BOOT_PCPU_PAGES (BOOT_PCPU_STATIC + 9)

/* Pages of struct pglist_data, which memblock gives out first, and so at the very top. */
#define BOOT_NODE_PAGES 43

/* Pages of struct sev_es_runtime_data. The first is the GHCB. */
#define BOOT_GHCB_PAGES 3

/* swiotlb: slots in a page, in a segment, and bytes that describe a slot. */
#define BOOT_PAGE_SLOTS 2
#define BOOT_SEGMENT_SLOTS 128
#define BOOT_SLOT_BYTES 24

/*
 * A virtio device: its queues, for each CPU and in addition, and how many entries they have. A
 * queue is one coherent buffer. The queues that are in use are the first ones.
 */
struct boot_device {
	unsigned int queues_per_cpu;
	unsigned int queues;
	unsigned int entries;
	unsigned int queues_in_use;
};

/*
 * The devices of the recorded guest, with QEMU's defaults: virtio-blk with a queue for each CPU;
 * virtio-net, whose control queue is a device of its own here because its size differs;
 * virtio-rng; virtio-serial with 31 ports, of which the control port and the first one are in use.
 * The disk is the first.
 */
static const struct boot_device boot_devices[] = {
	{1, 0, 256, 0}, {0, 2, 256, 2}, {0, 1, 64, 1}, {0, 1, 8, 1}, {0, 64, 128, 4},
};

static bool boot_is_snp(const struct boot *boot)
{
	return boot->gen->arch == COSTS_SNP;
}

/* Adds a free range after the @i-th, unless it is empty. */
static void boot_add_free(struct boot *boot, unsigned int i, struct gen_range range)
{
	if (range.start == range.end)
		return;
	for (unsigned int j = boot->nr_free++; j > i + 1; j--)
		boot->free[j] = boot->free[j - 1];
	boot->free[i + 1] = range;
}

/* Takes [start, end), which lies in the @i-th free range, out of free memory. */
static void boot_take(struct boot *boot, unsigned int i, uint64_t start, uint64_t end)
{
	const struct gen_range rest = {end, boot->free[i].end};

	boot->free[i].end = start;
	boot_add_free(boot, i, rest);
}

/*
 * Gives out the highest free memory that ends by @limit, as memblock does. Returns its first page,
 * or 0 if there is none.
 */
static uint64_t boot_memblock(struct boot *boot, uint64_t nr, uint64_t align, uint64_t limit)
{
	for (unsigned int i = boot->nr_free; i-- > 0;) {
		const uint64_t end = gen_min(boot->free[i].end, limit);
		uint64_t start;

		if (end < boot->free[i].start || end - boot->free[i].start < nr)
			continue;
		start = (end - nr) & ~(align - 1);
		if (start < boot->free[i].start)
			continue;
		boot_take(boot, i, start, start + nr);
		return start;
	}
	return 0;
}

/* The same, with pages above 4G counted in @high. Returns -ENOSPC if there is no room. */
static int boot_anywhere(struct boot *boot, uint64_t nr, uint64_t align, uint64_t *start)
{
	*start = boot_memblock(boot, nr, align, UINT64_MAX);
	if (*start >= GEN_4G)
		boot->high.start = gen_min(boot->high.start, *start);
	return *start ? 0 : -ENOSPC;
}

/* Returns the bytes of struct pages, in pages: 2M for each section of 128 MiB with memory. */
static uint64_t boot_memmap_pages(const struct gen *gen)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < gen->nr_ram; i++)
		nr += (gen->ram[i].end - gen->ram[i].start + 128 * BOOT_1M - 1) / (128 * BOOT_1M);
	return nr * GEN_2M;
}

/*
 * Returns the size of a hash table that has a bucket of 8 bytes for each 2^scale bytes of memory,
 * and fewer where there is more than 64 GiB (alloc_large_system_hash()).
 */
static uint64_t boot_hash_pages(const struct gen *gen, unsigned int scale)
{
	for (uint64_t adapt = 64 * GEN_1G; adapt < gen->nr_pages; adapt *= 4)
		scale++;
	return gen_max(gen_power_of_two(gen->nr_pages >> (scale - GMS_PAGE_SHIFT)) / 512, 1);
}

/*
 * Returns how many CPUs' areas share 2M: the most that cut it into whole pages, waste no more
 * areas than a third of the CPUs, and need no more 2M than the next smaller number
 * (pcpu_build_alloc_info(); an area is far smaller than 2M, so 2M is the unit of allocation).
 */
static uint64_t boot_pcpu_per_2m(const struct gen *gen)
{
	uint64_t last = UINT64_MAX, best = 1;

	for (uint64_t n = GEN_2M / BOOT_PCPU_PAGES; n; n--) {
		const uint64_t allocs = (gen->nr_vcpus + n - 1) / n;

		if (GEN_2M % n || allocs * n - gen->nr_vcpus > gen->nr_vcpus / 3)
			continue;
		if (allocs > last)
			break;
		last = allocs;
		best = n;
	}
	return best;
}

/* Gives out the areas of the CPUs. What an area does not use goes back to free memory. */
static int boot_lay_out_cpus(struct boot *boot)
{
	const uint64_t per_2m = boot_pcpu_per_2m(boot->gen);
	const uint64_t nr = (boot->gen->nr_vcpus + per_2m - 1) / per_2m * per_2m;
	unsigned int before = 0;

	boot->unit = GEN_2M / per_2m;
	if (boot_anywhere(boot, nr * boot->unit, GEN_2M, &boot->pcpu))
		return -ENOSPC;
	while (before + 1 < boot->nr_free && boot->free[before + 1].start < boot->pcpu)
		before++;
	for (uint64_t i = 0; i < nr; i++) {
		const uint64_t area = boot->pcpu + i * boot->unit;
		const uint64_t used = i < boot->gen->nr_vcpus ? BOOT_PCPU_PAGES : 0;

		boot_add_free(boot, before++, (struct gen_range) {area + used, area + boot->unit});
	}
	return 0;
}

/* Returns the page of a CPU's area that is shared: the last one of its static part. */
static uint64_t boot_pcpu_shared(const struct boot *boot, unsigned int cpu)
{
	return boot->pcpu + cpu * boot->unit + BOOT_PCPU_STATIC - 1;
}

/*
 * Gives out the pool below 4G, aligned to 4K. If there is no room, half of it is tried, down to 1
 * MiB (swiotlb_init_remap()). Then gives out what describes its slots.
 */
static int boot_lay_out_pool(struct boot *boot)
{
	uint64_t slots;

	boot->pool_pages = gen_pool_pages(boot->gen);
	while (!(boot->pool = boot_memblock(boot, boot->pool_pages, 1, GEN_4G))) {
		if (boot->pool_pages <= BOOT_1M)
			return -ENOSPC;
		boot->pool_pages /= 2;
	}
	boot->areas = gen_power_of_two(boot->gen->nr_vcpus);
	boot->areas = gen_min(boot->areas, boot->pool_pages * BOOT_PAGE_SLOTS / BOOT_SEGMENT_SLOTS);
	return boot_anywhere(boot, boot->pool_pages * BOOT_PAGE_SLOTS * BOOT_SLOT_BYTES / 4096, 1,
			     &slots);
}

/* Returns the size of a ring: descriptors, available, used, each aligned to a cache line. */
static uint64_t boot_ring_bytes(unsigned int entries)
{
	return gen_align(16ULL * entries + 6 + 2ULL * entries, 64) + 6 + 8ULL * entries;
}

static uint64_t boot_ring_pages(unsigned int entries)
{
	return gen_align(boot_ring_bytes(entries), 4096) / 4096;
}

static unsigned int boot_queues(const struct boot *boot, const struct boot_device *device)
{
	return device->queues_per_cpu * boot->gen->nr_vcpus + device->queues;
}

/*
 * Returns the size of an atomic pool: 128K for each GiB of free memory, at least that and at most
 * 4 MiB, rounded up to an order (dma_atomic_pool_init()).
 */
static uint64_t boot_atomic_pages(const struct boot *boot)
{
	uint64_t free = 0;

	for (unsigned int i = 0; i < boot->nr_free; i++)
		free += boot->free[i].end - boot->free[i].start;
	return gen_power_of_two(gen_min(gen_max(free / 8192, 32), 1024));
}

/*
 * Finds the memory that is used upwards: above 4G, or behind the kernel. Returns -ENOSPC if it has
 * no room for the buffers that the drivers need, each device beginning a new 2M.
 */
static int boot_lay_out_buddy(struct boot *boot)
{
	uint64_t wanted = 16 * GEN_2M;
	unsigned int i = 0;

	boot->atomic_pages = boot_atomic_pages(boot);
	wanted += 2 * boot->atomic_pages;
	if (boot->gen->nr_ram > 1) {
		boot->next = boot->accepted = GEN_4G;
		boot->top = boot->high.start;
	} else {
		while (boot->free[i].start != BOOT_KERNEL + BOOT_KERNEL_PAGES)
			if (++i == boot->nr_free)
				return -ENOSPC;
		boot->next = boot->free[i].start;
		boot->top = boot->accepted = boot->free[i].end;
	}
	for (i = 0; i < sizeof(boot_devices) / sizeof(*boot_devices); i++)
		wanted += boot_queues(boot, &boot_devices[i]) *
			  boot_ring_pages(boot_devices[i].entries);
	return boot->top - boot->next >= wanted ? 0 : -ENOSPC;
}

/*
 * Gives out all that memblock gives out, in the order of start_kernel(). OVMF takes the top of low
 * memory; how much depends on its image and on what it loaded, so a random page ends it. The first
 * 1M is reserved.
 */
static int boot_lay_out(struct boot *boot)
{
	const struct gen *gen = boot->gen;
	const uint64_t low = gen->ram[0].end;
	const uint64_t firmware = 1 + gen_below(boot->gen, gen_min(low / 8, 64 * BOOT_1M));
	const uint64_t sizes[] = {boot_hash_pages(gen, 13), boot_hash_pages(gen, 14)};
	uint64_t start;
	int ret;

	if (low < BOOT_KERNEL + BOOT_KERNEL_PAGES + firmware + GEN_2M)
		return -ENOSPC;
	boot->free[boot->nr_free++] = (struct gen_range) {BOOT_1M, BOOT_KERNEL};
	boot->free[boot->nr_free++] =
		(struct gen_range) {BOOT_KERNEL + BOOT_KERNEL_PAGES, low - firmware};
	if (gen->nr_ram > 1) {
		boot->free[boot->nr_free++] = gen->ram[1];
		boot->high = (struct gen_range) {gen->ram[1].end, gen->ram[1].end};
	}
	ret = boot_anywhere(boot, BOOT_NODE_PAGES, 1, &start);
	if (!ret)
		ret = boot_anywhere(boot, boot_memmap_pages(gen), GEN_2M, &start);
	if (!ret)
		ret = boot_lay_out_cpus(boot);
	for (int i = 0; i < 2 && !ret; i++)
		ret = boot_anywhere(boot, sizes[i], 1, &start); /* dentries, inodes */
	for (unsigned int cpu = 0; cpu < gen->nr_vcpus && !ret && boot_is_snp(boot); cpu++)
		ret = boot_anywhere(boot, BOOT_GHCB_PAGES, 1, &boot->ghcb[cpu]);
	if (!ret)
		ret = boot_lay_out_pool(boot);
	return ret ? ret : boot_lay_out_buddy(boot);
}

/*
 * Accepts memory up to @end: a block of 4 MiB, the page allocator's largest, at a time, and with
 * it the 2M behind it, which accept_memory() adds as a guard.
 */
static void boot_accept(struct boot *boot, uint64_t end)
{
	while (boot->accepted < end) {
		const uint64_t block = boot->accepted / GEN_4M * GEN_4M;
		const uint64_t guarded = gen_min(block + GEN_4M + GEN_2M, boot->top);

		gen_emit(boot->gen, EVENT_ACCEPT, boot->accepted, guarded - boot->accepted);
		boot->accepted = guarded;
	}
}

/* The page allocator aligns pages to their order. */
uint64_t gen_boot_pages(struct boot *boot, uint64_t nr)
{
	const uint64_t start = gen_align(boot->next, gen_power_of_two(nr));

	boot->next = start + nr;
	boot_accept(boot, boot->next);
	return start;
}

/* Makes pages shared. For TDX, KVM cuts the guest's call every 2M, counted from its start. */
static void boot_to_shared(struct boot *boot, uint64_t start, uint64_t nr)
{
	gen_emit_steps(boot->gen, EVENT_TO_SHARED, start, start + nr,
		       boot_is_snp(boot) ? nr : GEN_2M);
}

/* Shares a coherent buffer. Returns its first page. */
static uint64_t boot_share(struct boot *boot, uint64_t nr)
{
	const uint64_t start = gen_boot_pages(boot, nr);

	boot_to_shared(boot, start, nr);
	return start;
}

/* Between two drivers the guest allocates more than 2M: modules, inodes, page tables. */
static void boot_next_driver(struct boot *boot)
{
	boot->next = gen_align(boot->next, GEN_2M);
}

/*
 * The firmware accepts all memory below 4G. A mail about a TDX guest of 4 GiB and 8 vCPUs counted
 * some 2,710 pages that were accepted by 4K where 2M was possible: for TDX that many for each 4
 * GiB come first, at most 64 MiB.
 */
static void boot_firmware(struct boot *boot)
{
	struct gen *gen = boot->gen;
	const uint64_t nr_4k =
		boot_is_snp(boot) ? 0 : gen_min(gen->nr_pages * 2710 / GEN_4G, 64 * BOOT_1M);

	gen_emit_steps(gen, EVENT_ACCEPT, 0, nr_4k, 1);
	gen_emit(gen, EVENT_ACCEPT, nr_4k, gen->ram[0].end - nr_4k);
}

/*
 * What only SNP shares until the CPUs run: .bss..decrypted, a page of each CPU's area
 * (asynchronous page faults, steal time, end of interrupt), and the GHCBs.
 */
static void boot_share_early(struct boot *boot)
{
	struct gen *gen = boot->gen;

	gen_emit(gen, EVENT_TO_SHARED, BOOT_BSS_DECRYPTED, GEN_2M);
	gen_emit(gen, EVENT_HOST_READ, BOOT_BSS_DECRYPTED, 1); /* the first GHCB */
	gen_emit(gen, EVENT_HOST_WRITE, BOOT_BSS_DECRYPTED, 2); /* and the first clock */
	for (unsigned int cpu = 0; cpu < gen->nr_vcpus; cpu++)
		gen_emit(gen, EVENT_TO_SHARED, boot_pcpu_shared(boot, cpu), 1);
	for (unsigned int cpu = 0; cpu < gen->nr_vcpus; cpu++)
		gen_emit(gen, EVENT_TO_SHARED, boot->ghcb[cpu], 1);
}

/*
 * Until the CPUs run. memblock accepts what it gives out. The host writes a CPU's steal time when
 * the CPU runs, and reads and writes its GHCB at each exit that uses the GHCB.
 */
static void boot_early(struct boot *boot)
{
	struct gen *gen = boot->gen;
	const uint64_t high = gms_order_down(boot->high.start, GMS_ORDER_2M);

	boot_firmware(boot);
	if (boot->high.start < boot->high.end)
		gen_emit(gen, EVENT_ACCEPT, high, boot->high.end - high);
	if (boot_is_snp(boot))
		boot_share_early(boot);
	boot_to_shared(boot, boot->pool, boot->pool_pages);
	for (unsigned int cpu = 0; cpu < gen->nr_vcpus && boot_is_snp(boot); cpu++) {
		gen_emit(gen, EVENT_HOST_WRITE, boot_pcpu_shared(boot, cpu), 1);
		gen_emit(gen, EVENT_HOST_READ, boot->ghcb[cpu], 1);
		gen_emit(gen, EVENT_HOST_WRITE, boot->ghcb[cpu], 1);
	}
}

/*
 * The initcalls: the clocks of CPUs from the 65th on, 64 bytes each; the three atomic pools, of
 * which that for DMA lies below 16M, and that for DMA32 below 4G; then the unused part of
 * .bss..decrypted goes back (mem_encrypt_free_decrypted_mem()).
 */
static void boot_initcalls(struct boot *boot)
{
	const unsigned int nr_vcpus = boot->gen->nr_vcpus;
	const uint64_t atomic = boot->atomic_pages;

	if (nr_vcpus > 64)
		boot_share(boot, gen_power_of_two((nr_vcpus - 1) / 64));
	boot_next_driver(boot);
	boot_share(boot, atomic);
	boot_to_shared(boot, gen_max(BOOT_1M, atomic), atomic);
	if (boot->gen->nr_ram > 1)
		boot_to_shared(boot, gen_align(BOOT_KERNEL + BOOT_KERNEL_PAGES, atomic), atomic);
	else
		boot_share(boot, atomic);
	if (boot_is_snp(boot))
		gen_emit(boot->gen, EVENT_TO_PRIVATE, BOOT_BSS_DECRYPTED + BOOT_BSS_USED,
			 GEN_2M - BOOT_BSS_USED);
}

/*
 * The drivers: sev-guest's request, response and certificates; the rings of virtio. A device reads
 * and writes the rings that are in use.
 */
static void boot_drivers(struct boot *boot)
{
	if (boot_is_snp(boot)) {
		boot_next_driver(boot);
		boot_share(boot, 1);
		boot_share(boot, 1);
		boot_share(boot, 4);
	}
	for (unsigned int i = 0; i < sizeof(boot_devices) / sizeof(*boot_devices); i++) {
		const struct boot_device *device = &boot_devices[i];
		const uint64_t nr = boot_ring_pages(device->entries);

		boot_next_driver(boot);
		for (unsigned int queue = 0; queue < boot_queues(boot, device); queue++) {
			const uint64_t ring = boot_share(boot, nr);

			if (!i && !queue)
				boot->disk_rings = ring;
			if (queue >= device->queues_in_use)
				continue;
			gen_emit(boot->gen, EVENT_HOST_READ, ring, nr);
			gen_emit(boot->gen, EVENT_HOST_WRITE, ring, nr);
		}
	}
}

/*
 * A CPU reads from the disk into the page cache: the device reads the CPU's ring, writes the
 * bounce buffer, and writes the ring. Each CPU takes slots of its own area, one after another,
 * and none across the end of a segment (swiotlb_search_pool_area()).
 */
void gen_boot_read(struct boot *boot)
{
	struct gen *gen = boot->gen;
	const unsigned int entries = boot_devices[0].entries;
	const uint64_t cpu = gen_below(gen, gen->nr_vcpus);
	const uint64_t area = cpu % boot->areas;
	const uint64_t in_area = boot->pool_pages * BOOT_PAGE_SLOTS / boot->areas;
	const uint64_t nr = gen_below(gen, 4) ? BOOT_PAGE_SLOTS : BOOT_SEGMENT_SLOTS;
	const uint64_t ring = boot->disk_rings + cpu * boot_ring_pages(entries);
	uint64_t *next = &boot->next_slot[area];

	if (*next % BOOT_SEGMENT_SLOTS + nr > BOOT_SEGMENT_SLOTS)
		*next = gen_align(*next, BOOT_SEGMENT_SLOTS);
	if (*next + nr > in_area)
		*next = 0;
	gen_row(gen, EVENT_HOST_READ, ring << GMS_PAGE_SHIFT, boot_ring_bytes(entries));
	gen_emit(gen, EVENT_HOST_WRITE, boot->pool + (area * in_area + *next) / BOOT_PAGE_SLOTS,
		 nr / BOOT_PAGE_SLOTS);
	gen_row(gen, EVENT_HOST_WRITE, ring << GMS_PAGE_SHIFT, boot_ring_bytes(entries));
	gen->now_us += 50 + gen_below(gen, 500);
	*next += nr;
	if (boot->top - boot->next >= nr) /* enough, wherever the pages are aligned */
		gen_boot_pages(boot, nr / BOOT_PAGE_SLOTS);
}

int gen_boot(struct boot *boot, struct gen *gen)
{
	int ret;

	*boot = (struct boot) {.gen = gen};
	ret = boot_lay_out(boot);
	if (ret)
		return ret;
	gen_head(gen);
	boot_early(boot);
	boot_initcalls(boot);
	boot_drivers(boot);
	return 0;
}
