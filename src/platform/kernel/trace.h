/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * trace.h - tracepoints: see user/trace.h, which says when each is called
 *
 *	echo 1 >/sys/kernel/tracing/events/gmemstate/enable
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gmemstate

#if !defined(GMS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GMS_TRACE_H

#include <linux/tracepoint.h>

#include <gmemstate/types.h>

/* clang-format off: as in the kernel, each part of an event is on lines of its own */

TRACE_EVENT(gms_convert,
	    TP_PROTO(const void *object, gms_pgoff_t start, uint64_t nr_pages,
		     enum gms_shareability to, int err),
	    TP_ARGS(object, start, nr_pages, to, err),
	    TP_STRUCT__entry(__field(const void *, object) __field(u64, start)
				     __field(u64, nr_pages) __field(bool, private)
					     __field(int, err)),
	    TP_fast_assign(__entry->object = object; __entry->start = start;
			   __entry->nr_pages = nr_pages; __entry->private = to == GMS_PRIVATE;
			   __entry->err = err;),
	    TP_printk("object=%p start=%#llx nr_pages=%#llx to=%s err=%d", __entry->object,
		      __entry->start, __entry->nr_pages, __entry->private ? "private" : "shared",
		      __entry->err));

TRACE_EVENT(gms_fault,
	    TP_PROTO(const void *object, gms_pgoff_t index, enum gms_accessor accessor,
		     unsigned int order),
	    TP_ARGS(object, index, accessor, order),
	    TP_STRUCT__entry(__field(const void *, object) __field(u64, index) __field(bool, guest)
				     __field(unsigned int, order)),
	    TP_fast_assign(__entry->object = object; __entry->index = index;
			   __entry->guest = accessor == GMS_GUEST; __entry->order = order;),
	    TP_printk("object=%p index=%#llx by=%s max_order=%u", __entry->object, __entry->index,
		      __entry->guest ? "guest" : "host", __entry->order));

DECLARE_EVENT_CLASS(gms_folio,
		    TP_PROTO(const void *object, gms_pgoff_t index, unsigned int from,
			     unsigned int to),
		    TP_ARGS(object, index, from, to),
		    TP_STRUCT__entry(__field(const void *, object) __field(u64, index)
					     __field(unsigned int, from) __field(unsigned int, to)),
		    TP_fast_assign(__entry->object = object; __entry->index = index;
				   __entry->from = from; __entry->to = to;),
		    TP_printk("object=%p index=%#llx order=%u->%u", __entry->object, __entry->index,
			      __entry->from, __entry->to));

DEFINE_EVENT(gms_folio, gms_split,
	     TP_PROTO(const void *object, gms_pgoff_t index, unsigned int from, unsigned int to),
	     TP_ARGS(object, index, from, to));

DEFINE_EVENT(gms_folio, gms_merge,
	     TP_PROTO(const void *object, gms_pgoff_t index, unsigned int from, unsigned int to),
	     TP_ARGS(object, index, from, to));

TRACE_EVENT(gms_quarantine, TP_PROTO(const void *object, gms_pgoff_t start, uint64_t nr_pages),
	    TP_ARGS(object, start, nr_pages),
	    TP_STRUCT__entry(__field(const void *, object) __field(u64, start)
				     __field(u64, nr_pages)),
	    TP_fast_assign(__entry->object = object; __entry->start = start;
			   __entry->nr_pages = nr_pages;),
	    TP_printk("object=%p start=%#llx nr_pages=%#llx", __entry->object, __entry->start,
		      __entry->nr_pages));

TRACE_EVENT(gms_refused, TP_PROTO(const void *object, int err), TP_ARGS(object, err),
	    TP_STRUCT__entry(__field(const void *, object) __field(int, err)),
	    TP_fast_assign(__entry->object = object; __entry->err = err;),
	    TP_printk("object=%p err=%d", __entry->object, __entry->err));

/* @why is a string of the library or of the caller, and may be NULL. */
TRACE_EVENT(gms_because, TP_PROTO(int err, const char *why), TP_ARGS(err, why),
	    TP_STRUCT__entry(__field(int, err) __array(char, why, 80)),
	    TP_fast_assign(__entry->err = err;
			   strscpy(__entry->why, why ? why : "", sizeof(__entry->why));),
	    TP_printk("err=%d why=%s", __entry->err, __entry->why));

/* clang-format on */

#define gms_trace_convert trace_gms_convert
#define gms_trace_fault trace_gms_fault
#define gms_trace_split trace_gms_split
#define gms_trace_merge trace_gms_merge
#define gms_trace_quarantine trace_gms_quarantine
#define gms_trace_refused trace_gms_refused

#endif /* GMS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
