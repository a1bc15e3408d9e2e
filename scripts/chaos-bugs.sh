#!/usr/bin/env bash
# Plants each bug of tests/chaos/bugs in a copy of the sources, and fails unless a storm finds it by one of SEEDS (5) seeds: by one
# whose storm finds nothing without the bug.
# Usage: scripts/chaos-bugs.sh [NAME...]: all, or those of these names
. "$(dirname "$0")/common.sh"
cd "$ROOT"

scripts/install-deps.sh
scripts/build.sh release
scripts/python-env.sh build/test-env tests/requirements.txt
bugs=tests/chaos/bugs
if [ $# = 0 ]; then set -- $(basename -s .patch "$bugs"/*.patch); fi
log="$ROOT/build/chaos-bugs.log"

# plant NAME COPY: the program with the bug, built anew; most of it is in ccache, whose entries do not name the folder.
plant() {
  local bug="$ROOT/$bugs/$1.patch" copy=$2
  rm -rf "$copy"
  mkdir -p "$copy"
  git ls-files -z | tar --null --files-from=- --create | tar --extract --directory="$copy"
  patch --directory="$copy" --force --fuzz=0 -p1 --input="$bug" >"$log" || die "$1 does not fit the sources"
  (
    cd "$copy"
    export CCACHE_BASEDIR="$copy" CCACHE_NOHASHDIR=true
    cmake --preset release --log-level=WARNING >/dev/null
    ninja -C build/release bin/duragraph >"$log"
  ) || die "$1 does not compile: $(tail -n 20 "$log")"
}

# storm SEED BINARY LOG: false where it found something. What strikes is the same with and without the bug.
storm() {
  CHAOS_SEED=$1 DURAGRAPH_BIN=$2 build/test-env/bin/python -m pytest -c tests/pytest.ini --rootdir "$ROOT" -q \
    tests/chaos/test_deployment_storm.py >"$3" 2>&1
}

missed=()
for name in "$@"; do
  copy="$ROOT/build/chaos-bug"
  plant "$name" "$copy"
  found=""
  for seed in $(seq 1 "${SEEDS:-5}"); do
    if storm "$seed" "$copy/build/release/bin/duragraph" "$log"; then continue; fi
    if storm "$seed" "$BIN" "$log.without"; then found=$seed && break; fi
    say "$name: seed $seed finds something without it, too"
  done
  if [ -n "$found" ]; then
    say "$name: found by seed $found"
    grep -m 3 -E '^E +(client|oracle|storm|database|reader|faults)' "$log" | cut -c 1-200 || true
  else
    say "$name: NOT FOUND by ${SEEDS:-5} seeds"
    missed+=("$name")
  fi
done
[ ${#missed[@]} = 0 ] || die "no storm has found: ${missed[*]}"
