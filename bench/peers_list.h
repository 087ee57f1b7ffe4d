/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* peers_list.h - has PEER(name) for each peer that is built. The includer defines PEER. */
PEER(ours)
#ifdef GMS_BENCH_BESIDE
PEER(beside)
PEER(engine_beside)
#endif
PEER(bitmap)
PEER(bitmap_lpage)
PEER(bitmap_counts)
PEER(engine)
PEER(engine_hooks)
PEER(mutex)
PEER(rwlock)
PEER(rwlock16)
#ifdef GMS_BENCH_PEERS
PEER(std_map)
PEER(btree)
PEER(roaring)
PEER(maple)
PEER(xa_kvm)
#endif
