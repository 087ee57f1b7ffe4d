/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* peers.c - the list of the peers that were built, this library first */
#include "bench.h"

#define PEER(name) extern const struct bench_peer bench_peer_##name;
#include "peers_list.h"
#undef PEER

const struct bench_peer *const bench_peers[] = {
#define PEER(name) &bench_peer_##name,
#include "peers_list.h"
};
const size_t bench_nr_peers = sizeof(bench_peers) / sizeof(bench_peers[0]);
