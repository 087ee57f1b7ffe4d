/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * prelude.h - what the snippets in documents and headers take for declared: scripts/check-snippets
 *
 * A name stands here if the text around a snippet explains it, or if it says what it is. Anything
 * else a snippet declares itself.
 */
#ifndef SNIPPETS_PRELUDE_H
#define SNIPPETS_PRELUDE_H

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <gmemstate/gmemstate.h>
#include <gmemstate/kvm.h>

/* the objects */
extern struct gms_state *state, *copy;
extern struct gms_state_opts opts;
extern struct gms_rtree *tree;
extern struct gms_kvm *kvm;
extern struct gms_fault fault;

/* ranges, blocks and bytes */
extern gms_pgoff_t index, start, end, at, where, first;
extern uint64_t nr_pages, count, gfn, granule, offset, ram_bytes, seq;
extern unsigned int order, id;
extern size_t size;
extern void *buf;
extern int err;
extern bool private;

/* what the caller brings */
extern struct gms_backend_ops my_backend;
extern struct pool *pool;
void *pool_alloc(void *ctx, size_t size, size_t align);
void pool_free(void *ctx, void *ptr, size_t size, size_t align);
extern struct machine machine;
int unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
void invalidate_begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
void zap_guest(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability only);
void invalidate_end(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
extern struct device *device;
int device_map(struct device *device, const struct gms_run *run);
int device_unmap(struct device *device, const struct gms_run *run);
int set_hardware(gms_pgoff_t start, uint64_t nr_pages);

/* a VMM */
struct vm {
	int fd;
	struct gms_kvm *memory;
	struct gms_state *state;
};
extern const struct gms_listener_ops vfio_ops;
extern void *vfio;
extern int vm_fd, vcpu_fd;
extern struct kvm_run *run;

#endif /* SNIPPETS_PRELUDE_H */
