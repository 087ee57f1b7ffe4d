# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# vmm/table.jq - the tables about listeners, bindings and snapshots, from Google Benchmark's JSON
#
#	jq -r -L .. --rawfile targets targets.tsv -f table.jq bench.json
include "figures";

def columns: ["engine", "as-QEMU", "bitmap", "bitmap+counts"];

def targets:
	$targets | lines | map({row: .[0], figure: .[1], judge: .[2], target: (.[3] | number),
		notes: (.[4] // "")});

def title: if .figure == "bytes" then .row += ", bytes" else . end | name;

def cell($figure):
	if . == null then "-" elif $figure == "bytes" then bytes else time end;

def verdict($all):
	$all[.figure][.row].engine as $is
	| if .judge == "none" or $is == null then "-"
	  elif $is <= .target then "meets"
	  else misses($is; .target) end;

# A ratio: in decimals from 0.01 on (0.21), else as a fraction (1/1400).
def share: if . >= 0.01 then digits else "1/\(1 / . | . + 0.5 | floor)" end;

def ratio($r; $peer):
	if $r.engine == null or $r[$peer] == null then "-"
	else $r.engine / $r[$peer] | share | tostring end;

def target:
	if .judge == "ns" then "<= \(.target | time)\(if .target < 9995 then " ns" else "" end)"
	else "-" end;

def fastest($r):
	(columns[1:] | map(select($r[.] != null)) | min_by($r[.])) as $peer
	| if $peer == null or $r.engine == null then ["-", "-"] else [$peer, ratio($r; $peer)] end;

# Only rows that save have bytes.
def with_bytes: .benchmarks |= map(select(.bytes != null and (.name | startswith("save_"))));

{cpu: figures(ns("cpu_time")), bytes: (with_bytes | figures(.bytes))} as $all
| (targets | map(select($all[.figure][.row]))) as $t
| select($t | length > 0)
| table("Ns an operation, or bytes:"; ["row"] + columns; "lrrrr";
	$t | map($all[.figure][.row] as $r | .figure as $figure
		| [title] + [columns[] as $c | $r[$c] | cell($figure)])),
  table("Verdicts:"; ["row", "target", "verdict", "engine / as-QEMU", "fastest other",
	"engine / it"]; "lllrlr";
	$t | map($all[.figure][.row] as $r
		| [title, target, verdict($all), ratio($r; "as-QEMU")] + fastest($r)
		| select(.[2] != "-" or .[4] != "-"))),
  ($t | map(verdict($all)) | score)
