# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gms_target_flags(target): sets the options that everything in this tree is compiled with
function(gms_target_flags target)
	target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wundef -Wvla
		$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes
			-Werror=implicit-function-declaration>)
	if(GMS_SANITIZE)
		target_compile_options(${target} PRIVATE -fsanitize=${GMS_SANITIZE}
			-fno-sanitize-recover=all -fno-omit-frame-pointer)
		target_link_options(${target} PRIVATE -fsanitize=${GMS_SANITIZE})
	endif()
endfunction()
