#!/usr/bin/env bash
# Checks the sources: clang-format, the Python host with ruff and mypy, then clang-tidy with the dev
# preset's compile commands.
# Usage: scripts/lint.sh [REGEX]     (clang-tidy only of files whose path matches, e.g. src/net/)
. "$(dirname "$0")/common.sh"
cd "$ROOT"
scripts/install-deps.sh --lint
say "clang-format"
scripts/format.sh --check
say "ruff and mypy"
scripts/python-env.sh build/lint-env tests/requirements.txt sdk/python/requirements-lint.txt
(
  cd sdk/python
  "$ROOT/build/lint-env/bin/ruff" check --quiet --cache-dir "$ROOT/build/lint-env/ruff" .
  "$ROOT/build/lint-env/bin/mypy" --cache-dir "$ROOT/build/lint-env/mypy" duragraph_host tests
)
say "clang-tidy"
cmake --preset dev --log-level=WARNING
run-clang-tidy-19 -p build/dev -quiet -j "$(nproc)" "${1:-$ROOT/(src|tests/simulation)/}"
