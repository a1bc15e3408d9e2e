#!/usr/bin/env bash
# Formats the C++ sources. With --check it changes nothing and fails where something would change.
. "$(dirname "$0")/common.sh"
"$ROOT/scripts/install-deps.sh" --lint
mode=(-i)
if [ "${1:-}" = --check ]; then mode=(--dry-run -Werror); fi
find "$ROOT/src" "$ROOT/fuzz" "$ROOT/tests/simulation" -name '*.[ch]pp' -print0 | xargs -0 -r clang-format-19 "${mode[@]}"
