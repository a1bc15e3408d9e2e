#!/usr/bin/env bash
# What is the same for services in containers and for processes: it knows which of them was started last.
# Usage: scripts/operate/run.sh health | db:migrate | logs [OPTIONS]
given_db_port=${DB_PORT:-}
. "$(dirname "$0")/stack.sh"

case ${1:-} in
  health) health ;;
  db:migrate)
    # The port of what runs here is not that of a database elsewhere.
    if [ -n "${DATABASE_URL:-}${DB_HOST:-}" ]; then export DB_PORT=$given_db_port; fi
    found=$(program)
    exec "$found" db migrate
    ;;
  logs)
    if [ "$(chosen WAY)" = local ]; then
      exec "$ROOT/scripts/operate/local.sh" "$@"
    fi
    exec "$ROOT/scripts/operate/compose.sh" "$@"
    ;;
  *) die "usage: scripts/operate/run.sh health | db:migrate | logs [OPTIONS]" ;;
esac
