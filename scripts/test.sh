#!/usr/bin/env bash
# Installs, builds and runs every test. Each suite shows its own output; then comes one line per
# suite, and last, alone, "N passed, N failed" over all of them.
. "$(dirname "$0")/common.sh"
cd "$ROOT"

scripts/install-deps.sh
scripts/build.sh release
scripts/python-env.sh build/test-env tests/requirements.txt
scripts/python-env.sh build/test-env-oldest tests/requirements-oldest.txt
node_bin=$(scripts/node-env.sh | tail -n 1)

reports="$ROOT/build/test-reports"
rm -rf "$reports"
mkdir -p "$reports"
export DURAGRAPH_BIN="$BIN"
export DURAGRAPH_TEST_PYTHON="$ROOT/build/test-env/bin/python"
total_passed=0
total_failed=0
summary=()

# suite NAME COMMAND...: runs a suite that writes a JUnit report to $report, and adds up its counts.
# A suite that ran nothing, or died without naming a failed test, counts as one failure.
suite() {
  local name=$1 rc=0 passed failed skipped note=""
  report="$reports/${name// /-}.xml"
  say "tests: $name"
  "${@:2}" || rc=$?
  read -r passed failed skipped < <(python3 scripts/junit_count.py "$report")
  if [ "$rc" != 0 ] && [ "$failed" = 0 ]; then failed=1 note="  (exited with $rc)"; fi
  if [ $((passed + failed)) = 0 ]; then failed=1 note="  (ran no test)"; fi
  summary+=("$(printf '%-22s %5d passed %5d failed %5d skipped%s' "$name" "$passed" "$failed" "$skipped" "$note")")
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
}

cpp() { (cd "$ROOT/build/release" && timeout 600 "$1" --gtest_brief=1 "--gtest_output=xml:$report"); }

# python ENV ARGUMENTS...: pytest of that environment.
python() {
  local python="$ROOT/build/$1/bin/python"
  DURAGRAPH_TEST_PYTHON="$python" "$python" -m pytest -c tests/pytest.ini --rootdir "$ROOT" \
    "--junitxml=$report" "${@:2}"
}

javascript() {
  PATH="$node_bin:$PATH" node --test --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=junit "--test-reporter-destination=$report" tests/js/*.test.mjs
}

programs=$(ctest --test-dir build/release --show-only=json-v1 |
  python3 -c 'import json, sys; [print(t["command"][0]) for t in json.load(sys.stdin)["tests"]]')
for program in $programs; do
  name=$(basename "$program" _test)
  suite "c++ ${name#dg_}" cpp "$program"
done
suite "python host" python test-env sdk/python/tests
suite "python clients" python test-env tests
suite "python oldest" python test-env-oldest -m oldest tests
suite "javascript" javascript

echo
printf '%s\n' "${summary[@]}"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
