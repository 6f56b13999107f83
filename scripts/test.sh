#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$root/scripts/lib/setup.sh"

usage() {
  cat <<'EOF'
Usage: scripts/test.sh [--full] [--no-setup] [--fuzz-seconds N]

Installs what is missing (Debian packages), builds with warnings as errors, runs every test, and
ends with `N passed, N failed, N skipped`. May be run again at any time; builds are kept in build/.

  --full            also: address, undefined-behaviour and thread sanitizers, fuzzing, sweeps, and
                    every mutant of every plan under 100 interleavings
  --no-setup        do not look at the installed packages
  --fuzz-seconds N  wall-clock time for all fuzz targets together (default 240)

Tests that need files from outside the repository find them in ../shared/data when it exists, or in
UNIRACK_TEST_DATA; otherwise they are skipped and counted.
EOF
}

full=false
setup=true
fuzz_seconds=240
while (($# > 0)); do
  case $1 in
    --full) full=true; shift ;;
    --no-setup) setup=false; shift ;;
    --fuzz-seconds) fuzz_seconds=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

cd "$root"
mkdir -p build
if [[ -z ${UNIRACK_TEST_DATA:-} && -d ../shared/data ]]; then
  UNIRACK_TEST_DATA=$(cd ../shared/data && pwd)
  export UNIRACK_TEST_DATA
fi

# Tests leave nothing in the user's home.
export UNIRACK_CALIBRATION=${UNIRACK_CALIBRATION:-default}

passed=0
failed=0
skipped=0
# Usage: count STAGE passed failed skipped
count() {
  passed=$((passed + $2))
  failed=$((failed + $3))
  skipped=$((skipped + $4))
  say "$1: $2 passed, $3 failed, $4 skipped"
}

build_or_count() {
  local preset=$1
  shift
  build_preset "$preset" "$@" && return 0
  count "build $preset" 0 1 0
  return 1
}

# Usage: run_tests STAGE PRESET [ctest arguments]
run_tests() {
  local name=$1 preset=$2 results=build/$2/test-results status=0 numbers
  shift 2
  rm -rf "$results"
  mkdir -p "$results"
  run_child ctest --preset "$preset" --parallel "$jobs" --output-junit "$root/$results/ctest.xml" \
    "$@" || status=$?
  if [[ ! -s $results/ctest.xml ]]; then
    count "$name" 0 1 0
    return 1
  fi
  read -r -a numbers < <(python3 scripts/lib/summary.py --junit "$results/ctest.xml" \
    "$results"/*.txt)
  [[ $status == 0 || ${numbers[1]} != 0 ]] || numbers[1]=1
  count "$name" "${numbers[@]}"
  ((numbers[1] == 0))
}

run_fuzz() {
  local record=build/asan/fuzz.record status=0 numbers
  run_child scripts/fuzz.sh --seconds "$fuzz_seconds" --record "$root/$record" || status=$?
  read -r -a numbers < <(python3 scripts/lib/summary.py "$record")
  [[ $status == 0 || ${numbers[1]} != 0 ]] || numbers[1]=1
  count fuzz "${numbers[@]}"
  ((numbers[1] == 0))
}

# A sweep says at its end how many of its runs passed, in the same words as this script.
run_sweep() {
  local log=build/sweep.log status=0 closing
  run_child scripts/sweep.sh --ci > >(tee "$log") 2>&1 || status=$?
  closing=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 | tr -cs '0-9' ' ')
  read -r -a numbers <<< "${closing:-0 1 0} 0"
  [[ $status == 0 || ${numbers[1]} != 0 ]] || numbers[1]=1
  count sweep "${numbers[@]:0:3}"
  ((numbers[1] == 0))
}

# The rules that compile; those that read text run with the tests.
run_tidy() {
  local status=0
  cmake --preset dev -B build/tidy --log-level=ERROR > build/tidy.log
  run_child python3 scripts/tidy.py --build build/tidy --rules self_contained,clang_tidy || status=$?
  case $status in
    0) count tidy 1 0 0 ;;
    77) count tidy 0 0 1 ;;
    *) count tidy 0 1 0 ;;
  esac
  ((status == 0 || status == 77))
}

skip_cuda() {
  say "CUDA: skipped, 1 test (no CUDA sources)"
  skipped=$((skipped + 1))
}

if $setup; then
  groups=(build test)
  ! $full || groups+=(full)
  stage "packages" install_packages "${groups[@]}"
fi
if stage "build dev-unity (g++)" build_or_count dev-unity; then
  few=()
  ! $full || few=(-LE few)
  stage "test dev" run_tests dev dev "${few[@]}" || true
  ! $full || stage "mutants, 100 interleavings each" run_tests mutants dev -C full -L full || true
fi
if $full; then
  stage "tidy" run_tidy || true
  if stage "build asan (clang, with fuzz targets)" build_or_count asan; then
    stage "test asan" run_tests asan asan || true
    stage "fuzz" run_fuzz || true
  fi
  if stage "build tsan (clang)" build_or_count tsan --target unirack_tests; then
    stage "test tsan" run_tests tsan tsan || true
  fi
  stage "sweep" run_sweep || true
  stage "CUDA" skip_cuda
fi

print_stage_times
say "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
