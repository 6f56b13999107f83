# perf/*_perf.cc: one executable each, customers of the shared library like any other. What they have
# in common is built for the tests too. perf/peers/*.cc compare with MPI and need it.
find_package(CLI11 REQUIRED)
file(GLOB UNIRACK_PERF_COMMON CONFIGURE_DEPENDS perf/common/*.cc)
# Not linked with the library, so that the tests can link it beside the library's objects.
add_library(unirack_perf_common STATIC ${UNIRACK_PERF_COMMON})
target_link_libraries(unirack_perf_common PUBLIC unirack_options Threads::Threads fmt::fmt
  nlohmann_json::nlohmann_json CLI11::CLI11)
unirack_unity(unirack_perf_common)
unirack_seldom_run(unirack_perf_common)
if(MPI_C_FOUND)
  target_compile_definitions(unirack_perf_common PUBLIC UNIRACK_PERF_MPI OMPI_SKIP_MPICXX
    MPICH_SKIP_MPICXX)
  target_link_libraries(unirack_perf_common PUBLIC MPI::MPI_C)
endif()

# perf/topo/: the topology tool, unirack-topo. It reads lib/topology, which the shared library does
# not export, so it is linked with the objects. Its commands are built for the tests too.
file(GLOB UNIRACK_TOPO_SOURCES CONFIGURE_DEPENDS perf/topo/*.cc)
list(REMOVE_ITEM UNIRACK_TOPO_SOURCES ${PROJECT_SOURCE_DIR}/perf/topo/main.cc
  ${PROJECT_SOURCE_DIR}/perf/topo/bound_bench.cc ${PROJECT_SOURCE_DIR}/perf/topo/forest_bench.cc)
add_library(unirack_topo_commands STATIC ${UNIRACK_TOPO_SOURCES})
target_link_libraries(unirack_topo_commands PUBLIC unirack_perf_common)
unirack_unity(unirack_topo_commands)
unirack_seldom_run(unirack_topo_commands)

if(NOT UNIRACK_PERF)
  return()
endif()
add_executable(unirack-topo perf/topo/main.cc)
target_link_libraries(unirack-topo PRIVATE unirack_topo_commands unirack_topology unirack_objects
  unirack_perf_common)
install(TARGETS unirack-topo COMPONENT perf)

file(GLOB UNIRACK_PERF_SOURCES CONFIGURE_DEPENDS perf/*_perf.cc)
if(MPI_C_FOUND)
  file(GLOB peers CONFIGURE_DEPENDS perf/peers/*.cc)
  list(APPEND UNIRACK_PERF_SOURCES ${peers})
endif()
add_custom_target(perf_tests)
foreach(source ${UNIRACK_PERF_SOURCES})
  cmake_path(GET source STEM name)
  add_executable(${name} ${source})
  add_dependencies(perf_tests ${name})
  target_link_libraries(${name} PRIVATE unirack_perf_common unirack)
  set_target_properties(${name} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS ${name} COMPONENT perf)
endforeach()

# A rank in the racks lab; perf/racks/racks.py compiles those of other libraries itself.
add_executable(racks_unirack_worker perf/racks/unirack_worker.cc)
target_link_libraries(racks_unirack_worker PRIVATE unirack_options unirack)
add_executable(racks_predict perf/racks/predict.cc)
target_link_libraries(racks_predict PRIVATE unirack_options unirack_objects unirack_topology)
add_dependencies(perf_tests racks_unirack_worker racks_predict)

# The time of bounds, beside LEMON's maximum flow; not installed.
find_library(LEMON_LIBRARY lemon)
if(LEMON_LIBRARY)
  add_executable(bound_bench perf/topo/bound_bench.cc)
  target_link_libraries(bound_bench PRIVATE unirack_topology unirack_objects CLI11::CLI11
    ${LEMON_LIBRARY})
endif()
# What packed forests reach in simulation; not installed.
add_executable(forest_bench perf/topo/forest_bench.cc)
target_link_libraries(forest_bench PRIVATE unirack_topo_commands unirack_topology unirack_objects
  CLI11::CLI11)

# Each runs small, with ranks as threads and as processes; the data is checked.
function(unirack_add_perf_test name program)
  add_test(NAME ${name} COMMAND ${program} ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT 60 LABELS perf)
endfunction()
if(UNIRACK_TESTS)
  foreach(source ${UNIRACK_PERF_SOURCES})
    cmake_path(GET source STEM name)
    if(name STREQUAL "inference_perf")
      unirack_add_perf_test(${name}_processes ${name} --np 2 --domains 1+1 --steps 1 --max-batch 2)
    elseif(name MATCHES "_perf$")
      set(sizes -b 1 -e 100000 -f 10 --exact-bytes -n 2)
      unirack_add_perf_test(${name}_threads ${name} -t 2 ${sizes})
      unirack_add_perf_test(${name}_processes ${name} --np 2 ${sizes})
    endif()
  endforeach()
  # A short lab: two rails, one of them lost on the way; skips where namespaces are not permitted.
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  if(NOT UNIRACK_SANITIZE)
    add_test(NAME racks_lab COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/racks_lab_test.py
      ${PROJECT_BINARY_DIR})
    set_tests_properties(racks_lab PROPERTIES TIMEOUT 180 RUN_SERIAL ON SKIP_RETURN_CODE 77
      LABELS perf)
  endif()
  unirack_add_perf_test(unirack_topo_measure unirack-topo measure --np 3 --domains 2+1 --bytes 64K
    --iterations 20 --json)
endif()
