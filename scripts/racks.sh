#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$root/scripts/lib/setup.sh"

usage() {
  cat <<'EOT'
Usage: scripts/racks.sh [--no-install] [options of perf/racks/racks.py]

Measures collectives between emulated racks (network namespaces) beside Open MPI, MPICH and Gloo;
needs root. Installs the peers from Debian's packages, builds, runs perf/racks/racks.py and leaves
tables, JSON and plot in build/racks. About half an hour; --quick takes a few minutes.

  --no-install   measure beside what is installed
EOT
}

groups=(build test racks)
case ${1:-} in
  --help) usage; exec python3 "$root/perf/racks/racks.py" --help ;;
  --no-install) groups=(); shift ;;
esac
((${#groups[@]} == 0)) || install_packages "${groups[@]}"
stage "build" build_preset release --target racks_unirack_worker --target racks_predict
run_child python3 "$root/perf/racks/racks.py" "$@"
