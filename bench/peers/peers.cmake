# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The peers of other projects: the C++ library, Abseil, CRoaring, and two data structures of the
# kernel. The kernel's sources are GPL, and this tree keeps none of them: they are unpacked into
# the build directory, from the newest tarball of Debian's linux-source.
pkg_check_modules(BENCH_PEERS REQUIRED IMPORTED_TARGET absl_btree liburcu-qsbr)
find_path(ROARING_INCLUDE_DIR roaring/roaring.h REQUIRED)
find_library(ROARING_LIBRARY roaring REQUIRED)

file(GLOB kernel_tarballs /usr/src/linux-source-*.tar.xz)
list(SORT kernel_tarballs COMPARE NATURAL ORDER DESCENDING)
list(POP_FRONT kernel_tarballs newest)
set(GMS_BENCH_KERNEL "${newest}" CACHE FILEPATH "Kernel sources for the benchmarks' peers")
if(NOT EXISTS "${GMS_BENCH_KERNEL}")
	message(FATAL_ERROR "GMS_BENCH_PEERS needs Debian's linux-source-6.12 or newer")
endif()

get_filename_component(kernel_name ${GMS_BENCH_KERNEL} NAME)
string(REGEX REPLACE "\\.tar\\..*" "" kernel_name ${kernel_name})
set(kernel_dir ${CMAKE_CURRENT_BINARY_DIR}/${kernel_name})
if(NOT EXISTS ${kernel_dir}/.unpacked)
	message(STATUS "Unpacking a part of ${GMS_BENCH_KERNEL}")
	file(MAKE_DIRECTORY ${kernel_dir})
	execute_process(COMMAND tar -xJf ${GMS_BENCH_KERNEL} -C ${kernel_dir} --strip-components=1
		${kernel_name}/lib/maple_tree.c ${kernel_name}/lib/xarray.c
		${kernel_name}/lib/radix-tree.h ${kernel_name}/include/linux/maple_tree.h
		${kernel_name}/include/linux/xarray.h ${kernel_name}/include/linux/kconfig.h
		${kernel_name}/include/linux/gfp_types.h ${kernel_name}/tools/include
		${kernel_name}/tools/testing/shared ${kernel_name}/tools/arch
		${kernel_name}/tools/lib/find_bit.c
		COMMAND_ERROR_IS_FATAL ANY)
	file(TOUCH ${kernel_dir}/.unpacked)
endif()
# A node of the XArray has 64 slots in the kernel, and 8 in the kernel's tests.
file(WRITE ${kernel_dir}/generated/map-shift.h "#define XA_CHUNK_SHIFT 6\n")
file(WRITE ${kernel_dir}/generated/bit-length.h "#define CONFIG_64BIT 1\n")
configure_file(${kernel_dir}/tools/testing/shared/autoconf.h
	${kernel_dir}/generated/autoconf.h COPYONLY)

gms_bench_objects(gms_bench_kernel peers/maple.c peers/xa_kvm.c peers/kshim/kshim.c
	${kernel_dir}/tools/lib/find_bit.c)
target_include_directories(gms_bench_kernel PRIVATE peers/kshim)
# The kernel's sources are compiled without warnings.
target_include_directories(gms_bench_kernel SYSTEM PRIVATE
	${kernel_dir}/tools/testing/shared ${kernel_dir}
	${kernel_dir}/tools/include)
target_compile_definitions(gms_bench_kernel PRIVATE _GNU_SOURCE _LGPL_SOURCE)
target_compile_options(gms_bench_kernel PRIVATE -w -fno-strict-aliasing)

gms_bench_objects(gms_bench_others peers/std_map.cc peers/btree.cc peers/roaring.c)
target_include_directories(gms_bench_others SYSTEM PRIVATE ${ROARING_INCLUDE_DIR})
target_link_libraries(gms_bench_others PRIVATE PkgConfig::BENCH_PEERS)

target_sources(gms_bench PRIVATE
	$<TARGET_OBJECTS:gms_bench_kernel> $<TARGET_OBJECTS:gms_bench_others>)
target_link_libraries(gms_bench PRIVATE PkgConfig::BENCH_PEERS ${ROARING_LIBRARY})
