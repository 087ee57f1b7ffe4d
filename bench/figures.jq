# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# figures.jq - functions that the tables share

# Three digits: a figure is not more precise.
def digits:
	if . >= 99.95 then round
	elif . >= 9.995 then . * 10 | round / 10
	else . * 100 | round / 100 end;

def time:
	if . >= 999500 then "\(. / 1e6 | digits) ms"
	elif . >= 9995 then "\(. / 1e3 | digits) us"
	else "\(digits)" end;

def bytes:
	if . >= 999500 then "\(. / 1e6 | digits)M" else "\(. / 1e3 | digits)K" end;

def number: if . == "" or . == null then null else tonumber end;

# {row: {peer: figure}}. A figure is what the filter makes of an entry of Google Benchmark: of the
# median if the row was repeated, else of its only entry.
def figures(figure):
	reduce (.benchmarks[] | select((.aggregate_name // "median") == "median")) as $b ({};
		($b.run_name | split("/")) as $id
		| if ($b.aggregate_name // "") == "" and .[$id[0]][$id[1]].median then .
		  else .[$id[0]][$id[1]] = {
			value: ($b | figure), median: ($b.aggregate_name != null)} end)
	| map_values(map_values(.value));

def ns($field): .[$field] * {ns: 1, us: 1e3, ms: 1e6, s: 1e9}[.time_unit];

# The lines of a file that are neither empty nor comments, each an array of fields.
def lines: split("\n") | map(select(startswith("#") | not) | select(. != "") | split("\t"));

# The name of a row, with the letters of its notes.
def name: if .notes == "" then .row else "\(.row) (\(.notes))" end;

def row: "| " + join(" | ") + " |";

# A table under a sentence. Alignment is "l" or "r" for each column.
def table($sentence; $header; $align; $rows):
	$sentence, "", ($header | row),
	"|" + ($align | split("") | map(if . == "r" then "---:|" else "---|" end) | add),
	($rows[] | row), "";

def misses($is; $target): "misses by \(($is / $target - 1) * 100 | round)%";

# How many rows meet their target, from a list of verdicts.
def score:
	(map(select(. == "meets")) | length) as $meet
	| (if $meet == 1 then "1 row meets its target" else "\($meet) rows meet their target" end) +
	  ", \(map(select(startswith("misses"))) | length) miss it.";
