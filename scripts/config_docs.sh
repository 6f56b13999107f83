#!/usr/bin/env bash
# Writes docs/configuration.md from the table in lib/base/config.cc.
set -euo pipefail
if [[ ${1:-} == --help ]]; then
  echo "usage: scripts/config_docs.sh [build folder]   regenerates docs/configuration.md"
  exit 0
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${1:-$root/build}
cmake --build "$build" --target unirack_tests
CONFIG_DOCS_UPDATE=1 "$build/unirack_tests" --gtest_filter='ConfigDocs.*' --gtest_brief=1
