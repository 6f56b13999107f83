#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'EOF'
Usage: scripts/faults.sh [--kill N] [--stop N] [--build DIR] [--out FILE]

The fault programme: SIGKILL and SIGSTOP at random moments with 4 ranks, over shared memory, over TCP
and over two emulated racks. Prints the table of detection times; fails if a rank hangs, returns
another error, or names another culprit.

  --kill N     repetitions of SIGKILL in all (default 200)
  --stop N     repetitions of SIGSTOP in all (default 50)
  --build DIR  where unirack_fault is (default: builds it in build/dev)
  --out FILE   write the table there too, as markdown
EOF
}

build=
out=
kill=200
stop=50
while (($# > 0)); do
  case $1 in
    --kill) kill=$2; shift 2 ;;
    --stop) stop=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
if [[ -z $build ]]; then
  build=$root/build/dev
  stage "build" build_preset dev --target unirack_fault
fi
[[ -x $build/unirack_fault ]] || fail "no unirack_fault in $build: expected a build with tests"

table=$(mktemp)
rows=$(mktemp)
trap 'rm -f "$table" "$rows"' EXIT
status=0
run_faults() {
  run_child "$build/unirack_fault" "$@" > "$rows" || status=1
  tee -a "$table" < "$rows"
}
run_faults --kill $((kill / 2)) --stop $((stop / 2)) --transports shm
run_faults --kill $((kill / 4)) --stop $((stop / 4)) --transports tcp
run_faults --kill $((kill - kill / 2 - kill / 4)) --stop $((stop - stop / 2 - stop / 4)) --domains 2

if [[ -n $out ]]; then
  {
    cat <<EOF
# Detection times

How long after a rank is killed or stopped every other rank has returned an error that names it: 4
ranks on $jobs cores, at random moments of a stream of all-reduces, broadcasts and all-to-alls. Made by
\`scripts/faults.sh --kill $kill --stop $stop\`.

EOF
    grep '^| fault' "$table" | head -n 1
    echo "|---|---|---|---|---|---|---|---|"
    grep '^| SIG' "$table"
  } > "$out"
fi
exit $status
