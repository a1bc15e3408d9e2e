# Sourced by what operates PostgreSQL, NATS, the server and a worker on this machine: where they are, and what is kept
# of them. `compose.sh` runs them in containers, `local.sh` as processes; each sets WAY first.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# Data, logs and the workers' token; git ignores it.
STACK=${DURAGRAPH_STACK_DIR:-$ROOT/.duragraph}

chosen() { sed -n "s/^$1=//p" "$STACK/settings" 2>/dev/null || true; }

# What the last start in this way chose counts for whatever the environment leaves open.
WAY=${WAY:-$(chosen WAY)}
for name in DB_PORT:5432 NATS_PORT:4222 PORT:8080 WORKER:yes; do
  variable=${name%:*} kept=""
  if [ "$WAY" = "$(chosen WAY)" ]; then kept=$(chosen "$variable"); fi
  export "$variable=${!variable:-${kept:-${name#*:}}}"
done
case $WORKER in yes | no) ;; *) die "WORKER must be yes or no, not \"$WORKER\"" ;; esac

make_stack() {
  mkdir -p "$STACK"
  STACK=$(cd "$STACK" && pwd)
}

keep_settings() {
  printf '%s\n' "WAY=$WAY" "DB_PORT=$DB_PORT" "NATS_PORT=$NATS_PORT" "PORT=$PORT" "WORKER=$WORKER" >"$STACK/settings"
}

# The token that workers show: the environment's, else one that is made once.
export_worker_token() {
  if [ -z "${DURAGRAPH_WORKER_TOKEN:-}" ]; then
    if [ ! -s "$STACK/worker-token" ]; then
      (umask 077 && od -An -N32 -v -tx1 /dev/urandom | tr -d ' \n' >"$STACK/worker-token.new")
      mv "$STACK/worker-token.new" "$STACK/worker-token"
    fi
    DURAGRAPH_WORKER_TOKEN=$(cat "$STACK/worker-token")
  fi
  export DURAGRAPH_WORKER_TOKEN
}

# The program: DURAGRAPH_BIN, else what was built here, else one that is installed.
program() {
  local found=${DURAGRAPH_BIN:-$BIN}
  if [ ! -x "$found" ]; then found=$(command -v duragraph) || die "there is no program yet: \`make\` builds bin/duragraph"; fi
  echo "$found"
}

health() { "$ROOT/scripts/operate/health.py" "$@"; }
