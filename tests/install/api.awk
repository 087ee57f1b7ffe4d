# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# api.awk - makes a source file for each header of api.txt. The file compiles and links if the
# header declares all names of the list, and the library has them.
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
# A struct that the header does not declare causes a warning.
$1 == "opaque" { print "void api_use_" $2 "(struct " $2 " *);" >file; next }
$1 == "struct" || $1 == "enum" {
	print "enum { api_size_" $2 " = sizeof(" $1 " " $2 ") };" >file
	next
}
$1 == "macro" { print "#ifndef " $2 "\n#error " $2 "\n#endif" >file; next }
$1 == "constant" { print "enum { api_value_" $2 " = " $2 " };" >file; next }
$1 == "function" { functions = functions " (void (*)(void))" $2 ","; next }
$1 == "fields" {
	if (!($2 in last))
		print "enum { api_first_" $2 " = offsetof(struct " $2 ", " $3 ") };" >file
	for (i = 3; i <= NF; i++) {
		if ($2 in last)
			print "_Static_assert(offsetof(struct " $2 ", " last[$2] \
				") < offsetof(struct " $2 ", " $i "), \"" $2 "." $i "\");" >file
		last[$2] = $i
	}
	next
}
{
	print FILENAME ":" FNR ": " $1 " is no word of this list" >"/dev/stderr"
	failed = 1
}
END {
	finish()
	exit failed
}
