/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * trace.h - what happens in an object, for whoever watches; in user space nobody can yet
 *
 * kernel/trace.h has the same functions as tracepoints. @object is the address of struct
 * gms_folios, by which all layers know an object. A call may run under any lock but a spinlock.
 *
 *  gms_trace_convert     gms_convert() has ended, with @err
 *  gms_trace_fault       a fault has begun; @order is the largest mapping that it may make
 *  gms_trace_split       a folio was split
 *  gms_trace_merge       a block was merged into one folio; also to undo a split
 *  gms_trace_quarantine  a range was quarantined
 *  gms_trace_refused     a call was refused, with @err
 */
#ifndef GMS_TRACE_H
#define GMS_TRACE_H

#include <gmemstate/types.h>

static inline void gms_trace_convert(const void *object, gms_pgoff_t start, uint64_t nr_pages,
				     enum gms_shareability to, int err)
{
	(void)object, (void)start, (void)nr_pages, (void)to, (void)err;
}

static inline void gms_trace_fault(const void *object, gms_pgoff_t index,
				   enum gms_accessor accessor, unsigned int order)
{
	(void)object, (void)index, (void)accessor, (void)order;
}

static inline void gms_trace_split(const void *object, gms_pgoff_t index, unsigned int from,
				   unsigned int to)
{
	(void)object, (void)index, (void)from, (void)to;
}

static inline void gms_trace_merge(const void *object, gms_pgoff_t index, unsigned int from,
				   unsigned int to)
{
	(void)object, (void)index, (void)from, (void)to;
}

static inline void gms_trace_quarantine(const void *object, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)object, (void)start, (void)nr_pages;
}

static inline void gms_trace_refused(const void *object, int err)
{
	(void)object, (void)err;
}

#endif /* GMS_TRACE_H */
