#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$root/scripts/lib/mpirun.sh"

usage() {
  cat <<'EOT'
Usage: scripts/peers.sh [--quick] [--build DIR] [--out DIR]

Compares all-reduce with the Open MPI that is installed, over shared memory and over TCP, with 2 and 4
ranks: blocks of about 5 ms of each in turn inside one process group, the median of the ratios of 25
pairs, and an A/A run of Unirack against itself that shows how much of a ratio is noise. The data of
both is checked. A ratio closer to 1 than the A/A's spread says nothing; with more ranks than cores it
measures the scheduler as much as the libraries.

  --quick      fewer sizes and pairs
  --build DIR  where the perf tests are (default build/release, else build/dev)
  --out DIR    where the JSON files go (default build/peers)
EOT
}

build=
out=$root/build/peers
arguments=(-b 8 -e 16M -f 8)
while (($# > 0)); do
  case $1 in
    --quick) arguments=(-b 8 -e 1M -f 32 --pairs 9); shift ;;
    --build) build=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
build=$(find_perf_build "$build")
[[ -x $build/peer_all_reduce ]] || fail "peer_all_reduce was not built: it needs MPI"
mkdir -p "$out"
say "load average $(cut -d" " -f1 /proc/loadavg) on $jobs cores; what else runs here widens every ratio"

# Usage: compare RANKS TRANSPORT
compare() {
  local np=$1 transport=$2 btl=self,vader label options
  [[ $transport != tcp ]] || btl=self,tcp
  label="btl $btl"
  options=(-np "$np" --oversubscribe --bind-to none --mca pml ob1 --mca btl "$btl")
  ((EUID != 0)) || options+=(--allow-run-as-root)
  if ((np > jobs)); then
    options+=(--mca mpi_yield_when_idle 1)
    label="$label, yield, $np ranks on $jobs cores"
  fi
  options+=(-x "UNIRACK_TRANSPORTS=$transport")
  mpirun "${options[@]}" "$build/peer_all_reduce" "${arguments[@]}" --label "$label" \
    --json "$out/all_reduce-$transport-$np.json" < /dev/null
}

for transport in shm tcp; do
  for np in 2 4; do
    stage "$transport, $np ranks" run_child compare "$np" "$transport"
  done
done
say "results: $out"
