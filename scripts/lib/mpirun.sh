# How the scripts start perf tests under Open MPI. Sourced after common.sh.

mpirun_timeout_s=600

# The folder with the perf tests: the one given, else what is built.
find_perf_build() {
  local folder
  for folder in ${1:+"$1"} "$root/build/release" "$root/build/dev"; do
    if [[ -x $folder/all_reduce_perf ]]; then
      printf '%s\n' "$folder"
      return 0
    fi
  done
  fail "no perf tests: build them, for example with scripts/quickstart.sh, or give --build"
}

# Usage: mpirun_here RANKS shm|tcp program arguments...
# Ranks may outnumber cores, and root may run in a container. MPI only hands out the unique id, so it
# stays off the machine's network interfaces.
mpirun_here() {
  local np=$1 transport=$2 options
  shift 2
  options=(-np "$np" --oversubscribe --bind-to none --mca btl self,vader)
  ((EUID != 0)) || options+=(--allow-run-as-root)
  timeout --foreground --kill-after=10 "$mpirun_timeout_s" \
    mpirun "${options[@]}" -x "UNIRACK_TRANSPORTS=$transport" "$@" < /dev/null
}
