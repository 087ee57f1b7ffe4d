/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * folio.h - the folios of a guest_memfd in the page cache: the hooks of backend.h that change them
 */
#ifndef GMS_GMEM_FOLIO_H
#define GMS_GMEM_FOLIO_H

#include <linux/atomic.h>
#include <linux/types.h>

struct address_space;
struct folio;
struct shared_policy;

/**
 * struct gms_gmem_folios - the folios of one inode
 * @mapping: the page cache
 * @mempolicy: where to allocate from
 * @can_copy: the host can read the guest's private pages, so that a merge may copy them. Not so
 *            for SNP and TDX, whose hardware encrypts them
 * @copies: folios of order 9 that were made by copying
 * @fallbacks: 2M blocks that were allocated as 512 pages, because no 2M page was free
 * @busy: how often a folio had references that no pin explains, and that did not go in time
 */
struct gms_gmem_folios {
	struct address_space *mapping;
	struct shared_policy *mempolicy;
	bool can_copy;
	atomic64_t copies, fallbacks, busy;
};

/* The hooks folio_alloc, check_pins, folio_split and folio_merge, in two steps: see backend.h. */
int gms_gmem_folio_alloc(struct gms_gmem_folios *f, pgoff_t index, unsigned int order);
int gms_gmem_folio_check_pins(struct gms_gmem_folios *f, pgoff_t start, u64 nr_pages,
			      pgoff_t *pinned);
int gms_gmem_folio_split(struct gms_gmem_folios *f, pgoff_t index);
struct folio *gms_gmem_folio_merge_begin(struct gms_gmem_folios *f, pgoff_t index);
int gms_gmem_folio_merge_end(struct gms_gmem_folios *f, pgoff_t index, struct folio *new);

#endif /* GMS_GMEM_FOLIO_H */
