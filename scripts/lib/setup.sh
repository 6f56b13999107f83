# Installs the Debian packages that a script needs. Sourced after common.sh.

# Names of the packages of the given groups that are not installed.
missing_packages() {
  local group package
  while read -r group package; do
    [[ " $* " == *" $group "* ]] || continue
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      printf '%s\n' "$package"
  done < <(grep -v '^#' "$root/scripts/packages.txt")
}

# Usage: install_packages build test
install_packages() {
  local missing as_root=()
  if ! command -v apt-get > /dev/null; then
    say "this is not Debian: make sure of what scripts/packages.txt lists"
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    say "all packages are installed"
    return 0
  fi
  if ((EUID != 0)); then
    command -v sudo > /dev/null || fail "run as root or install sudo; needed: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update < /dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y --no-install-recommends install "${missing[@]}" < /dev/null
}
