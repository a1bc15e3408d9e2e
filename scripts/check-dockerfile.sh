#!/usr/bin/env bash
# Runs the Dockerfile's steps where no engine is: in root folders that debootstrap makes, as root. Then it starts what
# the images start, as their user.
# Usage: scripts/check-dockerfile.sh [--program FILE] [STAGE...]     (server and worker when none is named)
# --program takes the program from there and leaves the build's stage out, which compiles it anew.
. "$(dirname "$0")/common.sh"
cd "$ROOT"
[ "$(id -u)" = 0 ] || die "only root may change into another root folder"
for program in debootstrap unshare; do
  command -v "$program" >/dev/null || die "there is no $program here: apt-get install debootstrap util-linux"
done
# A namespace of mounts of its own: what is mounted in there is gone with it, however it ends.
exec unshare --mount --pid --fork --kill-child python3 "$ROOT/tests/support/check_dockerfile.py" "$@"
