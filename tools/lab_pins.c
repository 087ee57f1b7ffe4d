// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_pins.c - the pins of the host, and waiting for them: see lab.h
 */
#include "lab_priv.h"

#include <errno.h>
#include <stdlib.h>

int lab_pins_init(struct lab *lab)
{
	lab->pins.pins = calloc(LAB_MAX_PINS, sizeof(*lab->pins.pins));
	return lab->pins.pins ? 0 : -ENOMEM;
}

static void pins_drop_oldest(struct lab *lab)
{
	struct lab_pins *p = &lab->pins;
	const struct lab_pin *pin = &p->pins[p->first];

	gms_unpin(lab->state, pin->start, pin->nr_pages);
	p->nr_pages -= pin->nr_pages;
	p->first = (p->first + 1) % LAB_MAX_PINS;
	p->nr--;
}

int lab_pins_add(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	const uint64_t pin_us = lab->opts->pin_us;
	struct lab_pins *p = &lab->pins;
	int ret;

	while (p->nr && (p->nr == LAB_MAX_PINS || p->nr_pages + nr_pages > LAB_MAX_PINNED))
		pins_drop_oldest(lab);
	ret = gms_pin(lab->state, start, nr_pages, NULL);
	if (ret)
		return ret;
	p->pins[(p->first + p->nr++) % LAB_MAX_PINS] = (struct lab_pin) {
		start, nr_pages,
		lab->now_us > UINT64_MAX - pin_us ? UINT64_MAX : lab->now_us + pin_us};
	p->nr_pages += nr_pages;
	return 0;
}

void lab_pins_expire(struct lab *lab)
{
	struct lab_pins *p = &lab->pins;

	while (p->nr && p->pins[p->first].until_us <= lab->now_us)
		pins_drop_oldest(lab);
}

/*
 * Drops the pins that overlap a range. Goes once round the ring, and keeps its order. Returns when
 * the last of them would have ended, or 0 if there were none.
 */
static uint64_t pins_drop_range(struct lab *lab, gms_pgoff_t start, gms_pgoff_t end)
{
	struct lab_pins *p = &lab->pins;
	uint64_t until = 0;

	for (size_t nr = p->nr; nr; nr--) {
		const struct lab_pin pin = p->pins[p->first];

		if (pin.start < end && pin.start + pin.nr_pages > start) {
			until = pin.until_us > until ? pin.until_us : until;
			pins_drop_oldest(lab);
			continue;
		}
		p->first = (p->first + 1) % LAB_MAX_PINS;
		p->pins[(p->first + p->nr - 1) % LAB_MAX_PINS] = pin;
	}
	return until;
}

bool lab_pins_wait(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	gms_pgoff_t end = start + nr_pages;
	uint64_t until;

	if (lab->opts->pins_by_folio) {
		end = gms_order_up(end - 1, gms_folio_order(lab->state, end - 1));
		start = gms_order_down(start, gms_folio_order(lab->state, start));
	}
	until = pins_drop_range(lab, start, end);
	if (!until)
		return false;
	lab->result->nr_waits++;
	lab->result->waited_us += until - lab->now_us;
	return true;
}

uint64_t lab_pins_put_off(const struct lab *lab)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	if (!lab->pins.nr)
		return 0;
	gms_stats_read(lab->state, &stats);
	return stats.splits_deferred;
}

void lab_pins_note_put_off(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages, uint64_t before)
{
	const gms_pgoff_t end = start + nr_pages;

	if (lab_pins_put_off(lab) <= before)
		return;
	for (gms_pgoff_t at = start; at < end;) {
		const unsigned int order = gms_folio_order(lab->state, at);
		const gms_pgoff_t folio = gms_order_down(at, order);
		gms_pgoff_t pinned;

		if (order && gms_first_pin(lab->state, folio, gms_order_pages(order), &pinned))
			gms_rtree_set(lab->put_off, folio >> GMS_ORDER_2M, 1);
		at = order ? folio + gms_order_pages(order) : gms_order_up(at, GMS_ORDER_2M);
	}
}

void lab_pins_fini(struct lab *lab)
{
	while (lab->state && lab->pins.nr)
		pins_drop_oldest(lab);
	free(lab->pins.pins);
}
