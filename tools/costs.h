/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * costs.h - what the work of the simulated machine costs
 *
 * A price has a value, a kind and a source. The kind says how far to trust the value:
 *
 *  published  a mail or a paper gives the value
 *  derived    the value follows by arithmetic from published values
 *  measured   somebody ran it, and the source says on what
 *  assumed    a round number of a plausible size
 *
 * docs/cost-model.md has the reasons. The default prices are in costs.c. A file may replace some
 * of them, or all:
 *
 *	{
 *	  "schema": "gmemstate-costs-1",
 *	  "costs": {
 *	    "split_2m": {"value": 96000, "kind": "measured", "source": "my host, 2 October"}
 *	  }
 *	}
 *
 * Invariant: clearing memory has a price, and is in no sum. All policies clear the same memory.
 */
#ifndef GMS_TOOL_COSTS_H
#define GMS_TOOL_COSTS_H

#include <sim.h>

#include <jansson.h>

/** COSTS_SCHEMA - the value of "schema" in a file of prices */
#define COSTS_SCHEMA "gmemstate-costs-1"

/** enum costs_arch - the architectures that differ in what an entry of RMP or S-EPT costs */
enum costs_arch { COSTS_SNP, COSTS_TDX, COSTS_PKVM, COSTS_NR_ARCHS };

/**
 * enum costs_id - the prices. Units are cycles, unless the name says otherwise
 * @COSTS_CONVERT: one run of pages that apply converts
 * @COSTS_APPLY: one entry of 4K or 2M of such a run; by architecture, from here on
 * @COSTS_PREPARE: one entry of 4K or 2M that prepare makes; by architecture, from here on
 * @COSTS_SPLIT_1G: a split of 1G to 4K; to 2M: in proportion to the vmemmap that is restored
 * @COSTS_SPLIT_2M: a split of 2M to 4K
 * @COSTS_MERGE_1G: a merge of 4K folios to 1G; of larger folios: in proportion, as for a split
 * @COSTS_MERGE_2M: a merge of 4K folios to 2M
 * @COSTS_FAULT: one fault, of the guest or the host
 * @COSTS_ZAP: the removal of one mapping
 * @COSTS_ALLOC: the allocation of one folio, without clearing it
 * @COSTS_FREE: the freeing of one folio
 * @COSTS_CLEAR: setting one page to 0; in no sum
 * @COSTS_RENT_2M: what the guest loses in a second per 2M of private memory that 4K entries map
 * @COSTS_RENT_1G: what the guest loses in a second per 1G of private memory that 2M or 4K entries
 *                 map
 * @COSTS_CLOCK: cycles in a second
 */
enum costs_id {
	COSTS_CONVERT,
	COSTS_APPLY,
	COSTS_PREPARE = COSTS_APPLY + COSTS_NR_ARCHS,
	COSTS_SPLIT_1G = COSTS_PREPARE + COSTS_NR_ARCHS,
	COSTS_SPLIT_2M,
	COSTS_MERGE_1G,
	COSTS_MERGE_2M,
	COSTS_FAULT,
	COSTS_ZAP,
	COSTS_ALLOC,
	COSTS_FREE,
	COSTS_CLEAR,
	COSTS_RENT_2M,
	COSTS_RENT_1G,
	COSTS_CLOCK,
	COSTS_NR
};

/**
 * struct costs - a list of prices
 * @item: the prices, by enum costs_id. @value is finite, and not negative; that of COSTS_CLOCK is
 *        above 0. @owned is what costs_fini() frees, or NULL
 */
struct costs {
	struct costs_item {
		double value;
		const char *kind;
		const char *source;
		char *owned;
	} item[COSTS_NR];
};

/**
 * costs_init() - fill in the default prices
 * @costs: filled in; costs_fini() has to follow
 */
void costs_init(struct costs *costs);

/**
 * costs_read() - replace prices by those of a file
 * @costs: the prices to change; unchanged after an error
 * @file: the file, JSON as above
 * @error: stores what is wrong with the file
 * @size: bytes at @error
 *
 * Return: 0; -EINVAL: see @error; -ENOMEM.
 */
int costs_read(struct costs *costs, FILE *file, char *error, size_t size);

/**
 * costs_set_rent() - set the two rents
 * @costs: the prices to change; unchanged after an error
 * @text: two values, separated by a comma, that of 2M first. A value is a number of cycles in a
 *        second, or a number from 0 to 100 and "%": the share of its cycles that a guest with one
 *        vCPU for each 4 GiB would lose if all of its memory had mappings of the smaller size
 *
 * Return: 0; -EINVAL: @text is no rent.
 */
int costs_set_rent(struct costs *costs, const char *text);

/** costs_fini() - free what prices hold */
void costs_fini(struct costs *costs);

/** costs_name() - return the name of a price, as in a file: "split_2m" */
const char *costs_name(enum costs_id id);

/** costs_arch_name() - return the name of an architecture: "snp", "tdx" or "pkvm" */
const char *costs_arch_name(enum costs_arch arch);

/**
 * costs_of_work() - find the price of a kind of work
 * @work: the work
 * @arch: the architecture
 * @units: stores how many units of the work the price is for
 *
 * Return: the price; COSTS_NR: the work is in no sum.
 */
enum costs_id costs_of_work(enum sim_work work, enum costs_arch arch, double *units);

/**
 * costs_add_up() - add up what work costs, by price
 * @costs: the prices
 * @arch: the architecture
 * @done: units of work, by enum sim_work
 * @part: cycles by enum costs_id, to which those of the work are added. Clearing is left out
 */
void costs_add_up(const struct costs *costs, enum costs_arch arch, const uint64_t *done,
		  double *part);

/**
 * costs_wait_ns() - return how long a rent takes to cost as much as a merge and a split
 * @costs: the prices
 * @order: 9: a 2M block that 4K folios back; 18: a 1G block that 2M folios back
 *
 * Return: nanoseconds, at least 1; UINT64_MAX if the rent is 0.
 */
uint64_t costs_wait_ns(const struct costs *costs, unsigned int order);

/**
 * costs_json() - pack all prices: a member for each name, with value, kind and source
 * @costs: the prices
 *
 * Return: an object that the caller owns; NULL: out of memory.
 */
json_t *costs_json(const struct costs *costs);

#endif /* GMS_TOOL_COSTS_H */
