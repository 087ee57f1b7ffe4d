# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# table.jq - one table from Google Benchmark's JSON and targets.tsv
#
#	jq -r --rawfile targets targets.tsv -f table.jq bench.json

def columns: ["ours", "ours-plain", "bitmap", "bitmap+lpage", "bitmap+counts", "std::map",
	"btree_map", "CRoaring", "maple", "xa-kvm"];

# three digits are enough, and more would be a lie
def digits:
	if . >= 99.95 then round
	elif . >= 9.995 then . * 10 | round / 10
	else . * 100 | round / 100 end;

def show($judge):
	if . == null then "-"
	elif $judge == "bytes" then
		if . >= 999500 then "\(. / 1e6 | digits)M" else "\(. / 1e3 | digits)K" end
	elif . >= 999500 then "\(. / 1e6 | digits) ms"
	elif . >= 9995 then "\(. / 1e3 | digits) us"
	else "\(digits)" end;

# {row: {peer: figure}}: medians where a row was repeated, else the one there is
def figures:
	reduce (.benchmarks[] | select((.aggregate_name // "median") == "median")) as $b ({};
		($b.run_name | split("/")) as $id
		| if ($b.aggregate_name // "") == "" and .[$id[0]][$id[1]].median then .
		  else .[$id[0]][$id[1]] = {
			value: ($b.bytes // ($b.cpu_time * {ns: 1, us: 1e3, ms: 1e6, s: 1e9}[$b.time_unit])),
			median: ($b.aggregate_name != null)} end)
	| map_values(map_values(.value));

def number: if . == "" or . == null then null else tonumber end;

def targets:
	$targets | split("\n") | map(select(startswith("#") | not) | select(. != "") | split("\t")
	| {row: .[0], title: .[1], judge: .[2], target: (.[3] | number),
	   reference: (.[4] | number), peer: .[5], unfit: (.[6] // "" | split(" ")),
	   notes: (.[7] // "")});

# ours against the peer that the target was set with, and against the fastest there is
def judged($f):
	. as $t | $f[$t.row] as $r | $r.ours as $ours
	| ($r[$t.peer] // null) as $peer
	| (columns[2:] - $t.unfit | map(select($r[.] != null)) | min_by($r[.])) as $fastest
	| {ratio: (if $ours != null and $peer != null then $ours / $peer else null end),
	   wanted: (if $t.judge == "ratio" then $t.target / $t.reference else null end),
	   fastest: $fastest,
	   fastest_ratio: (if $ours != null and $fastest != null then $ours / $r[$fastest] else null end)}
	| . + {verdict: (
		if $ours == null or $t.judge == "none" then "-"
		elif $t.judge == "bytes" then (if $ours <= $t.target then "meets" else "MISSES" end)
		elif .ratio == null then "-"
		elif .ratio <= .wanted then "meets"
		else "MISSES, by \((.ratio / .wanted - 1) * 100 | round)%" end)};

def line($f):
	. as $t | judged($f) as $j
	| [if .notes == "" then .title else "\(.title) (\(.notes))" end]
	+ [columns[] as $c | $f[$t.row][$c] | show($t.judge)]
	+ [if .judge == "none" then "-" else .peer end,
	   ($j.ratio | if . == null then "-" else digits | tostring end),
	   if .judge == "bytes" then "<= \(.target | show("bytes"))"
	   elif .judge == "ratio" then
		"<= \($j.wanted * 1000 | round / 1000)" +
		(if .reference == 1 then "" else " (\(.target) ns)" end)
	   else "-" end,
	   $j.verdict,
	   if $j.fastest == null then "-" else "\($j.fastest) \($j.fastest_ratio | digits)" end]
	| "| " + join(" | ") + " |";

figures as $f | targets as $t
| [$t[] | select($f[.row]) | judged($f).verdict] as $v
| "| " + (["work, ns an operation"] + columns
	+ ["judged by", "ours / it", "target", "verdict", "fastest here, ours / it"] | join(" | ")) + " |",
  "|---" + ("|---:" * 10) + "|---|---:|---|---|---|",
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
