// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_page.c - what a page should hold (load_command.h)
 *
 * A reader that runs beside a writer can say little. But if a page's generation is the same before
 * and after the read, the vCPU has not written to the page meanwhile, and all its words are known.
 */
#include "load.h"

#include <stdio.h>

static uint64_t page_key(uint64_t page, uint32_t generation)
{
	return (page << 32 | generation) * LOAD_MULTIPLIER;
}

static uint64_t page_sum(uint64_t sum, uint64_t word)
{
	return (sum << 1 | sum >> 63) + word;
}

void load_page_fill(uint64_t *words, uint64_t page, uint32_t generation)
{
	uint64_t word = page_key(page, generation), sum = 0;

	for (unsigned int i = 0; i < LOAD_SUM; i++, word += LOAD_STEP) {
		words[i] = word;
		sum = page_sum(sum, word);
	}
	words[LOAD_SUM] = sum;
	for (unsigned int i = LOAD_HOST; i < PAGE / sizeof(*words); i++)
		words[i] = 0;
}

uint64_t load_page_number(uint64_t page, unsigned int thread, uint32_t number)
{
	if (!number)
		return 0;
	return ((uint64_t)number << 32 | page << 8 | thread) ^ LOAD_MARK;
}

void load_look_begin(const struct load *l, uint64_t page, struct load_look *look)
{
	const struct load_record *record = &l->records[page];

	look->page = page;
	look->done = atomic_load(&record->done);
	for (unsigned int i = 0; i < LOAD_HOSTS; i++)
		look->host[i] = atomic_load(&record->host[i].done);
}

/* Judges the words of the vCPU, which has not written since the look began. */
static void look_at_generation(struct load *l, const struct load_look *look, const uint64_t *words)
{
	uint64_t word = page_key(look->page, look->done), sum = 0;
	unsigned int i;

	for (i = 0; i < LOAD_SUM && words[i] == word; i++, word += LOAD_STEP)
		sum = page_sum(sum, words[i]);
	if (i == LOAD_SUM)
		word = sum;
	if (words[i] != word) {
		load_mismatch(l, "page %llu, word %u: the host reads 0x%llx, and not 0x%llx",
			      (unsigned long long)look->page, i, (unsigned long long)words[i],
			      (unsigned long long)word);
		load_page_explain(l, look->page, i, words[i]);
	}
}

static void look_at_number(struct load *l, const struct load_look *look, unsigned int thread,
			   uint64_t word, uint32_t begun)
{
	uint32_t number = word ? (uint32_t)((word ^ LOAD_MARK) >> 32) : 0;

	if (word == load_page_number(look->page, thread, number) && number >= look->host[thread] &&
	    number <= begun)
		return;
	load_mismatch(l, "page %llu: the host reads 0x%llx of host %u, and not number %u to %u",
		      (unsigned long long)look->page, (unsigned long long)word, thread,
		      look->host[thread], begun);
}

void load_look_end(struct load *l, const struct load_look *look, const uint64_t *words)
{
	const struct load_record *record = &l->records[look->page];

	if (atomic_load(&record->begun) == look->done)
		look_at_generation(l, look, words);
	for (unsigned int i = 0; i < LOAD_HOSTS; i++)
		look_at_number(l, look, i, words[LOAD_HOST + i],
			       atomic_load(&record->host[i].begun));
	atomic_fetch_add(&l->tally->host, 1);
}

/* Returns the inverse of an odd number modulo 2^64, by Newton's iteration. */
static uint64_t inverse(uint64_t number)
{
	uint64_t x = number;

	for (int i = 0; i < 6; i++)
		x *= 2 - number * x;
	return x;
}

void load_page_explain(const struct load *l, uint64_t page, uint64_t i, uint64_t word)
{
	const uint64_t key = (word - i * LOAD_STEP) * inverse(LOAD_MULTIPLIER);
	const uint64_t other = key >> 32;

	if (page >= l->nr_pages)
		return;
	printf("the generation of page %llu is %u; ", (unsigned long long)page,
	       atomic_load(&l->records[page].done));
	if (!word)
		printf("it reads 0\n");
	else if (i < LOAD_SUM && other < l->nr_pages)
		printf("it reads generation %u of page %llu\n", (uint32_t)key,
		       (unsigned long long)other);
	else
		printf("the word is no page's\n");
}
