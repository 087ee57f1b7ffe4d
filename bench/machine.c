/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * machine.c - properties of the machine that a reader of its figures has to know
 *
 * Most of them are costs of two threads: on some virtual machines a cache line takes 1.5 us from
 * one processor to another and back, on others a twentieth of that.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "cold.h"

#define MACHINE_TRIES 5

static void machine_say_ns(bench_say say, const char *key, double ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", ns);
	say(key, text);
}

/* Says the first "model name" of /proc/cpuinfo. */
static void machine_say_cpu(bench_say say)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256], *value;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "model name", 10) || !(value = strstr(line, ": ")))
			continue;
		value[strcspn(value, "\n")] = 0;
		say("cpu", value + 2);
		break;
	}
	if (f)
		fclose(f);
}

/* Reads a word from a file about one of cpu0's caches. Returns false if there is none. */
static bool machine_read_cache(int index, const char *name, char word[16])
{
	char path[96];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
	f = fopen(path, "re");
	ok = f && fscanf(f, "%15s", word) == 1;
	if (f)
		fclose(f);
	return ok;
}

static void machine_say_caches(bench_say say)
{
	char level[16], type[16], size[16], key[4] = "l?";

	for (int i = 0; machine_read_cache(i, "level", level); i++) {
		if (!machine_read_cache(i, "type", type) || !machine_read_cache(i, "size", size) ||
		    !strcmp(type, "Instruction"))
			continue;
		key[1] = level[0];
		say(key, size);
	}
}

/* ---- a cache line between two processors ---- */

static struct {
	uint64_t turn;
} __attribute__((aligned(128))) line;

/* Waits for the line 1000 times, and returns it each time that it comes. */
static void machine_return_line(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		if (__atomic_load_n(&line.turn, __ATOMIC_ACQUIRE))
			__atomic_store_n(&line.turn, 0, __ATOMIC_RELEASE);
	}
}

static double machine_round_trips(int nr)
{
	const uint64_t from = bench_ticks();

	for (int i = 0; i < nr; i++) {
		__atomic_store_n(&line.turn, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&line.turn, __ATOMIC_ACQUIRE))
			;
	}
	return bench_ticks_ns((double)(bench_ticks() - from)) / nr;
}

static void machine_say_line(bench_say say)
{
	double ns, least = 0;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) || CPU_COUNT(&cpus) < 2)
		return;
	bench_second_start(machine_return_line, NULL);
	for (int i = 0; i < 4 * MACHINE_TRIES; i++) {
		ns = machine_round_trips(2000);
		least = !i || ns < least ? ns : least;
	}
	bench_second_stop();
	machine_say_ns(say, "line_there_and_back_ns", least);
}

/* ---- operations of one thread ---- */

static void machine_xadd(void)
{
	static uint64_t word;

	__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
}

static void machine_mutex(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static void machine_pause(void)
{
#if defined(__x86_64__)
	_mm_pause();
#endif
}

/* Says the least of some tries. It includes the cost of the call. */
static void machine_say_cost(bench_say say, const char *key, void (*fn)(void))
{
	const int nr = 100000;
	double ns, least = 0;
	uint64_t from;

	for (int i = 0; i < MACHINE_TRIES; i++) {
		from = bench_ticks();
		for (int n = 0; n < nr; n++)
			fn();
		ns = bench_ticks_ns((double)(bench_ticks() - from)) / nr;
		least = !i || ns < least ? ns : least;
	}
	machine_say_ns(say, key, least);
}

void bench_machine(bench_say say)
{
	machine_say_cpu(say);
	machine_say_caches(say);
	machine_say_line(say);
	machine_say_cost(say, "lock_xadd_ns", machine_xadd);
	machine_say_cost(say, "mutex_pair_ns", machine_mutex);
	machine_say_cost(say, "pause_ns", machine_pause);
	machine_say_ns(say, "cold_line_ns", bench_cold_line());
}
