#!/usr/bin/env bash
# Checks the C++ sources: clang-format, then clang-tidy with the dev preset's compile commands.
# Usage: scripts/lint.sh [REGEX]     (checks only the files whose path matches, e.g. src/net/)
. "$(dirname "$0")/common.sh"
cd "$ROOT"
scripts/install-deps.sh --lint
say "clang-format"
scripts/format.sh --check
say "clang-tidy"
cmake --preset dev --log-level=WARNING
run-clang-tidy-19 -p build/dev -quiet -j "$(nproc)" "${1:-$ROOT/src/}"
