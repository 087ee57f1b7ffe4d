/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rcupdate.h - RCU by liburcu, in its QSBR flavour; see kshim.h */
#ifndef BENCH_KSHIM_RCUPDATE_H
#define BENCH_KSHIM_RCUPDATE_H

#include <urcu-qsbr.h>

#include "kshim.h"

#define rcu_dereference_raw(p) rcu_dereference(p)
#define rcu_dereference_protected(p, cond) rcu_dereference(p)
#define rcu_dereference_check(p, cond) rcu_dereference(p)
#define RCU_INIT_POINTER(p, v) \
	do {                   \
		(p) = (v);     \
	} while (0)

static inline void kshim_call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
	if (bench_unlikely(kshim_readers))
		urcu_qsbr_call_rcu(head, fn);
	else
		fn(head);
}
#undef call_rcu
#define call_rcu kshim_call_rcu

#define PEER_THREAD_BEGIN() \
	(__atomic_store_n(&kshim_readers, true, __ATOMIC_SEQ_CST), rcu_register_thread())
#define PEER_THREAD_END() rcu_unregister_thread()
#define PEER_QUIESCE() rcu_quiescent_state()
#endif
