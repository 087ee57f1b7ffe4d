# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What `cmake --install` installs; the tool's own CMakeLists.txt adds the tool. For users there is
#
#	find_package(gmemstate)    gmemstate::gmemstate (shared), gmemstate::static, and
#				   gmemstate::kvm where kvm/ was built
#	pkg-config                 gmemstate, gmemstate_kvm
#
# Sanitizer builds are not for installing.
if(GMS_SANITIZE)
	return()
endif()
include(CMakePackageConfigHelpers)

# gms_install_targets(name...): those that other projects are to find
function(gms_install_targets)
	set_target_properties(${ARGN} PROPERTIES
		INTERFACE_INCLUDE_DIRECTORIES $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
	install(TARGETS ${ARGN} EXPORT gmemstate
		LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
		ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
		INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# What the static library needs: its objects here; where it is installed they are in it, and
# what they need is named. By name, not by jemalloc's target: that is a shared library.
function(gms_export_static)
	set(needs Threads::Threads)
	set(dirs "")
	if(GMS_WITH_JEMALLOC)
		list(APPEND needs $<INSTALL_INTERFACE:jemalloc> $<INSTALL_INTERFACE:m>)
		set(dirs ${JEMALLOC_LIBDIR})
		list(REMOVE_ITEM dirs ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES})
	endif()
	set_target_properties(gmemstate_static PROPERTIES EXPORT_NAME static
		INTERFACE_LINK_LIBRARIES "$<BUILD_INTERFACE:$<LINK_ONLY:gms_objects>>;${needs}")
	if(dirs)
		target_link_directories(gmemstate_static INTERFACE $<INSTALL_INTERFACE:${dirs}>)
	endif()
endfunction()

# The package finds the prefix from its own place, as CMake sees to.
function(gms_install_package)
	set(dir ${CMAKE_INSTALL_LIBDIR}/cmake/gmemstate)

	install(EXPORT gmemstate NAMESPACE gmemstate:: FILE gmemstate-targets.cmake
		DESTINATION ${dir})
	configure_package_config_file(cmake/gmemstate-config.cmake.in gmemstate-config.cmake
		INSTALL_DESTINATION ${dir}
		NO_SET_AND_CHECK_MACRO)
	# Until there is a 1.0 each minor version may break what the one before promised.
	if(PROJECT_VERSION_MAJOR EQUAL 0)
		set(compatible SameMinorVersion)
	else()
		set(compatible SameMajorVersion)
	endif()
	write_basic_package_version_file(gmemstate-config-version.cmake
		COMPATIBILITY ${compatible})
	install(FILES ${PROJECT_BINARY_DIR}/gmemstate-config.cmake
		${PROJECT_BINARY_DIR}/gmemstate-config-version.cmake DESTINATION ${dir})
endfunction()

# gms_install_pc(name...): <name>.pc. It finds the prefix from its own place, too, so that the
# installed tree can be moved, unless it was told absolute places.
function(gms_install_pc)
	if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
		set(GMS_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
		set(GMS_PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
		set(GMS_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
	else()
		file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
		string(REGEX REPLACE "/$" "" up "${up}")
		set(GMS_PC_PREFIX "\${pcfiledir}/${up}")
		set(GMS_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
		set(GMS_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
	endif()
	# For static linking. Not Requires.private: jemalloc.pc leaves out that jemalloc needs libm.
	set(GMS_PC_LIBS_PRIVATE -pthread)
	if(GMS_WITH_JEMALLOC)
		set(GMS_PC_LIBS_PRIVATE "-L${JEMALLOC_LIBDIR} -ljemalloc -lm -pthread")
	endif()
	foreach(name ${ARGN})
		configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
		install(FILES ${PROJECT_BINARY_DIR}/${name}.pc
			DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
	endforeach()
endfunction()

function(gms_install)
	gms_export_static()
	gms_install_targets(gmemstate gmemstate_static)
	gms_install_pc(gmemstate)
	set(not_built PATTERN kvm.h EXCLUDE)
	if(TARGET gmemstate_kvm)
		set_target_properties(gmemstate_kvm PROPERTIES EXPORT_NAME kvm)
		gms_install_targets(gmemstate_kvm)
		gms_install_pc(gmemstate_kvm)
		set(not_built "")
	endif()
	install(DIRECTORY include/gmemstate DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
		FILES_MATCHING PATTERN "*.h" ${not_built})
	gms_install_package()
endfunction()

# When all of the tree has been read: which parts there are is known then.
cmake_language(DEFER CALL gms_install)
