# The library. Every source is compiled once; the shared library, the static one and the tests
# share the objects. Only symbols that begin with "unirack" leave the shared library.
set(UNIRACK_DEPENDENCIES Threads::Threads OpenSSL::Crypto fmt::fmt spdlog::spdlog hwy::hwy
  ${CMAKE_DL_LIBS})
# hwloc tells cores and caches; discovery does without where it is missing. Linked by its plain name,
# so that what is installed names no target that its users would have to define.
set(UNIRACK_PC_HWLOC "")
if(UNIRACK_HWLOC)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(HWLOC QUIET hwloc>=2.0)
  endif()
  if(HWLOC_FOUND)
    link_directories(${HWLOC_LIBRARY_DIRS})
    list(APPEND UNIRACK_DEPENDENCIES hwloc)
    set(UNIRACK_PC_HWLOC " hwloc")
  endif()
endif()

file(GLOB_RECURSE UNIRACK_SOURCES CONFIGURE_DEPENDS
  lib/*.cc transports/*.cc collectives/*.cc kernels/*.cc)
# See UnirackTopology.cmake.
list(FILTER UNIRACK_SOURCES EXCLUDE REGEX
  "/(lib/topology/(flow|formats|generate|render)|collectives/formats)/")
add_library(unirack_objects OBJECT ${UNIRACK_SOURCES})
target_link_libraries(unirack_objects PUBLIC unirack_options ${UNIRACK_DEPENDENCIES})
unirack_unity(unirack_objects)
unirack_explored(unirack_objects)
if(HWLOC_FOUND)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/topology/discover/discover_hwloc.cc PROPERTIES
    COMPILE_DEFINITIONS UNIRACK_HAVE_HWLOC INCLUDE_DIRECTORIES "${HWLOC_INCLUDE_DIRS}")
endif()
set_target_properties(unirack_objects PROPERTIES
  C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

set(UNIRACK_EXPORTS ${PROJECT_SOURCE_DIR}/cmake/unirack.map)
add_library(unirack SHARED $<TARGET_OBJECTS:unirack_objects>)
set_target_properties(unirack PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${UNIRACK_EXPORTS})
target_link_options(unirack PRIVATE -Wl,--version-script=${UNIRACK_EXPORTS})
if(NOT UNIRACK_SANITIZE)
  target_link_options(unirack PRIVATE -Wl,-z,defs)
endif()

add_library(unirack_static STATIC $<TARGET_OBJECTS:unirack_objects>)
set_target_properties(unirack_static PROPERTIES OUTPUT_NAME unirack)

foreach(library unirack unirack_static)
  target_link_libraries(${library} PRIVATE ${UNIRACK_DEPENDENCIES})
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  add_library(unirack::${library} ALIAS ${library})
endforeach()

# Joining through MPI is a header of its own, so that the library does not need MPI.
if(MPI_C_FOUND AND EXISTS ${PROJECT_SOURCE_DIR}/include/unirack/mpi.hpp)
  add_library(unirack_mpi INTERFACE)
  set_target_properties(unirack_mpi PROPERTIES EXPORT_NAME mpi)
  target_link_libraries(unirack_mpi INTERFACE unirack MPI::MPI_C)
  add_library(unirack::mpi ALIAS unirack_mpi)
endif()
