# `cmake --install`: headers, both libraries, the CMake package and the pkg-config file.
include(CMakePackageConfigHelpers)

set(UNIRACK_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/unirack)
set(UNIRACK_PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(DIRECTORY include/unirack DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

# One export set a target: the static library needs packages that users of the shared one may lack.
function(unirack_export target)
  install(TARGETS ${target} EXPORT ${target}_targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  install(EXPORT ${target}_targets NAMESPACE unirack:: DESTINATION ${UNIRACK_PACKAGE_DIR}
    COMPONENT library)
endfunction()
unirack_export(unirack)
unirack_export(unirack_static)
if(TARGET unirack_mpi)
  unirack_export(unirack_mpi)
endif()

configure_package_config_file(cmake/unirack-config.cmake.in unirack-config.cmake
  INSTALL_DESTINATION ${UNIRACK_PACKAGE_DIR})
write_basic_package_version_file(unirack-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/unirack-config.cmake
  ${PROJECT_BINARY_DIR}/unirack-config-version.cmake
  DESTINATION ${UNIRACK_PACKAGE_DIR} COMPONENT library)

# Relative to the file itself, so that an installed tree can be moved.
file(RELATIVE_PATH UNIRACK_PC_TO_PREFIX /${UNIRACK_PKGCONFIG_DIR} /)
configure_file(cmake/unirack.pc.in unirack.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/unirack.pc
  DESTINATION ${UNIRACK_PKGCONFIG_DIR} COMPONENT library)
