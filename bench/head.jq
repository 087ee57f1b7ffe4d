# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# head.jq - what bench.json says of the machine, for the head of the tables
.context
| def ns($key): .[$key] // "?" | "\(.) ns";
  "Machine: \(.cpu // "?"), \(.num_cpus) processors; L1 \(.l1 // "?"), L2 \(.l2 // "?"), L3 \(.l3 // "?"). " +
  "A cache line from one processor to another and back: \(ns("line_there_and_back_ns")); " +
  "lock xadd \(ns("lock_xadd_ns")), mutex pair \(ns("mutex_pair_ns")), pause \(ns("pause_ns")). " +
  "Cold rows walk through 64 MiB before each operation; a load of a line after that: " +
  "\(ns("cold_line_ns")).",
  (if .beside then "Beside: \(.beside)." else empty end)
