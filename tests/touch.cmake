# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The range tree's sources once more, for tests that see each access to memory: touch.h. They are
# compiled for ThreadSanitizer, but linked without it, and always as they are released.
set(GMS_TREE_SOURCES ${GMS_SOURCES})
list(FILTER GMS_TREE_SOURCES INCLUDE REGEX "/(rtree[a-z_]*|platform)\\.c$")

# gms_touch_objects(name [definition...])
function(gms_touch_objects name)
	add_library(${name} OBJECT ${GMS_TREE_SOURCES})
	target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
		PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/src/platform/user)
	target_compile_definitions(${name} PRIVATE ${ARGN})
	gms_target_flags(${name})
	target_compile_options(${name} PRIVATE -O2 -fsanitize=thread
		$<$<C_COMPILER_ID:GNU>:-Wno-tsan>) # it warns of fences, which it leaves as they are
endfunction()

gms_touch_objects(gms_touch_objects)
gms_touch_objects(gms_touch_objects_tiny GMS_RTREE_SHIFT=2)
gms_test_library(gms_test_touch gms_touch_objects)
gms_test_library(gms_test_touch_tiny gms_touch_objects_tiny GMS_RTREE_SHIFT=2)
foreach(build "" _tiny)
	target_sources(gms_test_touch${build} PRIVATE touch.c)
endforeach()

# gms_touch_test(name [TINY] LABELS label...): as gms_test(), on those
function(gms_touch_test name)
	cmake_parse_arguments(arg "TINY" "" "LABELS" ${ARGN})
	set(builds "")
	if(arg_TINY)
		set(builds _tiny)
	endif()
	foreach(build "" ${builds})
		add_executable(test_${name}${build} test_${name}.c)
		target_link_libraries(test_${name}${build} PRIVATE gms_test_touch${build})
		gms_target_flags(test_${name}${build})
		add_test(NAME ${name}${build} COMMAND test_${name}${build})
		string(REPLACE "_" "" label "${build}")
		set_tests_properties(${name}${build} PROPERTIES
			LABELS "${arg_LABELS};${label}" TIMEOUT 600)
	endforeach()
endfunction()

gms_touch_test(rtree_lines)
gms_touch_test(rtree_steps TINY LABELS slow)
