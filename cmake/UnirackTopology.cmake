# What the topology tool needs and the library does not: other people's file formats, of topologies
# and of schedules, generators of named fabrics, pictures, the exact all-to-all.
find_package(PkgConfig REQUIRED)
find_package(pugixml REQUIRED)
find_package(yaml-cpp REQUIRED)
pkg_check_modules(CLP REQUIRED IMPORTED_TARGET clp)

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
  nlohmann_json::nlohmann_json pugixml::pugixml yaml-cpp PkgConfig::CLP)
unirack_unity(unirack_topology)
unirack_explored(unirack_topology)
