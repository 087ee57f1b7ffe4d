# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# head.jq - the head of the tables: the properties of the machine, from bench.json
.context
| def say($key): .[$key] // "?";
  def ns($key): "\(say($key)) ns";
  "Machine: \(say("cpu")), \(.num_cpus) processors\(if .hypervisor then " \(.hypervisor)" else "" end); " +
  "L1 \(say("l1")), L2 \(say("l2")), L3 \(say("l3")).",
  "\(say("kernel")); \(say("compiler")); gmemstate \(say("ours")), \(.date[:10]).",
  "A cache line takes \(ns("line_there_and_back_ns")) from one processor to another and back.",
  "A locked add takes \(ns("lock_xadd_ns")), a pair of lock and unlock of a mutex " +
  "\(ns("mutex_pair_ns")), a pause \(ns("pause_ns")).",
  "A cold row walks through 64 MiB before each operation. " +
  "After that, a load of a line takes \(ns("cold_line_ns")).",
  (if .beside then "Beside: \(.beside)." else empty end)
