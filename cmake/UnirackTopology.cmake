# What the topology tool needs and the library does not: other people's file formats, of topologies
# and of schedules, generators of named fabrics, pictures, the exact all-to-all.
find_package(PkgConfig REQUIRED)
find_package(pugixml REQUIRED)
find_package(yaml-cpp REQUIRED)
pkg_check_modules(CLP REQUIRED clp)
# Of the libraries that pkg-config names, Debian's package brings not all; these know theirs.
find_library(CLP_LIBRARY Clp HINTS ${CLP_LIBRARY_DIRS} REQUIRED)
find_library(COIN_UTILS_LIBRARY CoinUtils HINTS ${CLP_LIBRARY_DIRS} REQUIRED)
mark_as_advanced(CLP_LIBRARY COIN_UTILS_LIBRARY)

file(GLOB UNIRACK_TOPOLOGY_SOURCES CONFIGURE_DEPENDS
  lib/topology/formats/*.cc lib/topology/generate/*.cc lib/topology/render/*.cc
  lib/topology/flow/*.cc collectives/formats/*.cc)

# The page's texts become a source file.
set(page ${PROJECT_SOURCE_DIR}/lib/topology/render/page)
set(assets ${PROJECT_BINARY_DIR}/topology_render_assets.cc)
add_custom_command(OUTPUT ${assets}
  COMMAND ${CMAKE_COMMAND} -D FOLDER=${page} -D OUTPUT=${assets}
    -P ${PROJECT_SOURCE_DIR}/cmake/UnirackEmbed.cmake
  DEPENDS ${page}/picture.css ${page}/page.css ${page}/page.html ${page}/page.js
    ${PROJECT_SOURCE_DIR}/cmake/UnirackEmbed.cmake
  VERBATIM)

add_library(unirack_topology OBJECT ${UNIRACK_TOPOLOGY_SOURCES} ${assets})
target_link_libraries(unirack_topology PUBLIC unirack_options ${UNIRACK_DEPENDENCIES}
  nlohmann_json::nlohmann_json pugixml::pugixml yaml-cpp ${CLP_LIBRARY} ${COIN_UTILS_LIBRARY})
target_include_directories(unirack_topology SYSTEM PUBLIC ${CLP_INCLUDE_DIRS})
unirack_unity(unirack_topology)
unirack_explored(unirack_topology)
