# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# engine/table.jq - the tables about conversions, faults and pins, from Google Benchmark's JSON
#
#	jq -r -L .. --rawfile targets targets.tsv -f table.jq bench.json
include "figures";

def columns: ["engine", "engine+hooks", "mutex+bitmap", "rwlock+bitmap", "16 rwlocks"];

def targets:
	$targets | lines | map({row: .[0], figure: .[1], judge: .[2], target: (.[3] | number),
		alone: (.[4] // ""), notes: (.[5] // "")});

# A figure divided by that of one thread alone.
def relative($all; $column):
	($all.cpu[.alone][$column] // null) as $alone
	| $all[.figure][.row][$column] as $f
	| if $f == null or $alone == null then null else $f / $alone end;

def cell($all; $column):
	relative($all; $column) as $relative | $all[.figure][.row][$column]
	| if . == null then "-"
	  elif $relative == null then time
	  else "\(time) (\($relative | digits)x)" end;

def verdict($all):
	(if .judge == "row" then relative($all; "engine")
	 else $all[.figure][.row].engine end) as $is
	| if .judge == "none" or $is == null then "-"
	  elif $is <= .target then "meets"
	  else misses($is; .target) end;

def target:
	if .judge == "ns" then "<= \(.target) ns"
	elif .judge == "row" then "<= \(.target)x"
	else "-" end;

# The engine against the fastest of the others. None of these has hooks.
def fastest($all):
	$all[.figure][.row] as $r
	| (columns[2:] | map(select($r[.] != null)) | min_by($r[.])) as $peer
	| if $peer == null or $r.engine == null then ["-", "-"]
	  else [$peer, ($r.engine / $r[$peer] | digits | tostring)] end;

{cpu: figures(ns("cpu_time")), first: figures(.first), both: figures(.both),
	cold: figures(.cold)} as $all
| (targets | map(select($all.cpu[.row]))) as $t
| select($t | length > 0)
| table("Ns an operation:"; ["row"] + columns; "lrrrrr";
	$t | map(. as $row | [name] + [columns[] as $c | $row | cell($all; $c)])),
  table("Verdicts:"; ["row", "target", "verdict", "fastest other", "engine / it"]; "llllr";
	$t | map([name, target, verdict($all)] + fastest($all)
		| select(.[2] != "-" or .[3] != "-"))),
  ($t | map(verdict($all)) | score)
