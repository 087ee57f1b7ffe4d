/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* std_map.cc - peer: intervals in a std::map */
#include <map>

#include "start_key.h"

typedef std::map<start_key, bool> peer_map;
#define PEER_NAME "std::map"
#define PEER_SYMBOL bench_peer_std_map
#include "intervals.h"
