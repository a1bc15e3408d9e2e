#!/usr/bin/env bash
# Runs the unit tests, and the suites that drive whole processes, on a build with sanitizers. Whatever
# a sanitizer reports of any process is printed and fails the last suite.
# Usage: scripts/sanitize.sh asan|tsan
. "$(dirname "$0")/common.sh"
cd "$ROOT"
preset=${1:-}
case $preset in asan | tsan) ;; *) die "usage: scripts/sanitize.sh asan|tsan" ;; esac

scripts/install-deps.sh
scripts/build.sh "$preset"
scripts/python-env.sh build/test-env tests/requirements.txt
scripts/postgres-versions.sh >/dev/null

. scripts/suites.sh
logs="$reports/$preset"
mkdir "$logs"
options="halt_on_error=1:exitcode=66:log_path=$logs/report"
export TSAN_OPTIONS="$options"
export ASAN_OPTIONS="$options:detect_leaks=1"
export UBSAN_OPTIONS="$options:print_stacktrace=1"
DURAGRAPH_BIN=$(built_binary "$preset")
export DURAGRAPH_BIN
shared_postgres

# One test: that no process of the suites before it reported anything.
no_reports() {
  local log verdict=""
  for log in "$logs"/*; do
    [ -e "$log" ] || continue
    verdict="<failure/>"
    say "${log#"$ROOT"/}"
    cat "$log"
  done
  echo "<testsuite><testcase name=\"no reports\">$verdict</testcase></testsuite>" >"$report"
}

cpp_suites "$preset"
suite "python conformance" python test-env tests/conformance
suite "python durability" python test-env tests/durability
suite "python deployment" python test-env tests/deployment
suite "$preset reports" no_reports
conclude
