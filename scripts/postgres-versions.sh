#!/usr/bin/env bash
# Brings the PostgreSQL servers beside Debian's that tests run on, the oldest supported one and the newest: those
# of tests/postgres-versions/package.json, into build/postgres-versions. Prints a line for each: its major version
# and the folder of its programs, as scripts/postgres-server.sh takes it.
. "$(dirname "$0")/common.sh"

dir="$ROOT/build/postgres-versions"
mkdir -p "$dir"
cp "$ROOT"/tests/postgres-versions/package*.json "$dir"
cd "$dir"
. "$ROOT/scripts/node.sh"

# The packages cannot hold links, so they list those that their libraries need.
make_links() {
  python3 - node_modules/postgres-*/ <<'PYTHON'
import json, os, pathlib, sys

for package in map(pathlib.Path, sys.argv[1:]):
    for link in json.loads((package / "native/pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(source, target.parent))
PYTHON
}

clean_install node_modules/.stamp --ignore-scripts
make_links
for bin in node_modules/postgres-*/native/bin; do
  major=${bin#node_modules/postgres-}
  echo "${major%%/*} $dir/$bin"
done
