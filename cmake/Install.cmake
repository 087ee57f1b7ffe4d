# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What `cmake --install` installs; the tool's own CMakeLists.txt adds the tool.
# Sanitizer builds are not for installing.
if(GMS_SANITIZE)
	return()
endif()

install(TARGETS gmemstate gmemstate_static
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
	ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/gmemstate DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN "*.h")

# gmemstate.pc finds the prefix from its own place, so that the installed tree can be moved,
# unless it was told absolute places.
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
configure_file(cmake/gmemstate.pc.in gmemstate.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gmemstate.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
