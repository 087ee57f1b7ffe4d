# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# beside.jq - the table of this checkout and of the checkout measured beside it
#
#	jq -r -L . -f beside.jq bench.json
include "figures";

# [a figure, true if the figure is bytes]
def figure:
	if .run_name | startswith("memory_") then [.bytes, true]
	else [.cold // .first // ns("cpu_time"), false] end;

def show($is_bytes): if $is_bytes then "\(round)" else time end;

# This checkout is the peer "ours" in rows of the tree, and "engine" in the others.
def pairs:
	to_entries | map({row: .key, ours: (.value.ours // .value.engine), beside: .value.beside}
		| select(.ours != null and .beside != null)) | sort_by(.row);

figures(figure) | pairs | select(length > 0)
| (["row, ns or bytes", "ours", "beside", "beside / ours"] | row),
  "|---|---:|---:|---:|",
  (.[] | .ours[1] as $is_bytes | .ours[0] as $ours | .beside[0] as $beside
	| [.row, ($ours | show($is_bytes)), ($beside | show($is_bytes)),
	   if $ours == 0 then "-" else $beside / $ours | digits | tostring end] | row)
