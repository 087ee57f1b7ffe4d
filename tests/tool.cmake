# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The tests of tools/: the objects that ship, and the command itself.
if(NOT TARGET gmemstate_tool)
	return()
endif()
# An imported target is known in the folder that found it, and below, only.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)

function(gms_tool_test name)
	add_executable(test_${name} test_${name}.c oracle.c test.c ${ARGN})
	target_include_directories(test_${name} PRIVATE
		${PROJECT_SOURCE_DIR}/include ${GMS_CMOCKA_INCLUDE})
	target_link_libraries(test_${name} PRIVATE PkgConfig::JANSSON ${GMS_CMOCKA})
	gms_target_flags(test_${name})
	add_test(NAME ${name} COMMAND test_${name})
	set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()

foreach(name log lab gen)
	gms_tool_test(${name})
	target_link_libraries(test_${name} PRIVATE gmemstate_tool_objects)
endforeach()

foreach(name tool tool_input tool_policy)
	gms_tool_test(${name} test_tool_run.c)
	add_dependencies(test_${name} gmemstate_tool)
	target_compile_definitions(test_${name} PRIVATE
		GMS_TOOL="$<TARGET_FILE:gmemstate_tool>"
		GMS_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data"
		GMS_VERSION="${PROJECT_VERSION}")
endforeach()

foreach(name sim sim_rules)
	gms_tool_test(${name})
	target_link_libraries(test_${name} PRIVATE gmemstate_sim)
endforeach()
