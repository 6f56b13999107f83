#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$root/scripts/lib/setup.sh"

usage() {
  cat <<'EOF'
Usage: scripts/quickstart.sh [--no-setup]

Installs what is missing (Debian packages) and builds Unirack in build/release. May be run again at
any time.

  --no-setup  do not look at the installed packages
EOF
}

setup=true
while (($# > 0)); do
  case $1 in
    --no-setup) setup=false; shift ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

! $setup || stage "packages" install_packages build
stage "build" build_preset release
print_stage_times
