# What the topology tool needs and the library does not: other people's file formats, generators of
# named fabrics, pictures, the exact all-to-all.
find_package(PkgConfig REQUIRED)
find_package(pugixml REQUIRED)
find_package(yaml-cpp REQUIRED)
pkg_check_modules(CLP REQUIRED IMPORTED_TARGET clp)

file(GLOB UNIRACK_TOPOLOGY_SOURCES CONFIGURE_DEPENDS
  lib/topology/formats/*.cc lib/topology/generate/*.cc lib/topology/render/*.cc
  lib/topology/flow/*.cc)
add_library(unirack_topology OBJECT ${UNIRACK_TOPOLOGY_SOURCES})
target_link_libraries(unirack_topology PUBLIC unirack_options ${UNIRACK_DEPENDENCIES}
  nlohmann_json::nlohmann_json pugixml::pugixml yaml-cpp PkgConfig::CLP)
