# perf/*_perf.cc: one executable each, customers of the shared library like any other.
file(GLOB UNIRACK_PERF_SOURCES CONFIGURE_DEPENDS perf/*_perf.cc)
file(GLOB UNIRACK_PERF_COMMON CONFIGURE_DEPENDS perf/common/*.cc)
if(UNIRACK_PERF_COMMON)
  find_package(CLI11 REQUIRED)
  # Not linked with the library, so that the tests can link it beside the library's objects.
  add_library(unirack_perf_common STATIC ${UNIRACK_PERF_COMMON})
  target_link_libraries(unirack_perf_common PUBLIC unirack_options Threads::Threads fmt::fmt
    nlohmann_json::nlohmann_json CLI11::CLI11)
  if(MPI_C_FOUND)
    target_compile_definitions(unirack_perf_common PUBLIC UNIRACK_PERF_MPI OMPI_SKIP_MPICXX
      MPICH_SKIP_MPICXX)
    target_link_libraries(unirack_perf_common PUBLIC MPI::MPI_C)
  endif()
endif()

foreach(source ${UNIRACK_PERF_SOURCES})
  cmake_path(GET source STEM name)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE unirack_perf_common unirack)
  set_target_properties(${name} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS ${name} COMPONENT perf)
endforeach()
