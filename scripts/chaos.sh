#!/usr/bin/env bash
# Kills and pauses a server and its workers under load, KILLS times (200), by the storm that SEED names (a new one).
# Usage: scripts/chaos.sh [PYTEST ARGUMENTS]
. "$(dirname "$0")/common.sh"
cd "$ROOT"

scripts/install-deps.sh
scripts/build.sh release
scripts/python-env.sh build/test-env tests/requirements.txt
export DURAGRAPH_BIN="$BIN"
export CHAOS_KILLS="${KILLS:-200}" CHAOS_SEED="${SEED:-}"
exec build/test-env/bin/python -m pytest -c tests/pytest.ini --rootdir "$ROOT" tests/chaos "$@"
