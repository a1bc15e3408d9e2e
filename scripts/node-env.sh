#!/usr/bin/env bash
# Brings Node 20 or newer (scripts/node.sh) and the packages of tests/package.json. Prints, as its last line, the
# folder to put in front of PATH.
. "$(dirname "$0")/common.sh"
. "$ROOT/scripts/node.sh"

cd "$ROOT/tests"
clean_install node_modules/.stamp
echo "$node_bin"
