#!/usr/bin/env bash
# Explores targets of fuzz/ with libFuzzer and its sanitizers. What it finds is left in build/fuzz-found/, and so
# is what it learned, which the next run goes on from.
# Usage: scripts/fuzz.sh [--junit FILE] SECONDS [TARGET...]     (of each target; without a name all of them)
. "$(dirname "$0")/common.sh"
cd "$ROOT"

report=/dev/null
if [ "${1:-}" = --junit ]; then report=$2 && shift 2; fi
seconds=${1:-60}
targets=("${@:2}")
if [ ${#targets[@]} = 0 ]; then
  for folder in fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi

scripts/install-deps.sh
cmake --preset fuzz --log-level=WARNING
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"

# explore TARGET: what it says beside its findings goes to a log.
explore() {
  local found="$ROOT/build/fuzz-found/$1"
  mkdir -p "$found/corpus"
  "build/fuzz/fuzz/fuzz_$1" "-max_total_time=$seconds" -max_len=4096 -timeout=20 -print_final_stats=1 \
    "-dict=fuzz/dictionaries/$1.dict" "-artifact_prefix=$found/" "$found/corpus" "fuzz/corpus/$1" \
    >"$found/log" 2>&1 || return 1
}

failed=0
cases=""
for target in "${targets[@]}"; do
  say "fuzz: $target"
  verdict=""
  if ! explore "$target"; then failed=1 verdict="<failure/>"; fi
  grep -aE 'what\(\):|ERROR:|runtime error:|Test unit written|number_of_executed_units' \
    "build/fuzz-found/$target/log" || true
  cases+="<testcase classname=\"fuzz\" name=\"$target\">$verdict</testcase>"
done
echo "<testsuite name=\"fuzz\">$cases</testsuite>" >"$report"
exit $failed
