/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * trace.h - what happens in an object, for whoever watches: static probes (USDT) of the provider
 * gmemstate, for bpftrace, perf and SystemTap
 *
 * kernel/trace.h has the same as tracepoints. @object is the address of struct gms_folios, by
 * which all layers know an object. A call may run under any lock but a spinlock.
 *
 *	convert     a conversion has ended, with @err; @start is the lowest index of its pages
 *	fault       a fault has begun; @order is the largest mapping that it may make
 *	split       a folio was split
 *	merge       a block was merged into one folio; also to undo a split
 *	quarantine  a range was quarantined
 *	refused     a call was refused, with @err
 *
 * A probe is an instruction that does nothing, until somebody attaches. The build defines GMS_USDT
 * if there is sys/sdt.h, which makes the probes (Debian: systemtap-sdt-dev).
 */
#ifndef GMS_TRACE_H
#define GMS_TRACE_H

#include <gmemstate/types.h>

#ifdef GMS_USDT
#include <sys/sdt.h>
#else
#define DTRACE_PROBE2(provider, name, a, b) ((void)(a), (void)(b))
#define DTRACE_PROBE3(provider, name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define DTRACE_PROBE4(provider, name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#define DTRACE_PROBE5(provider, name, a, b, c, d, e) \
	((void)(a), (void)(b), (void)(c), (void)(d), (void)(e))
#endif

static inline void gms_trace_convert(const void *object, gms_pgoff_t start, uint64_t nr_pages,
				     enum gms_shareability to, int err)
{
	DTRACE_PROBE5(gmemstate, convert, object, start, nr_pages, to, err);
}

static inline void gms_trace_fault(const void *object, gms_pgoff_t index,
				   enum gms_accessor accessor, unsigned int order)
{
	DTRACE_PROBE4(gmemstate, fault, object, index, accessor, order);
}

static inline void gms_trace_split(const void *object, gms_pgoff_t index, unsigned int from,
				   unsigned int to)
{
	DTRACE_PROBE4(gmemstate, split, object, index, from, to);
}

static inline void gms_trace_merge(const void *object, gms_pgoff_t index, unsigned int from,
				   unsigned int to)
{
	DTRACE_PROBE4(gmemstate, merge, object, index, from, to);
}

static inline void gms_trace_quarantine(const void *object, gms_pgoff_t start, uint64_t nr_pages)
{
	DTRACE_PROBE3(gmemstate, quarantine, object, start, nr_pages);
}

static inline void gms_trace_refused(const void *object, int err)
{
	DTRACE_PROBE2(gmemstate, refused, object, err);
}

#endif /* GMS_TRACE_H */
