# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The tests of snapshots, and what they share.
add_library(gms_test_snap STATIC snap.c)
target_link_libraries(gms_test_snap PUBLIC gms_test)
gms_target_flags(gms_test_snap)

function(gms_snapshot_test name)
	gms_test(${name} ${ARGN})
	target_link_libraries(test_${name} PRIVATE gms_test_snap)
	target_compile_definitions(test_${name} PRIVATE
		GMS_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data"
		GMS_DOCS="${PROJECT_SOURCE_DIR}/docs")
endfunction()

gms_snapshot_test(snapshot INTERNAL)
gms_snapshot_test(snapshot_hostile LABELS slow)
gms_snapshot_test(snapshot_effects)
target_link_libraries(test_snapshot_effects PRIVATE gms_test_rules)
gms_snapshot_test(snapshot_threads LABELS threads slow)

# gen_snapshot FILE: how tests/data/snapshot-v1.gms was made. Not to be run over it again.
add_executable(gen_snapshot gen_snapshot.c)
target_link_libraries(gen_snapshot PRIVATE gms_test_snap)
gms_target_flags(gen_snapshot)

# fuzz_snapshot [CORPUS]: see there. The sources once more, with what tells libFuzzer where it was.
option(GMS_BUILD_FUZZ "Build the fuzzer of snapshots (needs clang)" OFF)
if(GMS_BUILD_FUZZ)
	if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
		message(FATAL_ERROR "GMS_BUILD_FUZZ needs clang")
	endif()
	gms_objects(gms_objects_fuzz)
	target_compile_options(gms_objects_fuzz PRIVATE -fsanitize=fuzzer-no-link)
	add_executable(fuzz_snapshot fuzz_snapshot.c snap.c oracle.c)
	target_include_directories(fuzz_snapshot PRIVATE ${GMS_CMOCKA_INCLUDE})
	target_link_libraries(fuzz_snapshot PRIVATE gms_objects_fuzz ${GMS_CMOCKA})
	target_link_options(fuzz_snapshot PRIVATE -fsanitize=fuzzer)
	gms_target_flags(fuzz_snapshot)
endif()
