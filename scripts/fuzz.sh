#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'EOF'
Usage: scripts/fuzz.sh [--seconds N | --each N] [--seed N] [--record FILE] [TARGET...]

Fuzzes the targets (default: all of tests/fuzz/, those whose code changed last first), as many at a
time as there are cores. Builds them first when they are not built. Starts from
tests/fuzz/corpus/TARGET/ and keeps what it learns in build/asan/corpus/TARGET/; an input that crashes
is left in build/asan/crashes/, named and printed in base64.

  --seconds N    wall-clock time for all targets together (default 240)
  --each N       seconds for each target instead
  --seed N       of the random inputs (default: made from the commit, so that a new commit tries new
                 inputs and the same commit, built afresh, meets the same ones)
  --record FILE  where to write `passed fuzz.TARGET` and `failed fuzz.TARGET` lines
EOF
}

seconds=240
each_s=0
seed=$((16#$(git -C "$root" rev-parse --short=7 HEAD 2>/dev/null || echo 1)))
record=$root/build/asan/fuzz.record
targets=()
while (($# > 0)); do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --each) each_s=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --record) record=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done

# When the target, or what it includes, was committed last; 0 where git does not know.
last_change_s() {
  local target=$1 parts
  mapfile -t parts < <(sed -n 's/^#include "\(.*\)\.h"$/\1.*/p' "$root/tests/fuzz/$target.cc")
  git -C "$root" log -1 --format=%ct -- "tests/fuzz/$target.cc" "${parts[@]}" 2>/dev/null | grep . ||
    echo 0
}

build=$root/build/asan
if ((${#targets[@]} == 0)); then
  mapfile -t targets < <(
    for source in "$root"/tests/fuzz/*_fuzz.cc; do
      target=$(basename "$source" .cc)
      printf '%s %s\n' "$(last_change_s "$target")" "$target"
    done | sort -rn | cut -d' ' -f2)
fi
((${#targets[@]} > 0)) || fail "no fuzz targets in tests/fuzz"
build_preset fuzz

# Each core works through its share of the targets, one after the other.
((each_s > 0)) || each_s=$((seconds / ((${#targets[@]} + jobs - 1) / jobs)))
((each_s > 0)) || each_s=1

fuzz_one() {
  local name=$1 learnt=$build/corpus/$1 log=$build/fuzz/$1.log corpora crash
  mkdir -p "$learnt"
  corpora=("$learnt")
  [[ ! -d $root/tests/fuzz/corpus/$name ]] || corpora+=("$root/tests/fuzz/corpus/$name")
  if "$build/fuzz/$name" -seed="$seed" -max_total_time="$each_s" -timeout=10 -rss_limit_mb=2048 \
      -artifact_prefix="$build/crashes/$name-" -print_final_stats=1 "${corpora[@]}" \
      > "$log" 2>&1; then
    say "passed $name: $(awk '/number_of_executed_units/ {print $2}' "$log") inputs in $each_s s"
    printf 'passed fuzz.%s\n' "$name" >> "$record"
  else
    say "failed $name, seed $seed:"
    tail -n 40 "$log"
    crash=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    [[ ! -f $crash ]] || base64 -w 100 "$crash" | head -n 200
    printf 'failed fuzz.%s\n' "$name" >> "$record"
  fi
}

fuzz_share() {
  local i
  for ((i = $1; i < ${#targets[@]}; i += jobs)); do
    fuzz_one "${targets[i]}"
  done
}

mkdir -p "$build/crashes"
printf 'planned %d\n' "${#targets[@]}" > "$record"
shares=()
for ((core = 0; core < jobs; core++)); do
  start_child fuzz_share "$core"
  shares+=("$child")
done
for share in "${shares[@]}"; do
  wait_child "$share"
done
! grep -q '^failed' "$record"
