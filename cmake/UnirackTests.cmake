# unirack_tests is one binary that ctest runs in shards; suites named *Timed* run alone, after them,
# because they measure time (but not those that measure the processor's). See tests/README.md for
# the names.
find_package(GTest REQUIRED)
file(GLOB_RECURSE UNIRACK_TEST_SOURCES CONFIGURE_DEPENDS tests/*_test.cc)
file(GLOB UNIRACK_TEST_SUPPORT CONFIGURE_DEPENDS tests/support/*.cc)

if(UNIRACK_THREADED_TESTS_ONLY)
  set(selected)
  foreach(source ${UNIRACK_TEST_SOURCES})
    file(STRINGS ${source} lines REGEX "Threaded" LIMIT_COUNT 1)
    if(lines)
      list(APPEND selected ${source})
    endif()
  endforeach()
  set(UNIRACK_TEST_SOURCES ${selected})
  set(UNIRACK_TEST_FILTER "*Threaded*")
else()
  set(UNIRACK_TEST_FILTER "*")
endif()

if(NOT TARGET unirack_topo_commands)
  list(FILTER UNIRACK_TEST_SUPPORT EXCLUDE REGEX "/(topo_tool|fabric_pools)\\.cc$")
endif()
# The support computes (oracles, interleavings); the tests themselves only compare.
add_library(unirack_test_support OBJECT ${UNIRACK_TEST_SUPPORT})
target_link_libraries(unirack_test_support PUBLIC unirack_options ${UNIRACK_DEPENDENCIES}
  nlohmann_json::nlohmann_json GTest::gmock GTest::gtest)
target_compile_options(unirack_test_support PRIVATE $<$<CONFIG:Debug>:-O2>)
add_executable(unirack_tests ${UNIRACK_TEST_SOURCES})
target_link_libraries(unirack_tests PRIVATE unirack_test_support unirack_objects)
target_compile_options(unirack_tests PRIVATE $<$<CONFIG:Debug>:-O0>)
foreach(target unirack_test_support unirack_tests)
  unirack_unity(${target})
  target_precompile_headers(${target} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
endforeach()
# LEMON's maximum flow, beside which ours is tested.
find_library(LEMON_LIBRARY lemon REQUIRED)
target_link_libraries(unirack_tests PRIVATE ${LEMON_LIBRARY})
foreach(part unirack_topo_commands unirack_perf_common unirack_topology)
  if(TARGET ${part})
    target_link_libraries(unirack_tests PRIVATE ${part})
  endif()
endforeach()

# Stand-ins for NVML, loaded at run time as the real one is; tests find them beside their binary.
foreach(variant "" "_old")
  add_library(fake_nvml${variant} MODULE EXCLUDE_FROM_ALL tests/support/fake_nvml/fake_nvml.cc)
  target_link_libraries(fake_nvml${variant} PRIVATE unirack_options)
  add_dependencies(unirack_tests fake_nvml${variant})
endforeach()
target_compile_definitions(fake_nvml_old PRIVATE UNIRACK_FAKE_NVML_OLD)

# A sanitized test is several times slower; the limit is per test case, set by the watchdog. What a
# scope leaves out is said where it is read.
set(UNIRACK_TEST_TIMEOUT_S 30)
set(UNIRACK_TEST_SCOPE usual)
if(UNIRACK_SANITIZE)
  set(UNIRACK_TEST_TIMEOUT_S 120)
  set(UNIRACK_TEST_SCOPE brief)
endif()
set(UNIRACK_TEST_ENVIRONMENT UNIRACK_TEST_TIMEOUT_S=${UNIRACK_TEST_TIMEOUT_S}
  UNIRACK_TEST_SCOPE=${UNIRACK_TEST_SCOPE}
  ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
  UBSAN_OPTIONS=print_stacktrace=1
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)
set(UNIRACK_TEST_RESULTS ${PROJECT_BINARY_DIR}/test-results)
file(MAKE_DIRECTORY ${UNIRACK_TEST_RESULTS})

# Arguments after the index go to add_test.
function(unirack_add_shard name filter count index)
  add_test(NAME ${name} ${ARGN} COMMAND unirack_tests --gtest_brief=1 --gtest_filter=${filter})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900 LABELS gtest ENVIRONMENT
    "${UNIRACK_TEST_ENVIRONMENT};GTEST_TOTAL_SHARDS=${count};GTEST_SHARD_INDEX=${index};\
UNIRACK_TEST_RESULTS=${UNIRACK_TEST_RESULTS}/${name}.txt")
endfunction()

set(UNIRACK_TEST_SHARDS 6)
foreach(index RANGE 1 ${UNIRACK_TEST_SHARDS})
  math(EXPR zero_based "${index} - 1")
  unirack_add_shard(unirack_tests_${index} "${UNIRACK_TEST_FILTER}-*Timed*:*EveryMutant*"
    ${UNIRACK_TEST_SHARDS} ${zero_based})
endforeach()
# Every mutant under 100 interleavings takes minutes: ctest --preset dev -C full -L full
if(NOT UNIRACK_THREADED_TESTS_ONLY)
  unirack_add_shard(mutants_few "*EveryMutant*" 1 0)
  set_tests_properties(mutants_few PROPERTIES LABELS few)
endif()
foreach(index RANGE 1 ${UNIRACK_TEST_SHARDS})
  math(EXPR zero_based "${index} - 1")
  unirack_add_shard(mutants_${index} "*EveryMutant*" ${UNIRACK_TEST_SHARDS} ${zero_based}
    CONFIGURATIONS full)
  set_property(TEST mutants_${index} APPEND PROPERTY ENVIRONMENT UNIRACK_TEST_SCOPE=full)
  set_tests_properties(mutants_${index} PROPERTIES LABELS full TIMEOUT 1800)
endforeach()
# Under a sanitizer a time limit says nothing.
if(NOT UNIRACK_SANITIZE)
  unirack_add_shard(unirack_tests_processor_timed "*ProcessorTimed*" 1 0)
  unirack_add_shard(unirack_tests_timed "*Timed*-*ProcessorTimed*" 1 0)
  set_tests_properties(unirack_tests_timed PROPERTIES RUN_SERIAL ON)

  # Ranks killed and stopped at random moments; scripts/faults.sh runs the full programme.
  find_package(CLI11 REQUIRED)
  add_executable(unirack_fault tests/fault/fault_program.cc)
  target_link_libraries(unirack_fault PRIVATE unirack_objects CLI11::CLI11)
  add_test(NAME fault_shm COMMAND unirack_fault --kill 10 --stop 2 --transports shm)
  add_test(NAME fault_tcp COMMAND unirack_fault --kill 5 --stop 2 --transports tcp)
  add_test(NAME fault_racks COMMAND unirack_fault --kill 5 --stop 1 --domains 2)
  set_tests_properties(fault_shm fault_tcp fault_racks PROPERTIES RUN_SERIAL ON TIMEOUT 300)

  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME tidy COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/scripts/tidy.py
    --build ${PROJECT_BINARY_DIR} --rules
    layering,heavy_include,reaches,file_size,function_size,header_opening,banned,one_type,dead_file,words,format)
  set_tests_properties(tidy PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
  # Pages in a real browser.
  if(TARGET unirack-topo)
    add_test(NAME topo_html COMMAND Python3::Interpreter
      ${PROJECT_SOURCE_DIR}/tests/topo_html_test.py $<TARGET_FILE:unirack-topo>)
    set_tests_properties(topo_html PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
  endif()
  add_test(NAME tidy_rules COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/tidy_test.py)
  set_tests_properties(tidy_rules PROPERTIES TIMEOUT 120)

  add_test(NAME package COMMAND ${CMAKE_COMMAND} -D BUILD_DIR=${PROJECT_BINARY_DIR}
    -D LIBRARY=$<TARGET_FILE:unirack> -D NM=${CMAKE_NM} -D GENERATOR=${CMAKE_GENERATOR}
    -P ${PROJECT_SOURCE_DIR}/tests/package/check.cmake)
  set_tests_properties(package PROPERTIES TIMEOUT 180)
endif()
