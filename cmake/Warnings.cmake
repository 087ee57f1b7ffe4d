# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gms_target_flags(target): sets the options that everything in this tree is compiled with. Inside
# of another project that project chooses the warnings.
function(gms_target_flags target)
	if(PROJECT_IS_TOP_LEVEL)
		target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wundef -Wvla
			$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes
				-Werror=implicit-function-declaration>)
	endif()
	if(GMS_SANITIZE)
		target_compile_options(${target} PRIVATE -fsanitize=${GMS_SANITIZE}
			-fno-sanitize-recover=all -fno-omit-frame-pointer)
		target_link_options(${target} PRIVATE -fsanitize=${GMS_SANITIZE})
	endif()
endfunction()

# gms_if_linked(target): inside of another project that does not install gmemstate, a library is
# built only if something links it
function(gms_if_linked target)
	if(NOT PROJECT_IS_TOP_LEVEL AND NOT GMS_INSTALL)
		set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
	endif()
endfunction()
