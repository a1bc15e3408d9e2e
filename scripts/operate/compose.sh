#!/usr/bin/env bash
# The services of docker-compose.yml.
# Usage: scripts/operate/compose.sh up | down | logs [OPTIONS]
# `up` builds the images, starts everything and returns when all of it is healthy. WORKER=no leaves the example's
# worker out; DB_PORT, NATS_PORT and PORT choose ports. `down` keeps the data.
WAY=compose
. "$(dirname "$0")/stack.sh"
cd "$ROOT"

engine_or_die() {
  local remedy="\`task up:local\` does the same with this machine's own packages"
  command -v docker >/dev/null || die "there is no Docker here; $remedy"
  docker info >/dev/null 2>&1 || die "no Docker engine answers here; $remedy"
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
  else
    die "Docker has no compose here: install its plugin, or docker-compose 1.29; $remedy"
  fi
}

# Compose wants the profile to be named for whatever concerns its services.
run_compose() {
  local profile=()
  if [ "$WORKER" = yes ] || [ "$1" != up ]; then profile=(--profile example); fi
  "${compose[@]}" --project-name "${COMPOSE_PROJECT_NAME:-duragraph}" "${profile[@]}" "$@"
}

up() {
  keep_settings
  run_compose up --detach --build
  if ! health --wait "${UP_TIMEOUT:-120}"; then
    die "not everything is healthy; \`task logs\` shows why"
  fi
}

command=${1:-}
shift || die "usage: scripts/operate/compose.sh up | down | logs [OPTIONS]"
engine_or_die
make_stack
export_worker_token
case $command in
  up) up ;;
  down) run_compose down ;;
  logs) run_compose logs --tail=100 "$@" ;;
  *) die "usage: scripts/operate/compose.sh up | down | logs [OPTIONS]" ;;
esac
