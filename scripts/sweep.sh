#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$root/scripts/lib/mpirun.sh"

usage() {
  cat <<'EOT'
Usage: scripts/sweep.sh [--ci] [--via shm|tcp] [--build DIR] [--out FILE]

Runs every perf test under mpirun with 1, 2, 3, 4, 5, 7 and 8 ranks, over shared memory and over TCP
alone, with all types, operations and roots and with sizes that divide badly, and checks every value.
hypercube_perf runs with powers of two. Ends with a table and `N passed, N failed`.

  --ci         a part that takes about three minutes: 2, 3 and 8 ranks, fewer sizes and roots
  --via NAME   only this transport (default both)
  --build DIR  where the perf tests are (default build/release, else build/dev)
  --out FILE   write the table there too, as markdown
EOT
}

ci=false
transports=(shm tcp)
build=
out=
while (($# > 0)); do
  case $1 in
    --ci) ci=true; shift ;;
    --via) transports=("$2"); shift 2 ;;
    --build) build=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
build=$(find_perf_build "$build")
command -v mpirun > /dev/null || fail "mpirun is not installed"

reducing=(all_reduce reduce reduce_scatter)
moving=(all_gather alltoall alltoallv broadcast gather scatter sendrecv hypercube)
ranks=(1 2 3 4 5 7 8)
# Odd sizes on both sides of the changes of algorithm, one that fills several tiles.
sizes="1 1023 1046529"
sweep=(-b 1 -e 1046529 -f 1023)
roots=-1
if $ci; then
  ranks=(2 3 8)
  sizes="1021 260355"
  sweep=(-b 1021 -e 260355 -f 255)
  roots=1
fi
log=$(mktemp)
table=$(mktemp)
trap 'rm -f "$log" "$table"' EXIT
passed=0
failed=0

# Usage: sweep_one TEST RANKS TRANSPORT; adds a row to the table.
sweep_one() {
  local test=$1 np=$2 transport=$3 begin=$SECONDS status=0 points wrong
  local arguments=(-d all --exact-bytes -n 1 -w 0)
  [[ " ${reducing[*]} " != *" $test "* ]] || arguments+=(-o all)
  case $test in
    reduce | broadcast | gather | scatter) arguments+=(-r "$roots") ;;
  esac
  run_child mpirun_here "$np" "$transport" "$build/${test}_perf" "${arguments[@]}" "${sweep[@]}" \
    > "$log" 2>&1 || status=$?
  # A row of results starts with its size; columns 9 and 13 are the wrong values.
  points=$(grep -cE '^ +[0-9]+ ' "$log" || true)
  wrong=$(awk '/^ +[0-9]+ /{for (i = 9; i <= 13; i += 4) if ($i != "N/A") n += $i} END {print n + 0}' "$log")
  local verdict=ok
  if [[ $status != 0 || $wrong != 0 || $points == 0 ]]; then
    verdict=FAILED
    failed=$((failed + 1))
    grep -vE '^#|^ +[0-9]+ ' "$log" | head -n 20 >&2 || true
  else
    passed=$((passed + 1))
  fi
  printf '| %-15s | %2d | %-3s | %6d | %5d | %4d | %-6s |\n' "$test" "$np" "$transport" "$points" \
    "$wrong" "$((SECONDS - begin))" "$verdict" | tee -a "$table"
}

head='| test            | np | via | points | wrong |    s | result |
|-----------------|----|-----|--------|-------|------|--------|'
say "sweep of $build: sizes $sizes bytes, all types and operations"
say "$head"
for transport in "${transports[@]}"; do
  for np in "${ranks[@]}"; do
    for test in "${reducing[@]}" "${moving[@]}"; do
      [[ $test != hypercube ]] || (((np & (np - 1)) == 0)) || continue
      sweep_one "$test" "$np" "$transport"
    done
  done
done

if [[ -n $out ]]; then
  {
    printf '# Every perf test, 1 to 8 ranks\n\n'
    printf '%d passed, %d failed. Sizes of %s bytes (`--exact-bytes`), all types, operations and roots;\n' \
      "$passed" "$failed" "$sizes"
    printf 'a point is one of these combinations, out of place and in place. Made by `scripts/sweep.sh`.\n\n'
    # How long a run took says more of the machine than of us.
    { printf '%s\n' "$head" && cat "$table"; } | cut -d'|' -f1-6,8-
  } > "$out"
fi
say "$passed passed, $failed failed"
((failed == 0))
