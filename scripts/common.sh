# Sourced by the other scripts: paths, and how they speak.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN="$ROOT/bin/duragraph"
EXAMPLE="$ROOT/examples/approval-agent"

# Where the build of a preset leaves the program.
built_binary() { echo "$ROOT/build/$1/bin/duragraph"; }

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Runs a command as root: as it is when we are root, else through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
