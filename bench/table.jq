# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# table.jq - one table from Google Benchmark's JSON and targets.tsv
#
#	jq -r -L . --rawfile targets targets.tsv -f table.jq bench.json
include "figures";

def columns: ["ours", "bitmap", "bitmap+lpage", "bitmap+counts", "std::map",
	"btree_map", "CRoaring", "maple", "xa-kvm"];

def show($judge):
	if . == null then "-"
	elif $judge == "bytes" then
		if . >= 999500 then "\(. / 1e6 | digits)M" else "\(. / 1e3 | digits)K" end
	else time end;

def targets:
	$targets | lines | map({row: .[0], title: .[1], judge: .[2], target: (.[3] | number),
		reference: (.[4] | number), peer: .[5], unfit: (.[6] // "" | split(" ")),
		notes: (.[7] // "")});

# ours against the peer that the target was set with, and against the fastest there is
def judged($f):
	. as $t | $f[$t.row] as $r | $r.ours as $ours
	| ($r[$t.peer] // null) as $peer
	| (columns[1:] - $t.unfit | map(select($r[.] != null)) | min_by($r[.])) as $fastest
	| {ratio: (if $ours != null and $peer != null then $ours / $peer else null end),
	   wanted: (if $t.judge == "ratio" then $t.target / $t.reference else null end),
	   fastest: $fastest,
	   fastest_ratio: (if $ours != null and $fastest != null then $ours / $r[$fastest] else null end)}
	| . + {verdict: (
		if $ours == null or $t.judge == "none" then "-"
		elif $t.target == null then "-"
		elif $t.judge == "bytes" then (if $ours <= $t.target then "meets" else "MISSES" end)
		elif .ratio == null then "-"
		elif .ratio <= .wanted then "meets"
		else "MISSES, by \((.ratio / .wanted - 1) * 100 | round)%" end)};

def line($f):
	. as $t | judged($f) as $j
	| [if .notes == "" then .title else "\(.title) (\(.notes))" end]
	+ [columns[] as $c | $f[$t.row][$c] | show($t.judge)]
	+ [if .judge == "none" or .peer == "" then "-" else .peer end,
	   ($j.ratio | if . == null then "-" else digits | tostring end),
	   if .target == null then "-"
	   elif .judge == "bytes" then "<= \(.target | show("bytes"))"
	   elif .judge == "ratio" then
		"<= \($j.wanted * 1000 | round / 1000)" +
		(if .reference == 1 then "" else " (\(.target) ns)" end)
	   else "-" end,
	   $j.verdict,
	   if $j.fastest == null then "-" else "\($j.fastest) \($j.fastest_ratio | digits)" end]
	| row;

figures(.bytes // .cold // ns("cpu_time")) as $f | targets as $t
| [$t[] | select($f[.row]) | judged($f).verdict] as $v
| select($v | length > 0)
| (["work, ns an operation"] + columns
	+ ["judged by", "ours / it", "target", "verdict", "fastest here, ours / it"] | row),
  "|---" + ("|---:" * (columns | length)) + "|---|---:|---|---|---|",
  ($t[] | select($f[.row]) | line($f)),
  "",
  "\($v | map(select(. == "meets")) | length) rows meet their target, " +
  "\($v | map(select(startswith("MISSES"))) | length) miss it.",
  (if $f.rw.ours then
	"Stores of the writer in the last row, ns: " + ([.benchmarks[]
		| select((.aggregate_name // "median") == "median" and .writer_ns)
		| select(.run_name | startswith("rw/"))
		| {key: (.run_name | split("/")[1]), value: .writer_ns}] | from_entries | to_entries
		| map("\(.key) \(.value | digits)") | join(", ")) + "." else empty end)
