// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * shim.cc - makes Google Benchmark usable from C
 *
 * Registers each row of each peer as "row/peer". A row does operations in batches (bench_more()),
 * so that the loop of Google Benchmark adds nothing to the measured time.
 *
 *	gms_bench --selfcheck[=rounds[,seed]]	compares the peers, and measures nothing
 *	gms_bench --brief ...			does few operations in rows that empty the caches
 */
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench.h"
#include "vmm/vmm.h"

static benchmark::State &shim_state(struct bench *bench)
{
	return *reinterpret_cast<benchmark::State *>(bench);
}

bool bench_more(struct bench *bench, uint64_t nr)
{
	return shim_state(bench).KeepRunningBatch(static_cast<benchmark::IterationCount>(nr));
}

void bench_counter(struct bench *bench, const char *name, double value)
{
	shim_state(bench).counters[name] = value;
}

void bench_pause(struct bench *bench, bool on)
{
	if (on)
		shim_state(bench).PauseTiming();
	else
		shim_state(bench).ResumeTiming();
}

static int shim_selfcheck(const char *arg)
{
	unsigned int rounds = 20;
	unsigned long long seed = 1;

	if (*arg == '=' && std::sscanf(arg + 1, "%u,%llu", &rounds, &seed) < 1) {
		std::fprintf(stderr, "usage: --selfcheck[=rounds[,seed]]\n");
		return EXIT_FAILURE;
	}
	if (bench_selfcheck(seed, rounds) || bench_vmm_selfcheck(seed, rounds))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static bool shim_brief;

/* Returns the number of operations of a row with a fixed number. */
static uint64_t shim_operations(const struct bench_row *row)
{
	return shim_brief && row->once == BENCH_COLD_OPS ? 2 : row->once;
}

static void shim_add(const char *peer, const struct bench_row *row)
{
	std::string name = std::string(row->name) + "/" + peer;
	bench_fn fn = row->fn;
	auto *b = benchmark::RegisterBenchmark(name.c_str(), [fn](benchmark::State &state) {
		fn(reinterpret_cast<struct bench *>(&state));
	});

	if (row->once)
		b->Iterations(static_cast<benchmark::IterationCount>(shim_operations(row)));
	if (row->wall)
		b->UseRealTime();
	if (row->once == 1)
		b->Repetitions(1); // a figure that does not vary
}

static void shim_nothing(void *)
{
}

static void shim_say(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

/* Removes the first argument and returns true, if it is @name. */
static bool shim_take_first(int *argc, char **argv, const char *name)
{
	if (*argc < 2 || std::strcmp(argv[1], name))
		return false;
	std::memmove(argv + 1, argv + 2, static_cast<size_t>(*argc - 1) * sizeof(*argv));
	--*argc;
	return true;
}

static void shim_add_all()
{
	for (size_t p = 0; p < bench_nr_peers; p++) {
		for (const struct bench_row *r = bench_peers[p]->rows; r->name; r++)
			shim_add(bench_peers[p]->name, r);
	}
	for (size_t p = 0; p < bench_nr_vmm_peers; p++) {
		for (const struct bench_row *r = bench_vmm_peers[p]->rows; r->name; r++)
			shim_add(bench_vmm_peers[p]->name, r);
	}
}

int main(int argc, char **argv)
{
	static const char check[] = "--selfcheck";

	if (argc == 2 && !std::strncmp(argv[1], check, sizeof(check) - 1))
		return shim_selfcheck(argv[1] + sizeof(check) - 1);
	// Makes the patterns now, so that no peer's memory row counts them.
	bench_mixed_16g = bench_mixed_of(BENCH_16G, 100);
	for (unsigned int per_mille : {1, 100, 1000})
		bench_mixed_of(BENCH_1T, per_mille);
	// Starts another thread, as a VMM does: without one, glibc's locks cost less.
	bench_second_start(shim_nothing, nullptr);
	bench_second_stop();
	shim_brief = shim_take_first(&argc, argv, "--brief");
	bench_machine(shim_say);
	shim_add_all();
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return EXIT_FAILURE;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return EXIT_SUCCESS;
}
