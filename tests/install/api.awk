# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# api.awk - from api.txt, a source file for each header, which compiles and links if the header
# declares what the list says and the library has it
#
#	awk -v out=DIR -f api.awk api.txt

function finish() {
	if (file == "")
		return
	print "extern void (*const api_" nr "[])(void);" >file
	print "void (*const api_" nr "[])(void) = {" functions " 0};" >file
	close(file)
}

/^#/ || !NF { next }
$1 == "header" {
	finish()
	file = out "/api_" ++nr ".c"
	functions = ""
	print "#include <gmemstate/" $2 ">\n#include <stddef.h>" >file
	next
}
$1 == "type" { print "typedef " $2 " api_type_" $2 ";" >file; next }
# one that was not declared would be a warning here
$1 == "opaque" { print "void api_use_" $2 "(struct " $2 " *);" >file; next }
$1 == "struct" || $1 == "enum" { print "enum { api_size_" $2 " = sizeof(" $1 " " $2 ") };" >file; next }
$1 == "macro" { print "#ifndef " $2 "\n#error " $2 "\n#endif" >file; next }
$1 == "constant" { print "enum { api_value_" $2 " = " $2 " };" >file; next }
$1 == "function" { functions = functions " (void (*)(void))" $2 ","; next }
$1 == "fields" {
	if (!($2 in last))
		print "enum { api_first_" $2 " = offsetof(struct " $2 ", " $3 ") };" >file
	for (i = 3; i <= NF; i++) {
		if ($2 in last)
			print "_Static_assert(offsetof(struct " $2 ", " last[$2] ") < offsetof(struct " \
				$2 ", " $i "), \"" $2 "." $i "\");" >file
		last[$2] = $i
	}
	next
}
{
	print FILENAME ":" FNR ": what is " $1 "?" >"/dev/stderr"
	failed = 1
}
END {
	finish()
	exit failed
}
