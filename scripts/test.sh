#!/usr/bin/env bash
# Installs, builds and runs every test. Each suite shows its own output; then comes one line per
# suite, and last, alone, "N passed, N failed" over all of them.
. "$(dirname "$0")/common.sh"
cd "$ROOT"

scripts/install-deps.sh
scripts/build.sh release
scripts/python-env.sh build/test-env tests/requirements.txt
scripts/python-env.sh build/test-env-oldest tests/requirements-oldest.txt
scripts/python-env.sh build/tools-env tests/requirements-tools.txt
node_bin=$(scripts/node-env.sh | tail -n 1)
scripts/postgres-versions.sh >/dev/null

. scripts/suites.sh
export DURAGRAPH_BIN="$BIN"
export DURAGRAPH_TEST_PYTHON="$ROOT/build/test-env/bin/python"
shared_postgres

javascript() {
  PATH="$node_bin:$PATH" node --test --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=junit "--test-reporter-destination=$report" tests/js/*.test.mjs
}

# Some seconds of those targets that are built in some; their corpus and the other targets are a C++ suite.
fuzzers() { scripts/fuzz.sh --junit "$report" 5 json http sse langgraph_json pack; }

# on_postgres BIN_DIR COMMAND...: with a server of those programs instead of the shared one.
on_postgres() (
  shared_postgres "$1"
  "${@:2}"
)
store_contract() { cpp release "$ROOT"/build/release/src/store/dg_store_test --gtest_filter='Postgres/*:Writer/*'; }
# Without those that bring Debian's PostgreSQL themselves, to take it away.
rows_of_serve() {
  python test-env -k "not nginx and not comes_later and not restart_of and not outage" \
    tests/deployment/test_serve.py tests/deployment/test_instances.py tests/deployment/test_leader.py
}

# Those that wait more than they work, and other releases of PostgreSQL.
waiting() {
  suite "python waits" python test-env -m waits tests
  while read -r version bin_dir; do
    suite "store on PostgreSQL $version" on_postgres "$bin_dir" store_contract
    suite "serve on PostgreSQL $version" on_postgres "$bin_dir" rows_of_serve
  done < <(scripts/postgres-versions.sh)
}

# The same clients, of a server on PostgreSQL.
clients_of_serve() { DURAGRAPH_TEST_SERVER=serve python test-env tests/conformance; }

cpp_suites release
suite "fuzzers" fuzzers
beside waiting waiting
suite "python host" python test-env sdk/python/tests
suite "python clients" python test-env -m "not waits" --ignore tests/chaos tests
suite "clients of serve" clients_of_serve
suite "python oldest" python test-env-oldest -m oldest --ignore tests/deployment tests
suite "javascript" javascript
meet waiting
# The same storms each time; others by `make chaos`.
storms() { CHAOS_SEED="${CHAOS_SEED:-12}" python test-env tests/chaos; }
suite "chaos" storms
conclude
