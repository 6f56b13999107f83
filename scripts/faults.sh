#!/usr/bin/env bash
# The full fault programme: 200 SIGKILLs and 50 SIGSTOPs at random moments with 4 ranks, over shared
# memory, over TCP and over two emulated racks. Prints the table of detection times.
set -euo pipefail
usage() {
  cat <<'USAGE'
usage: scripts/faults.sh [--build DIR] [--out FILE] [--kill N] [--stop N]

  --build DIR  a configured build folder (default build/release)
  --out FILE   also write the table there, as markdown
  --kill N     repetitions of SIGKILL in all (default 200)
  --stop N     repetitions of SIGSTOP in all (default 50)

Exit status 1 if a rank hangs, returns another error, or names another culprit.
USAGE
}
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release out= kill=200 stop=50
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --kill) kill=$2; shift 2 ;;
    --stop) stop=$2; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
cmake --build "$build" --target unirack_fault >&2
table=$(mktemp)
trap 'rm -f "$table"' EXIT
status=0
run() { "$build/unirack_fault" "$@" | tee -a "$table" || status=1; }
run --kill $((kill / 2)) --stop $((stop / 2)) --transports shm
run --kill $((kill / 4)) --stop $((stop / 4)) --transports tcp
run --kill $((kill - kill / 2 - kill / 4)) --stop $((stop - stop / 2 - stop / 4)) --domains 2
if [ -n "$out" ]; then
  {
    echo "# Detection times"
    echo
    echo "How long after a rank is killed or stopped every other rank has returned an error that names"
    echo "it: 4 ranks on $(nproc) cores, at random moments of a stream of all-reduces, broadcasts and"
    echo "all-to-alls. Made by \`scripts/faults.sh --kill $kill --stop $stop\`."
    echo
    grep '^| fault' "$table" | head -n 1
    echo "|---|---|---|---|---|---|---|---|"
    grep '^| SIG' "$table"
  } >"$out"
fi
exit $status
