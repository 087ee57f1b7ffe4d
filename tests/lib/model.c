// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model.c - the arrays of the model, queries about them, and the calls of the hooks
 */
#include "model.h"
#include "test.h"

static const char *const policy_names[MODEL_NR_POLICIES] = {
	"eager-rfc", "eager", "eager-nonuniform", "lazy-4k", "lazy", "adaptive",
};

const char *model_policy_name(enum model_policy policy)
{
	return policy_names[policy];
}

static void *array(uint64_t count, size_t size)
{
	void *mem = calloc(count, size);

	if (!mem) {
		fprintf(stderr, "no memory for the model\n");
		exit(2);
	}
	return mem;
}

void model_init(struct model *model, const struct model_opts *opts)
{
	uint64_t nr = opts->nr_pages;
	uint64_t i;

	memset(model, 0, sizeof(*model));
	model->opts = *opts;
	model->nr_pages = nr;
	model->nr_blocks = (nr + MODEL_1G - 1) / MODEL_1G;
	model->private = array(nr, 1);
	model->allocated = array(nr, 1);
	model->prepared = array(nr, 1);
	model->order = array(nr, 1);
	model->mapped = array(nr, 1);
	model->quarantined = array(nr, 1);
	model->limit = array(nr, 1);
	model->attrs = array(nr, 1);
	model->pinned = array(nr, 1);
	model->pins = array(nr, sizeof(*model->pins));
	model->old_private = array(nr, 1);
	model->old_order = array(nr, 1);
	model->old_mapped = array(nr, 1);
	model->covered = array(nr, 1);
	model->expected = array(nr, 1);
	model->blocks = array(model->nr_blocks, sizeof(*model->blocks));
	model->rents_2m = array(nr / MODEL_2M + 1, sizeof(*model->rents_2m));
	model->rents_1g = array(model->nr_blocks, sizeof(*model->rents_1g));
	model->rent_best[0] = model->rent_best[1] = MODEL_RULE_1;
	memset(model->private, opts->init_private, nr);
	memset(model->limit, GMS_ORDER_1G, nr);
	for (i = 0; i < nr; i++)
		model->order[i] = (uint8_t)model_natural(model, i);
}

void model_fini(struct model *model)
{
	free(model->private);
	free(model->allocated);
	free(model->prepared);
	free(model->order);
	free(model->mapped);
	free(model->quarantined);
	free(model->limit);
	free(model->attrs);
	free(model->pinned);
	free(model->pins);
	free(model->old_private);
	free(model->old_order);
	free(model->old_mapped);
	free(model->covered);
	free(model->expected);
	free(model->blocks);
	free(model->rents_2m);
	free(model->rents_1g);
	memset(model, 0, sizeof(*model));
}

bool model_good_range(const struct model *model, uint64_t start, uint64_t nr_pages)
{
	return nr_pages && start < model->nr_pages && nr_pages <= model->nr_pages - start;
}

static uint64_t block_start(uint64_t index, unsigned int order)
{
	return index >> order << order;
}

bool model_is_complete(const struct model *model, uint64_t index, unsigned int order)
{
	return block_start(index, order) + (1ULL << order) <= model->nr_pages;
}

/* Returns the first page of [start, end) that has the value, or @end. */
uint64_t model_find(const uint8_t *bytes, uint64_t start, uint64_t end, uint8_t value)
{
	const uint8_t *found = start < end ? memchr(bytes + start, value, end - start) : NULL;

	return found ? (uint64_t)(found - bytes) : end;
}

bool model_is_all(const uint8_t *bytes, uint64_t start, uint64_t end, uint8_t value)
{
	return start == end || (bytes[start] == value &&
				!memcmp(bytes + start, bytes + start + 1, end - start - 1));
}

uint64_t model_first_pin(const struct model *model, uint64_t start, uint64_t end)
{
	return model_find(model->pinned, start, end, 1);
}

/* Returns the order of the folio that an allocation at the page makes. */
unsigned int model_natural(const struct model *model, uint64_t index)
{
	static const unsigned int orders[] = {GMS_ORDER_1G, GMS_ORDER_2M};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		if (orders[i] <= model->opts.folio_order &&
		    model_is_complete(model, index, orders[i]))
			return orders[i];
	}
	return 0;
}

enum gms_summary model_summary(const struct model *model, uint64_t index, unsigned int order)
{
	uint64_t start = block_start(index, order);
	uint64_t end = start + (1ULL << order);

	if (end > model->nr_pages)
		end = model->nr_pages;
	if (!model_is_all(model->private, start, end, model->private[start]))
		return GMS_MIXED;
	return model->private[start] ? GMS_ALL_PRIVATE : GMS_ALL_SHARED;
}

unsigned int model_max_order(const struct model *model, uint64_t index)
{
	unsigned int order;

	for (order = GMS_ORDER_1G; order; order -= 9) {
		if (model_is_complete(model, index, order) &&
		    model_summary(model, index, order) != GMS_MIXED)
			break;
	}
	return order;
}

/* Makes the block of this order at a page one folio. */
void model_set_order(struct model *model, uint64_t index, unsigned int order)
{
	uint64_t start = block_start(index, order);

	memset(model->order + start, (int)order, 1ULL << order);
}

void model_begin(struct model *model, const struct sim_call *calls, size_t nr_calls)
{
	model->calls = calls;
	model->nr_calls = nr_calls;
	model->next = 0;
	model->loose = 0;
	model->why = NULL;
}

/* Consumes the next calls as long as they are of these hooks. Returns the first error. */
int model_take(struct model *model, unsigned int hooks)
{
	for (; model->next < model->nr_calls; model->next++) {
		const struct sim_call *call = &model->calls[model->next];

		if (!(hooks & 1U << call->hook))
			break;
		if (call->ret) {
			model->next++;
			return call->ret;
		}
		if (call->hook != SIM_UNMAP_HOST)
			continue;
		memset(model->covered + call->start, 1, call->nr_pages);
		memset(model->mapped + call->start, 0, call->nr_pages);
	}
	return 0;
}

void model_differs(struct model *model, const char *fmt, ...)
{
	va_list args;

	if (model->why)
		return;
	va_start(args, fmt);
	vsnprintf(model->text, sizeof(model->text), fmt, args);
	va_end(args);
	model->why = model->text;
}

struct call_text {
	char text[100];
};

static struct call_text show(const struct sim_call *call)
{
	struct call_text show;

	snprintf(show.text, sizeof(show.text), "%s(%#llx, %#llx pages, from %u to %u)",
		 sim_hook_name(call->hook), (unsigned long long)call->start,
		 (unsigned long long)call->nr_pages, call->from, call->to);
	return show;
}

const char *model_end(struct model *model)
{
	model_take(model, model->loose);
	if (model->next < model->nr_calls)
		model_differs(model, "unexpected call: %s", show(&model->calls[model->next]).text);
	return model->why;
}

static bool is_same_call(const struct sim_call *a, const struct sim_call *b)
{
	if (a->hook != b->hook || a->start != b->start)
		return false;
	if (a->hook == SIM_BLOCK_FREED)
		return true;
	return a->nr_pages == b->nr_pages && a->from == b->from && a->to == b->to;
}

/* Checks that the next call of the engine is this one. Returns the result of the hook. */
int model_hook(struct model *model, enum sim_hook hook, uint64_t start, uint64_t nr_pages,
	       unsigned int from, unsigned int to)
{
	struct sim_call want = {hook, start, nr_pages, from, to, 0};

	if (model->why)
		return 0;
	model_take(model, model->loose);
	if (model->next == model->nr_calls) {
		model_differs(model, "missing call: %s", show(&want).text);
		return 0;
	}
	if (!is_same_call(&model->calls[model->next], &want)) {
		model_differs(model, "call number %zu is %s, and not %s", model->next,
			      show(&model->calls[model->next]).text, show(&want).text);
		return 0;
	}
	return model->calls[model->next++].ret;
}

/* Counts a call by its result. Hooks fail with -EIO only, so the others are the library's own. */
int model_result(struct model *model, int ret)
{
	switch (ret) {
	case 0:
		break;
	case -EINVAL:
		model->stats.refused_inval++;
		break;
	case -EACCES:
		model->stats.refused_access++;
		break;
	case -EAGAIN:
		model->stats.refused_pinned++;
		break;
	case -ENOTRECOVERABLE:
		model->stats.refused_quarantined++;
		break;
	default:
		model->stats.refused_backend++;
		break;
	}
	return ret;
}

/* Sets flags for the 1G block and its 2M blocks: which of them are mixed. */
static void find_mixed(const struct model *model, uint64_t block, uint8_t *mixed)
{
	uint64_t start = block * MODEL_1G;
	unsigned int i;

	memset(mixed, 0, MODEL_MIXED_BYTES);
	mixed[0] = model_summary(model, start, GMS_ORDER_1G) == GMS_MIXED;
	for (i = 0; mixed[0] && i < 512 && start + i * MODEL_2M < model->nr_pages; i++)
		mixed[1 + i] =
			model_summary(model, start + i * MODEL_2M, GMS_ORDER_2M) == GMS_MIXED;
}

void model_flips_before(struct model *model, uint64_t start, uint64_t end)
{
	uint64_t block;

	for (block = start / MODEL_1G; block <= (end - 1) / MODEL_1G; block++)
		find_mixed(model, block, model->blocks[block].was_mixed);
}

void model_flips_after(struct model *model, uint64_t start, uint64_t end)
{
	uint8_t mixed[MODEL_MIXED_BYTES];
	uint64_t block;

	model_rent_change(model, start, end);
	for (block = start / MODEL_1G; block <= (end - 1) / MODEL_1G; block++) {
		find_mixed(model, block, mixed);
		if (!memcmp(mixed, model->blocks[block].was_mixed, sizeof(mixed)))
			continue;
		model->blocks[block].flips++;
		model->blocks[block].since = model->now;
	}
}
