#!/usr/bin/env bash
# Lives through simulated worlds. SEEDS says how many (1000), FIRST from which seed on (1).
# Usage: scripts/simulate.sh [--trace SEED]     (tells what happens in one of them)
. "$(dirname "$0")/common.sh"
cd "$ROOT"

scripts/install-deps.sh
cmake --preset release --log-level=WARNING
cmake --build --preset release --target duragraph_simulate
program=build/release/tests/simulation/duragraph_simulate
if [ $# -gt 0 ]; then exec "$program" "$@"; fi
exec "$program" --seeds "${SEEDS:-1000}" --first "${FIRST:-1}"
