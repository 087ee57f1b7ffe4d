# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gms_target_flags(target): what everything here is compiled with.
function(gms_target_flags target)
	target_compile_options(${target} PRIVATE -Wall -Wextra -Werror=implicit-function-declaration
		$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
		-Wshadow -Wundef -Wvla)
	if(GMS_SANITIZE)
		target_compile_options(${target} PRIVATE -fsanitize=${GMS_SANITIZE}
			-fno-sanitize-recover=all -fno-omit-frame-pointer)
		target_link_options(${target} PRIVATE -fsanitize=${GMS_SANITIZE})
	endif()
endfunction()
