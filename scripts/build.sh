#!/usr/bin/env bash
# Configures and builds one preset; the release one also leaves its program at bin/duragraph.
# Usage: scripts/build.sh [dev|release|asan|tsan] [TARGET...]     (all targets when none is named)
. "$(dirname "$0")/common.sh"
preset=${1:-release}
cd "$ROOT"

cmake --preset "$preset" --log-level=WARNING
cmake --build --preset "$preset" ${2:+--target "${@:2}"}

if [ "$preset" = release ]; then
  built=$(built_binary release)
  mkdir -p "$(dirname "$BIN")"
  # Moved into place, so that a server running from bin/ keeps its file.
  if ! cmp -s "$built" "$BIN"; then cp "$built" "$BIN.new" && mv -f "$BIN.new" "$BIN"; fi
  say "built ${BIN#"$ROOT"/}"
fi
