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

# The copy stays for all bugs: each is built from what the last one left. Most of the first build is in ccache, whose entries do not
# name the folder.
copy="$ROOT/build/chaos-bug"
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z | tar --null --files-from=- --create | tar --extract --directory="$copy"

# plant NAME [--reverse]
plant() { patch --directory="$copy" --force --fuzz=0 --no-backup-if-mismatch -p1 "${@:2}" --input="$ROOT/$bugs/$1.patch" >"$log" || die "$1 does not fit the sources"; }

# build NAME: the program with the bug
build() {
  (
    cd "$copy"
    export CCACHE_BASEDIR="$copy" CCACHE_NOHASHDIR=true
    [ -f build/release/build.ninja ] || cmake --preset release --log-level=WARNING >/dev/null
    ninja -C build/release bin/duragraph >"$log"
  ) || die "$1 does not compile: $(tail -n 20 "$log")"
}

# said NAME WORD: what a bug's patch says of its storm, above its first file
said() { sed -n "/^--- /q; s/^$2: //p" "$bugs/$1.patch"; }

# storm NAME SEED BINARY LOG: false where it found something. What strikes is the same with and without the bug.
storm() {
  CHAOS_SEED=$2 DURAGRAPH_BIN=$3 CHAOS_ONLY=$(said "$1" only) CHAOS_MINUTES=$(said "$1" minutes) \
    build/test-env/bin/python -m pytest -c tests/pytest.ini --rootdir "$ROOT" -q \
    tests/chaos/test_deployment_storm.py >"$4" 2>&1
}

missed=()
for name in "$@"; do
  plant "$name"
  build "$name"
  found=""
  for seed in $(seq 1 "${SEEDS:-5}"); do
    if storm "$name" "$seed" "$copy/build/release/bin/duragraph" "$log"; then continue; fi
    if storm "$name" "$seed" "$BIN" "$log.without"; then found=$seed && break; fi
    say "$name: seed $seed finds something without it, too"
  done
  if [ -n "$found" ]; then
    say "$name: found by seed $found"
    grep -m 3 -E '^E +(client|oracle|storm|database|reader|faults)' "$log" | cut -c 1-200 || true
  else
    say "$name: NOT FOUND by ${SEEDS:-5} seeds"
    missed+=("$name")
  fi
  plant "$name" --reverse
done
[ ${#missed[@]} = 0 ] || die "no storm has found: ${missed[*]}"
