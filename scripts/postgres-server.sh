#!/usr/bin/env bash
# A PostgreSQL cluster to be thrown away: UTF-8, on a free port of 127.0.0.1 and on a Unix socket in its folder.
# Usage: scripts/postgres-server.sh start [--fast] [--port N] DIR [BIN_DIR]
#        scripts/postgres-server.sh stop DIR
#        scripts/postgres-server.sh halt DIR fast|immediate
#        scripts/postgres-server.sh resume [--port N] DIR
#        scripts/postgres-server.sh status DIR
#        scripts/postgres-server.sh hold [--fast] [--port N] [BIN_DIR]
# `start` makes the cluster in DIR, which is new or empty, and prints a superuser's URL as its last line. `stop`
# ends the server that DIR holds; what it stored stays. `halt` ends it as pg_ctl's mode of that name does, and `resume`
# starts it again at its address. `status` fails when none runs. --port chooses the port. `hold` starts one in a temporary folder, prints the URL,
# and ends and deletes it when its standard input is closed: whoever holds the other end may die in any way.
# BIN_DIR is the folder of `postgres` and `initdb`; Debian's newest when it is left out. --fast does not wait
# for the disk (fsync and full_page_writes off), which only the machine's own crash can tell; `hold` then keeps it
# in memory where there is room. The password is asked
# for over TCP, and not on the socket, whose folder nobody but the server's user may enter.
. "$(dirname "$0")/common.sh"

usage() { die "usage: scripts/postgres-server.sh start [--fast] [--port N] DIR [BIN_DIR] | stop DIR | halt DIR MODE | resume [--port N] DIR | status DIR | hold [--fast] [--port N] [BIN_DIR]"; }

# PostgreSQL refuses to run as root, so then it is another user's.
server_user=""
if [ "$(id -u)" = 0 ]; then
  server_user=nobody
  if getent passwd postgres >/dev/null; then server_user=postgres; fi
fi

# Runs a command as the server's user, from a folder that this user may be in.
as_server() (
  cd /
  if [ -z "$server_user" ]; then exec "$@"; fi
  exec setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups "$@"
)

default_bin_dir() {
  local found
  found=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [ -x "$found/postgres" ] || die "there is no PostgreSQL server here: scripts/install-deps.sh installs one"
  echo "$found"
}

# A program below somebody's private folder is copied to where the server's user can read it.
reachable() {
  local dir=$1 bin_dir=$2
  if as_server test -x "$bin_dir/postgres"; then echo "$bin_dir" && return; fi
  [ -x "$bin_dir/postgres" ] || die "there is no PostgreSQL server in $bin_dir"
  cp -a "$(dirname "$bin_dir")" "$dir/program"
  chown -R "$server_user" "$dir/program"
  echo "$dir/program/$(basename "$bin_dir")"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

make_cluster() {
  local dir=$1 bin_dir=$2 password=$3
  echo "$password" >"$dir/password"
  if [ -n "$server_user" ]; then chown "$server_user" "$dir" "$dir/password"; fi
  chmod 700 "$dir"
  as_server test -w "$dir" || die "$dir lies in a folder that the user $server_user may not enter"
  as_server "$bin_dir/initdb" --pgdata="$dir/data" --username=postgres --pwfile="$dir/password" --no-sync \
    --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 >"$dir/initdb.log" 2>&1 ||
    die "initdb failed: $(cat "$dir/initdb.log")"
  rm -f "$dir/password"
}

# write_settings DIR FAST
write_settings() {
  as_server tee -a "$1/data/postgresql.conf" >/dev/null <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = '$1'
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
SETTINGS
  if [ "$2" = no ]; then return; fi
  printf '%s\n' "fsync = off" "full_page_writes = off" "max_wal_size = 256MB" |
    as_server tee -a "$1/data/postgresql.conf" >/dev/null
}

# Somebody else may take a port between its choice and its use; then another one is tried.
launch() {
  local dir=$1 bin_dir=$2 port
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=${chosen_port:-$(free_port)}
    if as_server "$bin_dir/pg_ctl" --pgdata="$dir/data" --log="$dir/log" --wait --timeout=60 --silent \
      --options="-p $port" start >/dev/null 2>"$dir/pg_ctl.log" </dev/null; then
      echo "$port"
      return
    fi
    if [ -n "$chosen_port" ] || ! grep -q 'could not create any TCP/IP sockets' "$dir/log"; then break; fi
  done
  die "the server did not start: $(cat "$dir/log" "$dir/pg_ctl.log")"
}

# start FAST DIR [BIN_DIR]
start() {
  local dir bin_dir password port
  mkdir -p "$2"
  dir=$(cd "$2" && pwd)
  [ -z "$(ls -A "$dir")" ] || die "$dir is not empty"
  bin_dir=$(cd "${3:-$(default_bin_dir)}" && pwd)
  bin_dir=$(reachable "$dir" "$bin_dir")
  echo "$bin_dir" >"$dir/bin_dir"
  password=$(tr -d - </proc/sys/kernel/random/uuid)
  make_cluster "$dir" "$bin_dir" "$password"
  write_settings "$dir" "$1"
  port=$(launch "$dir" "$bin_dir")
  echo "$port" >"$dir/port"
  echo "postgresql://postgres:$password@127.0.0.1:$port/postgres"
}

# The server of the folder, by its own word; nothing when it is gone and its process id may be another's.
postmaster() {
  local pid
  pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || return 0
  if tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$1/data"; then echo "$pid"; fi
}

# await_end DIR PID: false when the server is still there after 30 seconds.
await_end() {
  local end=$((SECONDS + 30))
  while [ "$(postmaster "$1")" = "$2" ]; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.02
  done
}

# SIGINT ends the sessions and stops; SIGQUIT is for a server that does not.
stop() {
  local dir pid
  dir=$(cd "$1" && pwd)
  pid=$(postmaster "$dir")
  [ -n "$pid" ] || return 0
  kill -INT "$pid"
  if await_end "$dir" "$pid"; then return 0; fi
  kill -QUIT "$pid"
  await_end "$dir" "$pid" || die "the server in $dir does not end"
}

# control DIR ARGUMENTS...: pg_ctl on the cluster of the folder.
control() {
  local dir
  dir=$(cd "$1" && pwd)
  as_server "$(cat "$dir/bin_dir")/pg_ctl" --pgdata="$dir/data" --log="$dir/log" --wait --silent "${@:2}" </dev/null
}

# resume DIR: the folder remembers the port, also one that is chosen anew.
resume() {
  local port=${chosen_port:-$(cat "$1/port")}
  control "$1" --options="-p $port" start
  echo "$port" >"$1/port"
}

# Every database is some 300 files, which memory makes ten times as fast as most disks.
scratch_root() {
  local room=0
  if [ "$1" = yes ]; then room=$(df --output=avail -BG /dev/shm 2>/dev/null | tail -n 1 | tr -dc 0-9); fi
  if [ "${room:-0}" -ge 4 ] && [ -w /dev/shm ]; then echo /dev/shm; else echo "${TMPDIR:-/tmp}"; fi
}

# hold FAST [BIN_DIR]: what ends a group of processes does not keep the server from being ended in order.
hold() {
  trap '' INT TERM HUP PIPE
  held=$(mktemp -d "$(scratch_root "$1")/duragraph-postgres-XXXXXX")
  trap 'stop "$held" || true; rm -rf "$held"' EXIT
  start "$1" "$held" "${2:-}"
  exec >&-
  while read -r _; do :; done
}

command=${1:-}
shift || usage
fast=no chosen_port=""
if [ "${1:-}" = --fast ]; then fast=yes && shift; fi
if [ "${1:-}" = --port ]; then chosen_port=${2:?} && shift 2; fi
case $command:$# in
  start:1 | start:2) start "$fast" "$@" ;;
  stop:1) stop "$1" ;;
  halt:2) control "$1" --mode="$2" stop ;;
  resume:1) resume "$1" ;;
  status:1) [ -n "$(postmaster "$(cd "$1" && pwd)")" ] ;;
  hold:0 | hold:1) hold "$fast" "$@" ;;
  *) usage ;;
esac
