/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* btree.cc - peer: intervals in an absl::btree_map */
#include <absl/container/btree_map.h>

#include "start_key.h"

typedef absl::btree_map<start_key, bool> peer_map;
#define PEER_NAME "btree_map"
#define PEER_SYMBOL bench_peer_btree
#include "intervals.h"
