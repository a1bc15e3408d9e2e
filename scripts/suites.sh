# Sourced, after common.sh, by the scripts that run tests: suites, whose counts are added up. Each suite
# shows its own output; conclude gives one line per suite and last, alone, "N passed, N failed".

reports="$ROOT/build/test-reports"
rm -rf "$reports"
mkdir -p "$reports"

# suite NAME COMMAND...: runs a suite that writes a JUnit report to $report, and notes its counts.
# A suite that ran nothing, or died without naming a failed test, counts as one failure.
suite() {
  local name=$1 rc=0 passed failed skipped note=""
  report="$reports/${name// /-}.xml"
  say "tests: $name"
  "${@:2}" || rc=$?
  read -r passed failed skipped < <(python3 "$ROOT/scripts/junit_count.py" "$report")
  if [ "$rc" != 0 ] && [ "$failed" = 0 ]; then failed=1 note="  (exited with $rc)"; fi
  if [ $((passed + failed)) = 0 ]; then failed=1 note="  (ran no test)"; fi
  printf '%-22s %5d passed %5d failed %5d skipped%s\n' "$name" "$passed" "$failed" "$skipped" "$note" \
    >>"$reports/summary"
}

# beside NAME COMMAND...: starts a command that runs suites, beside those that follow until `meet NAME`; only
# then is its output shown. For suites that wait more than they work.
beside() {
  "${@:2}" >"$reports/$1.log" 2>&1 &
  besides[$1]=$!
}
declare -A besides=()
meet() {
  local rc=0
  wait "${besides[$1]}" || rc=$?
  cat "$reports/$1.log"
  if [ "$rc" != 0 ]; then printf '%-22s 0 passed 1 failed  (ended with %d)\n' "$1" "$rc" >>"$reports/summary"; fi
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
  cat "$reports/summary"
  awk '{ for (i = 1; i < NF; i++) if ($(i + 1) == "passed") passed += $i; else if ($(i + 1) == "failed") failed += $i }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || !passed }' "$reports/summary"
}
