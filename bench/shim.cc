// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * shim.cc - Google Benchmark for benchmarks that are written in C
 *
 * Each row of each peer is registered as "row/peer". A row takes operations in batches
 * (bench_more), so that Google Benchmark's own loop is not in the measured time.
 *
 *	gms_bench --selfcheck[=rounds[,seed]]	compare the peers with each other instead
 *	gms_bench --brief ...			few operations in rows that empty the caches
 */
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench.h"
#include "vmm/vmm.h"

static benchmark::State &state_of(struct bench *bench)
{
	return *reinterpret_cast<benchmark::State *>(bench);
}

bool bench_more(struct bench *bench, uint64_t nr)
{
	return state_of(bench).KeepRunningBatch(static_cast<benchmark::IterationCount>(nr));
}

void bench_counter(struct bench *bench, const char *name, double value)
{
	state_of(bench).counters[name] = value;
}

void bench_pause(struct bench *bench, bool on)
{
	if (on)
		state_of(bench).PauseTiming();
	else
		state_of(bench).ResumeTiming();
}

static int selfcheck(const char *arg)
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

static bool brief;

/* of a row that does a given number of operations */
static uint64_t operations(const struct bench_row *row)
{
	return brief && row->once == BENCH_COLD_OPS ? 2 : row->once;
}

static void add(const char *peer, const struct bench_row *row)
{
	std::string name = std::string(row->name) + "/" + peer;
	bench_fn fn = row->fn;
	auto *b = benchmark::RegisterBenchmark(name.c_str(), [fn](benchmark::State &state) {
		fn(reinterpret_cast<struct bench *>(&state));
	});

	if (row->once)
		b->Iterations(static_cast<benchmark::IterationCount>(operations(row)));
	if (row->wall)
		b->UseRealTime();
	if (row->once == 1)
		b->Repetitions(1); // a figure that does not vary
}

static void nothing(void *)
{
}

static void say(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

/* Is this the first argument? Then it is taken away. */
static bool take_first(int *argc, char **argv, const char *name)
{
	if (*argc < 2 || std::strcmp(argv[1], name))
		return false;
	std::memmove(argv + 1, argv + 2, static_cast<size_t>(*argc - 1) * sizeof(*argv));
	--*argc;
	return true;
}

static void add_all()
{
	for (size_t p = 0; p < bench_nr_peers; p++) {
		for (const struct bench_row *r = bench_peers[p]->rows; r->name; r++)
			add(bench_peers[p]->name, r);
	}
	for (size_t p = 0; p < bench_nr_vmm_peers; p++) {
		for (const struct bench_row *r = bench_vmm_peers[p]->rows; r->name; r++)
			add(bench_vmm_peers[p]->name, r);
	}
}

int main(int argc, char **argv)
{
	static const char check[] = "--selfcheck";

	if (argc == 2 && !std::strncmp(argv[1], check, sizeof(check) - 1))
		return selfcheck(argv[1] + sizeof(check) - 1);
	// made now, so that no peer's memory row counts them
	bench_mixed_16g = bench_mixed_of(BENCH_16G, 100);
	for (unsigned int per_mille : {1, 100, 1000})
		bench_mixed_of(BENCH_1T, per_mille);
	// as in a VMM, there are other threads: glibc's locks cost less where there are none
	bench_second_start(nothing, nullptr);
	bench_second_stop();
	brief = take_first(&argc, argv, "--brief");
	bench_machine(say);
	add_all();
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return EXIT_FAILURE;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return EXIT_SUCCESS;
}
