# Shared by the scripts: where things are, stages with their times, children that die with us.
# Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
jobs=$(nproc)
started_s=$SECONDS
declare -A child_groups=()

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Starts a command in a process group of its own, so that an interrupt ends it and all it started.
# Its process id, which is also its group, is in $child.
start_child() {
  set -m
  "$@" &
  child=$!
  set +m
  child_groups[$child]=running
}

run_child() {
  start_child "$@"
  wait_child "$child"
}

wait_child() {
  local status=0
  wait "$1" || status=$?
  unset "child_groups[$1]"
  return "$status"
}

end_children() {
  local group
  for group in "${!child_groups[@]}"; do
    kill -TERM -- "-$group" 2>/dev/null || true
  done
}
trap 'end_children; exit 130' INT
trap 'end_children; exit 143' TERM

# Prints the name now and the time at the end. Usage: stage "name" command args...
stage_names=()
stage_times=()
stage() {
  local name=$1 begin=$SECONDS status=0
  shift
  printf '\n== %s\n' "$name"
  "$@" || status=$?
  stage_names+=("$name")
  stage_times+=("$((SECONDS - begin))")
  printf '== %s: %d s%s\n' "$name" "$((SECONDS - begin))" "$([[ $status == 0 ]] || echo ', failed')"
  return "$status"
}

print_stage_times() {
  local i
  printf '\n'
  for i in "${!stage_names[@]}"; do
    printf '%6d s  %s\n' "${stage_times[i]}" "${stage_names[i]}"
  done
  printf '%6d s  in all\n' "$((SECONDS - started_s))"
}

# Configures and builds one preset. On a terminal ninja shows its progress; in a log only what fails.
build_preset() {
  local preset=$1
  shift
  mkdir -p "$root/build"
  local quiet=(-- --quiet)
  [[ ! -t 1 ]] || quiet=()
  run_child env -C "$root" cmake --preset "$preset" --log-level=WARNING > "$root/build/$preset.log" 2>&1 ||
    { cat "$root/build/$preset.log"; return 1; }
  run_child env -C "$root" cmake --build --preset "$preset" --parallel "$jobs" "$@" "${quiet[@]}"
}
