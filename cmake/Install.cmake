# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The rules for `cmake --install`. The CMakeLists.txt of the tool adds the tool. Users have
#
#	find_package(gmemstate)    with gmemstate::gmemstate (shared), gmemstate::gmemstate_static,
#				   and, if kvm/ was built, gmemstate::kvm and gmemstate::kvm_static
#	pkg-config                 with gmemstate and gmemstate_kvm
#
# A program that links a build with a sanitizer gets the sanitizer's run time, too.
include(CMakePackageConfigHelpers)

# gms_install_targets(name...): installs targets, and exports them to other projects
function(gms_install_targets)
	install(TARGETS ${ARGN} EXPORT gmemstate
		LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
		ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
		INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# Exports the static library. In this tree it needs its objects; the installed library contains
# them, and names the libraries that they need. jemalloc has no target here, only a name: its
# target is a shared library.
function(gms_export_static)
	set(needs Threads::Threads)
	set(dirs "")
	if(GMS_WITH_JEMALLOC)
		list(APPEND needs $<INSTALL_INTERFACE:jemalloc> $<INSTALL_INTERFACE:m>)
		set(dirs ${JEMALLOC_LIBDIR})
		list(REMOVE_ITEM dirs ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES})
	endif()
	set_target_properties(gmemstate_static PROPERTIES
		INTERFACE_LINK_LIBRARIES "$<BUILD_INTERFACE:$<LINK_ONLY:gms_objects>>;${needs}")
	if(dirs)
		target_link_directories(gmemstate_static INTERFACE $<INSTALL_INTERFACE:${dirs}>)
	endif()
	# gmemstate_kvm_static names the file of the core once more. What the file needs comes behind it.
	if(TARGET gmemstate_kvm_static)
		target_link_libraries(gmemstate_kvm_static INTERFACE ${needs})
	endif()
endfunction()

# Installs the package for find_package(). It finds the prefix from its own place, by CMake.
function(gms_install_package)
	set(dir ${CMAKE_INSTALL_LIBDIR}/cmake/gmemstate)

	install(EXPORT gmemstate NAMESPACE gmemstate:: FILE gmemstate-targets.cmake
		DESTINATION ${dir})
	configure_package_config_file(cmake/gmemstate-config.cmake.in gmemstate-config.cmake
		INSTALL_DESTINATION ${dir}
		NO_SET_AND_CHECK_MACRO)
	# Before 1.0 a minor version may break compatibility.
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

# gms_install_pc(name...): installs <name>.pc for pkg-config. With relative directories it finds
# the prefix from its own place, so that the installed tree can be moved.
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
	# For static linking. Requires.private does not do: jemalloc.pc does not name libm.
	set(GMS_PC_LIBS_PRIVATE -pthread)
	if(GMS_WITH_JEMALLOC)
		set(GMS_PC_LIBS_PRIVATE "-L${JEMALLOC_LIBDIR} -ljemalloc -lm -pthread")
	endif()
	set(GMS_PC_SANITIZE "")
	if(GMS_SANITIZE)
		set(GMS_PC_SANITIZE " -fsanitize=${GMS_SANITIZE}")
	endif()
	foreach(name ${ARGN})
		configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
		install(FILES ${PROJECT_BINARY_DIR}/${name}.pc
			DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
	endforeach()
endfunction()

# Installs the man pages that scripts/man has made: those of section 3 and 3type, and of section 7.
# Their names say which of them are about kvm.h.
function(gms_install_man)
	set(not_built "")
	if(NOT TARGET gmemstate_kvm)
		set(not_built PATTERN gms_kvm_* EXCLUDE PATTERN gmemstate-kvm.* EXCLUDE)
	endif()
	foreach(section 3 7)
		install(DIRECTORY man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
			FILES_MATCHING PATTERN "*.${section}*" ${not_built})
	endforeach()
endfunction()

function(gms_install)
	gms_export_static()
	gms_install_targets(gmemstate gmemstate_static)
	gms_install_pc(gmemstate)
	set(not_built PATTERN kvm.h EXCLUDE)
	if(TARGET gmemstate_kvm)
		set_target_properties(gmemstate_kvm PROPERTIES EXPORT_NAME kvm_archive)
		set_target_properties(gmemstate_kvm_shared PROPERTIES EXPORT_NAME kvm)
		set_target_properties(gmemstate_kvm_static PROPERTIES EXPORT_NAME kvm_static)
		gms_install_targets(gmemstate_kvm gmemstate_kvm_shared gmemstate_kvm_static)
		gms_install_pc(gmemstate_kvm)
		set(not_built "")
	endif()
	install(DIRECTORY include/gmemstate DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
		FILES_MATCHING PATTERN "*.h" ${not_built})
	gms_install_man()
	set(docdir ${CMAKE_INSTALL_DOCDIR})
	if(NOT PROJECT_IS_TOP_LEVEL)
		set(docdir ${CMAKE_INSTALL_DATAROOTDIR}/doc/gmemstate) # not the parent's
	endif()
	install(FILES LICENSE DESTINATION ${docdir})
	gms_install_package()
endfunction()

gms_install()
