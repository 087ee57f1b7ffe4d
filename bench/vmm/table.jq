# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# vmm/table.jq - the table about listeners, bindings and snapshots, from Google Benchmark's JSON
#
#	jq -r -L .. --rawfile targets targets.tsv -f table.jq bench.json
include "figures";

def columns: ["engine", "as-QEMU", "bitmap", "bitmap+counts"];

def targets:
	$targets | lines | map({row: .[0], title: .[1], figure: .[2], judge: .[3],
		target: (.[4] | number), notes: (.[5] // "")});

def bytes:
	if . >= 999500 then "\(. / 1e6 | digits)M" else "\(. / 1e3 | digits)K" end;

def cell($figure):
	if . == null then "-" elif $figure == "bytes" then bytes else time end;

def verdict($all):
	$all[.figure][.row].engine as $is
	| if .judge == "none" or $is == null then "-"
	  elif $is <= .target then "meets"
	  else "MISSES, by \(($is / .target - 1) * 100 | round)%" end;

# two digits, or one above another: 0.21, 1/1400
def share: if . >= 0.01 then digits else "1/\(1 / . | . + 0.5 | floor)" end;

def ratio($r; $peer):
	if $r.engine == null or $r[$peer] == null then "-" else $r.engine / $r[$peer] | share end;

def fastest($r):
	(columns[1:] | map(select($r[.] != null)) | min_by($r[.])) as $peer
	| if $peer == null or $r.engine == null then "-"
	  else "\($peer) \(ratio($r; $peer))" end;

def line($all):
	. as $t | $all[.figure][.row] as $r
	| [if .notes == "" then .title else "\(.title) (\(.notes))" end]
	+ [columns[] as $c | $r[$c] | cell($t.figure)]
	+ [if .judge == "ns" then "<= \(.target | time) \(if .target < 9995 then "ns" else "" end)"
	   else "-" end, verdict($all), ratio($r; "as-QEMU"), fastest($r)]
	| map(tostring | sub(" $"; ""))
	| row;

# only what saves has bytes
def with_bytes: .benchmarks |= map(select(.bytes != null and (.name | startswith("save_"))));

{cpu: figures(ns("cpu_time")), bytes: (with_bytes | figures(.bytes))} as $all
| (targets | map(select($all[.figure][.row]))) as $t
| select($t | length > 0)
| (["work, ns an operation"] + columns
	+ ["target", "verdict", "engine / as-QEMU", "fastest other, engine / it"] | row),
  "|---" + ("|---:" * (columns | length)) + "|---|---|---:|---|",
  ($t[] | line($all)),
  "",
  "\($t | map(verdict($all)) | map(select(. == "meets")) | length) rows meet their target, " +
  "\($t | map(verdict($all)) | map(select(startswith("MISSES"))) | length) miss it."
