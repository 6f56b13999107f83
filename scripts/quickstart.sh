#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$root/scripts/lib/setup.sh"

usage() {
  cat <<'EOF'
Usage: scripts/quickstart.sh [--no-setup] [--no-demo]

Installs what is missing (Debian packages), builds the library and its perf tests in build/release, and
runs a pool of four ranks on this machine as two emulated racks of two: shared memory inside a rack,
TCP between racks. First collectives with checked data, then the messages of real models. May be run
again at any time.

  --no-setup  do not look at the installed packages
  --no-demo   only build
EOF
}

setup=true
demo=true
while (($# > 0)); do
  case $1 in
    --no-setup) setup=false; shift ;;
    --no-demo) demo=false; shift ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

! $setup || stage "packages" install_packages build
stage "build" build_preset release --target perf_tests

racks=(--np 4 --domains 2+2)
run_perf() { run_child "$root/build/release/$1" "${racks[@]}" "${@:2}"; }

# Who is there is said once.
sweep_collectives() {
  run_perf all_reduce_perf -d bfloat16 -b 1K -e 4M -f 8 -n 10 &&
    run_perf all_gather_perf -b 1K -e 4M -f 64 -n 10 | grep -vE '^#  |^# Using|^#$' &&
    run_perf alltoall_perf -b 1K -e 4M -f 64 -n 10 | grep -vE '^#  |^# Using|^#$'
}

if $demo; then
  stage "two racks of two ranks: collectives" sweep_collectives
  stage "a decode step of Llama-3.1-70B" run_perf inference_perf --model llama-3.1-70b
  stage "the expert exchange of Qwen3-235B-A22B" run_perf inference_perf --model qwen3-235b-a22b
fi
print_stage_times
say "the rest, with the topology tool build/release/unirack-topo: cmake --build --preset release"
