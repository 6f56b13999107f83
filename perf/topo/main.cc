#include "perf/topo/commands.h"

int main(int argc, char** argv) {
  return unirack::topo::run_tool({argv + 1, argv + argc}, unirack::topo::Console::standard());
}
