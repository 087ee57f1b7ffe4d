# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# figures.jq - what the tables have in common

# three digits are enough, and more would be a lie
def digits:
	if . >= 99.95 then round
	elif . >= 9.995 then . * 10 | round / 10
	else . * 100 | round / 100 end;

def time:
	if . >= 999500 then "\(. / 1e6 | digits) ms"
	elif . >= 9995 then "\(. / 1e3 | digits) us"
	else "\(digits)" end;

def number: if . == "" or . == null then null else tonumber end;

# {row: {peer: figure}}: medians where a row was repeated, else the one there is; a figure is
# what the filter makes of Google Benchmark's entry
def figures(figure):
	reduce (.benchmarks[] | select((.aggregate_name // "median") == "median")) as $b ({};
		($b.run_name | split("/")) as $id
		| if ($b.aggregate_name // "") == "" and .[$id[0]][$id[1]].median then .
		  else .[$id[0]][$id[1]] = {
			value: ($b | figure), median: ($b.aggregate_name != null)} end)
	| map_values(map_values(.value));

def ns($field): .[$field] * {ns: 1, us: 1e3, ms: 1e6, s: 1e9}[.time_unit];

# the lines of a table that are neither empty nor comments, each an array of its fields
def lines: split("\n") | map(select(startswith("#") | not) | select(. != "") | split("\t"));

def row: "| " + join(" | ") + " |";
