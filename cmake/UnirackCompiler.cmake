# How everything of ours is compiled: language, warnings, sanitizers, compiler cache, linker.
set(CMAKE_C_STANDARD 99)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

# Precompiled headers keep ccache from hitting unless it is told that this is fine.
find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
foreach(language C CXX)
  if(CCACHE_PROGRAM AND (NOT CMAKE_${language}_COMPILER_LAUNCHER
                         OR CMAKE_${language}_COMPILER_LAUNCHER STREQUAL "ccache"))
    set(CMAKE_${language}_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
  endif()
endforeach()

# Linking a score of sanitized binaries with the default linker costs minutes.
find_program(LLD_PROGRAM ld.lld)
mark_as_advanced(LLD_PROGRAM)
if(LLD_PROGRAM)
  add_link_options(-fuse-ld=lld)
endif()

# The bits of a sum are part of the contract: no contraction into fused multiply-add, anywhere.
add_library(unirack_options INTERFACE)
target_include_directories(unirack_options INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_options(unirack_options INTERFACE -Wall -Wextra -Wconversion -Wshadow
  -Wno-missing-field-initializers  # a designated initialiser may leave members at their default
  # g++ 12 sees these in correct uses of std::optional, std::vector and std::string (its bug 105651);
  # clang's are precise.
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds;-Wno-restrict>
  -ffp-contract=off $<$<BOOL:${UNIRACK_WERROR}>:-Werror>)

if(UNIRACK_SANITIZE)
  add_compile_options(-fsanitize=${UNIRACK_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${UNIRACK_SANITIZE})
endif()
if(UNIRACK_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "UNIRACK_FUZZ needs clang; use the preset asan")
  endif()
endif()
# What a fuzzer steers by, in code that it is meant to explore.
function(unirack_explored target)
  if(UNIRACK_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# Command lines and printing, which no test waits for: under a sanitizer they take longer to
# optimise than to run.
function(unirack_seldom_run target)
  if(UNIRACK_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# Where only the tests are to be run, several sources are compiled as one, in half of the time. A missing
# include does not show there: the rules `reaches` and `self_contained` of scripts/tidy.py look for those.
if(UNIRACK_UNITY)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()
function(unirack_unity target)
  if(NOT UNIRACK_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "^${PROJECT_SOURCE_DIR}/")
  list(FILTER sources EXCLUDE REGEX "^${PROJECT_BINARY_DIR}/")
  execute_process(COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/lib/unity.py ${sources}
    OUTPUT_VARIABLE groups OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" groups "${groups}")
  foreach(line ${groups})
    string(REPLACE " " ";" line ${line})
    list(GET line 0 group)
    list(GET line 1 source)
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
