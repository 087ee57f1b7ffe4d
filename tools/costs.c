// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * costs.c - what the work of the simulated machine costs: see costs.h
 */
#include "costs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How the loss of a guest becomes a rent: one vCPU for each 4 GiB, at the default clock. */
#define COSTS_DEFAULT_CLOCK 3e9
#define COSTS_GIB_PER_VCPU 4
#define COSTS_RENT_OF_1G(loss) ((loss)*COSTS_DEFAULT_CLOCK / COSTS_GIB_PER_VCPU)
#define COSTS_RENT_OF_2M(loss) (COSTS_RENT_OF_1G(loss) / 512)

#define COSTS_MAIL "the mail of the HugeTLB series for guest_memfd, SNP"

static const struct {
	const char *name;
	double value;
	const char *kind;
	const char *source;
} costs_defaults[COSTS_NR] = {
	[COSTS_CONVERT] = {"convert", 320, "published",
			   COSTS_MAIL ": a conversion that neither splits nor merges"},
	[COSTS_APPLY + COSTS_SNP] = {"apply_snp", 500, "assumed", "one RMPUPDATE"},
	[COSTS_APPLY + COSTS_TDX] = {"apply_tdx", 6000, "assumed",
				     "calls of the TDX module: block, track and remove, or add"},
	[COSTS_APPLY + COSTS_PKVM] = {"apply_pkvm", 2000, "assumed",
				      "a hypercall that changes two stage-2 tables"},
	[COSTS_PREPARE +
		COSTS_SNP] = {"prepare_snp", 1000, "assumed", "one RMPUPDATE, and the exit for it"},
	[COSTS_PREPARE +
		COSTS_TDX] = {"prepare_tdx", 3000, "assumed", "one call of the TDX module"},
	[COSTS_PREPARE +
		COSTS_PKVM] = {"prepare_pkvm", 500, "assumed", "the guest's stage-2 table alone"},
	[COSTS_SPLIT_1G] = {"split_1g", 46475980, "published",
			    COSTS_MAIL ", 1G pages: a split or a merge, between 1G and 4K"},
	[COSTS_SPLIT_2M] = {"split_2m", 112079, "derived",
			    COSTS_MAIL ", 2M pages: 7% of 1,043,938,460 cycles of conversions, "
				       "over 652 splits and merges"},
	[COSTS_MERGE_1G] = {"merge_1g", 46475980, "published",
			    COSTS_MAIL ", 1G pages: a split or a merge, between 1G and 4K"},
	[COSTS_MERGE_2M] = {"merge_2m", 112079, "derived", "as split_2m"},
	[COSTS_FAULT] = {"fault", 4500, "assumed", "a first touch of 1,500 ns at 3 GHz"},
	[COSTS_ZAP] = {"zap", 500, "assumed", "one entry, without the shootdown of TLBs"},
	[COSTS_ALLOC] = {"alloc", 1000, "assumed", "bookkeeping of one folio"},
	[COSTS_FREE] = {"free", 500, "assumed", "bookkeeping of one folio"},
	[COSTS_CLEAR] = {"clear", 512, "assumed", "8 bytes a cycle; in no sum"},
	[COSTS_RENT_2M] = {"rent_2m", COSTS_RENT_OF_2M(.10), "assumed",
			   "a loss of 10% if 4K entries mapped all memory; a vCPU for 4 GiB"},
	[COSTS_RENT_1G] = {"rent_1g", COSTS_RENT_OF_1G(.01), "assumed",
			   "a loss of 1% if 2M entries mapped all memory; a vCPU for 4 GiB"},
	[COSTS_CLOCK] = {"clock_hz", COSTS_DEFAULT_CLOCK, "assumed", "a server of 3 GHz"},
};

static const char *const costs_kinds[] = {"published", "derived", "measured", "assumed"};

/* The price of each kind of work. COSTS_APPLY and COSTS_PREPARE are those of the first arch. */
static const struct {
	enum costs_id id;
	double units;
} costs_works[SIM_NR_WORK] = {
	[SIM_WORK_CONVERT] = {COSTS_CONVERT, 1},
	[SIM_WORK_APPLY] = {COSTS_APPLY, 1},
	[SIM_WORK_PREPARE] = {COSTS_PREPARE, 1},
	[SIM_WORK_SPLIT_1G] = {COSTS_SPLIT_1G, SIM_VMEMMAP_1G_4K},
	[SIM_WORK_SPLIT_2M] = {COSTS_SPLIT_2M, 1},
	[SIM_WORK_MERGE_1G] = {COSTS_MERGE_1G, SIM_VMEMMAP_1G_4K},
	[SIM_WORK_MERGE_2M] = {COSTS_MERGE_2M, 1},
	[SIM_WORK_FAULT] = {COSTS_FAULT, 1},
	[SIM_WORK_ZAP] = {COSTS_ZAP, 1},
	[SIM_WORK_ALLOC] = {COSTS_ALLOC, 1},
	[SIM_WORK_FREE] = {COSTS_FREE, 1},
	[SIM_WORK_CLEAR] = {COSTS_NR, 1},
};

void costs_init(struct costs *costs)
{
	for (int id = 0; id < COSTS_NR; id++)
		costs->item[id] =
			(struct costs_item) {costs_defaults[id].value, costs_defaults[id].kind,
					     costs_defaults[id].source, NULL};
}

void costs_fini(struct costs *costs)
{
	for (int id = 0; id < COSTS_NR; id++)
		free(costs->item[id].owned);
}

const char *costs_name(enum costs_id id)
{
	return costs_defaults[id].name;
}

const char *costs_arch_name(enum costs_arch arch)
{
	static const char *const names[COSTS_NR_ARCHS] = {"snp", "tdx", "pkvm"};

	return names[arch];
}

enum costs_id costs_of_work(enum sim_work work, enum costs_arch arch, double *units)
{
	enum costs_id id = costs_works[work].id;

	*units = costs_works[work].units;
	return id == COSTS_APPLY || id == COSTS_PREPARE ? id + arch : id;
}

void costs_add_up(const struct costs *costs, enum costs_arch arch, const uint64_t *done,
		  double *part)
{
	double units;

	for (enum sim_work work = 0; work < SIM_NR_WORK; work++) {
		const enum costs_id id = costs_of_work(work, arch, &units);

		if (id != COSTS_NR)
			part[id] += (double)done[work] * costs->item[id].value / units;
	}
}

uint64_t costs_wait_ns(const struct costs *costs, unsigned int order)
{
	const struct costs_item *item = costs->item;
	const bool is_2m = order == GMS_ORDER_2M;
	const double part = is_2m ? 1 : 511. / SIM_VMEMMAP_1G_4K;
	const double cost = part * (item[is_2m ? COSTS_SPLIT_2M : COSTS_SPLIT_1G].value +
				    item[is_2m ? COSTS_MERGE_2M : COSTS_MERGE_1G].value);
	const double ns = cost / item[is_2m ? COSTS_RENT_2M : COSTS_RENT_1G].value * 1e9;

	if (!(ns < 9e18)) /* also if both are 0 */
		return UINT64_MAX;
	return ns < 1 ? 1 : (uint64_t)ns;
}

/* ---- reading ---- */

/* Reads one price. On an error stores what is wrong. Returns 0, -EINVAL or -ENOMEM. */
static int costs_read_item(struct costs_item *item, enum costs_id id, json_t *json, char *error,
			   size_t size)
{
	const char *kind, *source, *name = costs_name(id);
	double value;

	if (json_unpack(json, "{s:F, s:s, s:s !}", "value", &value, "kind", &kind, "source",
			&source)) {
		snprintf(error, size, "%s: not {\"value\": NUMBER, \"kind\": ..., \"source\": ...}",
			 name);
		return -EINVAL;
	}
	if (!isfinite(value) || value < 0 || value > 1e15 || (id == COSTS_CLOCK && value < 1)) {
		snprintf(error, size, "%s: the value is not from %d to 1e15", name,
			 id == COSTS_CLOCK);
		return -EINVAL;
	}
	item->kind = NULL;
	for (size_t i = 0; i < sizeof(costs_kinds) / sizeof(*costs_kinds); i++) {
		if (!strcmp(kind, costs_kinds[i]))
			item->kind = costs_kinds[i];
	}
	if (!item->kind) {
		snprintf(error, size,
			 "%s: the kind is none of published, derived, measured, "
			 "assumed",
			 name);
		return -EINVAL;
	}
	item->value = value;
	item->source = item->owned = strdup(source);
	return item->owned ? 0 : -ENOMEM;
}

static int costs_find(const char *name)
{
	int id = 0;

	while (id < COSTS_NR && strcmp(name, costs_name(id)))
		id++;
	return id;
}

static int costs_read_items(struct costs *costs, json_t *list, char *error, size_t size)
{
	const char *name;
	json_t *json;

	json_object_foreach(list, name, json) {
		const int id = costs_find(name);
		int ret;

		if (id == COSTS_NR) {
			snprintf(error, size, "%.60s: no such price", name);
			return -EINVAL;
		}
		ret = costs_read_item(&costs->item[id], id, json, error, size);
		if (ret)
			return ret;
	}
	return 0;
}

int costs_read(struct costs *costs, FILE *file, char *error, size_t size)
{
	struct costs_item *item = costs->item;
	struct costs new = *costs;
	const char *schema;
	json_error_t where;
	json_t *json = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
	json_t *list = NULL;
	int ret;

	for (int id = 0; id < COSTS_NR; id++)
		new.item[id].owned = NULL;
	if (!json) {
		snprintf(error, size, "line %d: %s", where.line, where.text);
		return -EINVAL;
	}
	if (json_unpack(json, "{s:s, s:o !}", "schema", &schema, "costs", &list) ||
	    strcmp(schema, COSTS_SCHEMA) || !json_is_object(list)) {
		snprintf(error, size, "not {\"schema\": \"" COSTS_SCHEMA "\", \"costs\": {...}}");
		ret = -EINVAL;
	} else {
		ret = costs_read_items(&new, list, error, size);
	}
	json_decref(json);
	if (ret) {
		costs_fini(&new);
		return ret;
	}
	for (int id = 0; id < COSTS_NR; id++) {
		if (!new.item[id].owned)
			continue;
		free(item[id].owned);
		item[id] = new.item[id];
	}
	return 0;
}

/* Parses one of the two rents. @whole: the rent of a loss of all cycles. Moves *text behind it. */
static bool costs_parse_rent(const char **text, double whole, double *rent)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*rent = strtod(*text, &end);
	if (*end == '%') {
		if (*rent > 100)
			return false;
		*rent = *rent / 100 * whole;
		end++;
	}
	*text = end;
	return isfinite(*rent) && *rent <= 1e15;
}

int costs_set_rent(struct costs *costs, const char *text)
{
	struct costs_item *const items[] = {&costs->item[COSTS_RENT_2M],
					    &costs->item[COSTS_RENT_1G]};
	double rent[2];

	if (!costs_parse_rent(&text, COSTS_RENT_OF_2M(1), &rent[0]) || *text++ != ',' ||
	    !costs_parse_rent(&text, COSTS_RENT_OF_1G(1), &rent[1]) || *text)
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		free(items[i]->owned);
		*items[i] = (struct costs_item) {rent[i], "assumed", "the option --rent", NULL};
	}
	return 0;
}

json_t *costs_json(const struct costs *costs)
{
	json_t *list = json_object();

	for (int id = 0; id < COSTS_NR; id++) {
		const struct costs_item *item = &costs->item[id];
		json_t *json = json_pack("{s:f, s:s, s:s}", "value", item->value, "kind",
					 item->kind, "source", item->source);

		if (json_object_set_new(list, costs_name(id), json)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
