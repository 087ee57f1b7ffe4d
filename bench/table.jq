# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# table.jq - the tables about the tree, from Google Benchmark's JSON and targets.tsv
#
#	jq -r -L . --rawfile targets targets.tsv -f table.jq bench.json
include "figures";

def bitmaps: ["bitmap", "bitmap+lpage", "bitmap+counts"];
def maps: ["std::map", "btree_map", "CRoaring", "maple", "xa-kvm"];

def show($judge):
	if . == null then "-" elif $judge == "bytes" then bytes else time end;

def targets:
	$targets | lines | map({row: .[0], judge: .[1], target: (.[2] | number),
		reference: (.[3] | number), peer: (.[4] // ""), unfit: (.[5] // "" | split(" ")),
		notes: (.[6] // "")});

# Compares ours with the peer that the target was set with, and with the fastest peer.
def judged($f):
	. as $t | $f[$t.row] as $r | $r.ours as $ours
	| ($r[$t.peer] // null) as $peer
	| (bitmaps + maps - $t.unfit | map(select($r[.] != null)) | min_by($r[.])) as $fastest
	| {ratio: (if $ours != null and $peer != null then $ours / $peer else null end),
	   wanted: (if $t.judge == "ratio" then $t.target / $t.reference else null end),
	   fastest: (if $ours != null then $fastest else null end)}
	| . + {fastest_ratio: (if .fastest != null then $ours / $r[$fastest] else null end)}
	| . + {verdict: (
		if $ours == null or $t.judge == "none" or $t.target == null then "-"
		elif $t.judge == "bytes" then
			(if $ours <= $t.target then "meets" else misses($ours; $t.target) end)
		elif .ratio == null then "-"
		elif .ratio <= .wanted then "meets"
		else misses(.ratio; .wanted) end)};

def figures_of($f; $columns):
	. as $t | [name] + [(["ours"] + $columns)[] as $c | $f[$t.row][$c] | show($t.judge)];

def judgement($f):
	. as $t | judged($f) as $j
	| [name,
	   if .judge == "none" or .peer == "" then "-" else .peer end,
	   ($j.ratio | if . == null then "-" else digits | tostring end),
	   if .target == null then "-"
	   elif .judge == "bytes" then "<= \(.target | bytes)"
	   else "<= \($j.wanted * 1000 | round / 1000)" end,
	   $j.verdict,
	   $j.fastest // "-",
	   ($j.fastest_ratio | if . == null then "-" else digits | tostring end)];

# The rows that one of the columns can do.
def done_by($f; $columns): map(select($f[.row] as $r | any($columns[]; $r[.] != null)));

# The costs of the stores that the writer makes in the row rw, by peer.
def writers:
	[.benchmarks[] | select((.aggregate_name // "median") == "median" and .writer_ns)
		| select(.run_name | startswith("rw/"))
		| {key: (.run_name | split("/")[1]), value: .writer_ns}]
	| from_entries | to_entries | map("\(.key) \(.value | digits)") | join(", ");

figures(.bytes // .cold // ns("cpu_time")) as $f
| (targets | map(select($f[.row]))) as $t
| ($t | map(judged($f).verdict)) as $v
| select($v | length > 0)
| table("Beside bitmaps, ns an operation or bytes:"; ["row", "ours"] + bitmaps; "lrrrr";
	$t | map(figures_of($f; bitmaps))),
  ($t | done_by($f; maps) | select(length > 0)
	| table("Beside maps and sets, ns an operation or bytes:"; ["row", "ours"] + maps;
		"lrrrrrr"; map(figures_of($f; maps)))),
  table("Verdicts:"; ["row", "judged by", "ours / it", "target", "verdict", "fastest peer",
	"ours / it"]; "llrlllr";
	$t | map(judgement($f) | select(.[4] != "-" or .[5] != "-"))),
  ($v | score),
  (if $f.rw.ours then "A store of the writer in the row rw, ns: \(writers)." else empty end)
