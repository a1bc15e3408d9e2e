#!/usr/bin/env bash
# Makes or updates a virtual environment; does nothing when its requirements have not changed.
# Usage: scripts/python-env.sh DIR REQUIREMENTS...      (PYTHON chooses the interpreter)
. "$(dirname "$0")/common.sh"
dir=$1
shift
python=${PYTHON:-python3}

stamp=$({ "$python" --version; cat "$@"; } | sha256sum)
if [ "$(cat "$dir/.requirements.sha256" 2>/dev/null)" = "$stamp" ] && "$dir/bin/python" -c ''; then
  exit 0
fi

say "Python environment ${dir#"$ROOT"/}"
rm -f "$dir/.requirements.sha256"
"$python" -m venv --clear "$dir"
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check "${@/#/--requirement=}"
echo "$stamp" >"$dir/.requirements.sha256"
