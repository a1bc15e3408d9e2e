#!/usr/bin/env bash
# Does to a deployment of `duragraph serve` under load, for MINUTES (10; 0 is one round), all that may happen to it; or, with KILLS,
# kills and pauses `duragraph dev` and its workers so often. SEED names the storm (a new one). With MIXED one of three
# instances is of the next release; with ROLLOUT that is rolled out, and nothing else happens.
# Usage: scripts/chaos.sh [PYTEST ARGUMENTS]
. "$(dirname "$0")/common.sh"
cd "$ROOT"

scripts/install-deps.sh
scripts/build.sh release
scripts/python-env.sh build/test-env tests/requirements.txt
export DURAGRAPH_BIN="$BIN" CHAOS_SEED="${SEED:-}"
storm=tests/chaos/test_deployment_storm.py
if [ -n "${KILLS:-}" ]; then
  storm=tests/chaos/test_dev_storm.py
  export CHAOS_KILLS="$KILLS"
elif [ -n "${ROLLOUT:-}" ]; then
  storm=tests/chaos/test_rollout.py
else
  export CHAOS_MINUTES="${MINUTES:-10}" CHAOS_MIXED="${MIXED:-}"
fi
exec build/test-env/bin/python -m pytest -c tests/pytest.ini --rootdir "$ROOT" "$storm" "$@"
