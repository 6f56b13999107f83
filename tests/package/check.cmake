# Installs the library into a prefix of its own, checks which symbols the shared library exports,
# and builds and runs the consumer in this folder against the prefix: through the CMake package
# (shared and static) and through pkg-config.
# cmake -D BUILD_DIR=... -D LIBRARY=... -D NM=... -D GENERATOR=... -P check.cmake
cmake_minimum_required(VERSION 3.25)
set(work ${BUILD_DIR}/package-test)
set(prefix ${work}/prefix)
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix} --component library)

execute_process(COMMAND ${NM} -D --defined-only --format=posix ${LIBRARY}
  OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE " [^\n]*\n" ";" symbols "${symbols}")
foreach(symbol ${symbols})
  if(NOT symbol MATCHES "^unirack")
    message(SEND_ERROR "exported, but does not begin with unirack: ${symbol}")
  endif()
endforeach()
# A declaration starts its line: "unirackResult_t unirackName(".
file(STRINGS ${prefix}/include/unirack/unirack.h declarations REGEX "^[a-z].*[ *]unirack[A-Za-z]+\\(")
foreach(line ${declarations})
  if(line MATCHES "^[^(]*[ *](unirack[A-Za-z]+)\\(" AND NOT CMAKE_MATCH_1 IN_LIST symbols)
    message(SEND_ERROR "declared in unirack.h, but not exported: ${CMAKE_MATCH_1}")
  endif()
endforeach()
list(LENGTH symbols count)
message(STATUS "${count} symbols exported")
if(count EQUAL 0)
  message(FATAL_ERROR "the shared library exports nothing")
endif()

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${work}/build -G ${GENERATOR}
  -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer_shared)
run(${work}/build/consumer_static)

set(ENV{PKG_CONFIG_PATH} ${prefix}/lib/pkgconfig:${prefix}/lib64/pkgconfig)
file(GLOB multiarch ${prefix}/lib/*/pkgconfig)
foreach(directory ${multiarch})
  set(ENV{PKG_CONFIG_PATH} $ENV{PKG_CONFIG_PATH}:${directory})
endforeach()
run(sh -c "cc ${CMAKE_CURRENT_LIST_DIR}/main.c -o ${work}/consumer_pkgconfig \
$(pkg-config --cflags --libs unirack) -Wl,-rpath,$(pkg-config --variable=libdir unirack)")
run(${work}/consumer_pkgconfig)
