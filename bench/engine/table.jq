# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# engine/table.jq - the table about conversions, faults and pins, from Google Benchmark's JSON
#
#	jq -r -L .. --rawfile targets targets.tsv -f table.jq bench.json
include "figures";

def columns: ["engine", "engine+hooks", "mutex+bitmap", "rwlock+bitmap", "16 rwlocks"];

def targets:
	$targets | lines | map({row: .[0], title: .[1], figure: .[2], judge: .[3],
		target: (.[4] | number), alone: (.[5] // ""), notes: (.[6] // "")});

# a figure, and how many times it is that of one thread alone
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
	(if .judge == "row" then relative($all; "engine") else $all[.figure][.row].engine end) as $is
	| if .judge == "none" or $is == null then "-"
	  elif $is <= .target then "meets"
	  else "MISSES, by \(($is / .target - 1) * 100 | round)%" end;

# the engine against the fastest of the others, without hooks on either side
def fastest($all):
	$all[.figure][.row] as $r
	| (columns[2:] | map(select($r[.] != null)) | min_by($r[.])) as $peer
	| if $peer == null or $r.engine == null then "-"
	  else "\($peer) \($r.engine / $r[$peer] | digits)" end;

def line($all):
	. as $t
	| [if .notes == "" then .title else "\(.title) (\(.notes))" end]
	+ [columns[] as $c | $t | cell($all; $c)]
	+ [if .judge == "ns" then "<= \(.target) ns"
	   elif .judge == "row" then "<= \(.target)x"
	   else "-" end, verdict($all), fastest($all)]
	| row;

{cpu: figures(ns("cpu_time")), first: figures(.first), both: figures(.both),
	cold: figures(.cold)} as $all
| (targets | map(select($all.cpu[.row]))) as $t
| select($t | length > 0)
| (["work, ns an operation"] + columns + ["target", "verdict", "fastest other, engine / it"]
	| row),
  "|---" + ("|---:" * (columns | length)) + "|---|---|---|",
  ($t[] | line($all)),
  "",
  "\($t | map(verdict($all)) | map(select(. == "meets")) | length) rows meet their target, " +
  "\($t | map(verdict($all)) | map(select(startswith("MISSES"))) | length) miss it."
