# Sourced, after common.sh, by the scripts that run tests: suites, whose counts are added up. Each suite
# shows its own output; conclude gives one line per suite and last, alone, "N passed, N failed".

reports="$ROOT/build/test-reports"
rm -rf "$reports"
mkdir -p "$reports"
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
  read -r passed failed skipped < <(python3 "$ROOT/scripts/junit_count.py" "$report")
  if [ "$rc" != 0 ] && [ "$failed" = 0 ]; then failed=1 note="  (exited with $rc)"; fi
  if [ $((passed + failed)) = 0 ]; then failed=1 note="  (ran no test)"; fi
  summary+=("$(printf '%-22s %5d passed %5d failed %5d skipped%s' "$name" "$passed" "$failed" "$skipped" "$note")")
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
}

# cpp_suites PRESET: every unit test program of the preset, each one a suite.
cpp_suites() {
  local preset=$1 program name programs
  programs=$(ctest --test-dir "$ROOT/build/$preset" --show-only=json-v1 |
    python3 -c 'import json, sys; [print(t["command"][0]) for t in json.load(sys.stdin)["tests"]]')
  for program in $programs; do
    name=$(basename "$program" _test)
    suite "c++ ${name#dg_}" cpp "$preset" "$program"
  done
}

cpp() { (cd "$ROOT/build/$1" && timeout 600 "$2" "${@:3}" --gtest_brief=1 "--gtest_output=xml:$report"); }

# python ENV ARGUMENTS...: pytest of that environment.
python() {
  local python="$ROOT/build/$1/bin/python"
  DURAGRAPH_TEST_PYTHON="$python" "$python" -m pytest -c tests/pytest.ini --rootdir "$ROOT" \
    "--junitxml=$report" "${@:2}"
}

# shared_postgres [BIN_DIR]: one PostgreSQL server for the tests of all suites that this shell runs, which ends with it.
shared_postgres() {
  coproc POSTGRES { exec setsid "$ROOT/scripts/postgres-server.sh" hold --fast "$@"; }
  read -r DURAGRAPH_TEST_POSTGRES <&"${POSTGRES[0]}" || die "no PostgreSQL server could be started for the tests"
  export DURAGRAPH_TEST_POSTGRES
}

# The last words; fails unless something passed and nothing failed.
conclude() {
  echo
  printf '%s\n' "${summary[@]}"
  echo "$total_passed passed, $total_failed failed"
  [ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
}
