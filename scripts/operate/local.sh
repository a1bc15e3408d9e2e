#!/usr/bin/env bash
# The services of docker-compose.yml as processes, with this machine's own packages: PostgreSQL, nats-server, the
# program, and a worker for the example project.
# Usage: scripts/operate/local.sh up | down | logs [OPTIONS]
# `up` starts what does not run and returns when all of it is healthy. `down` ends what `up` started, and nothing else;
# the data stays. WORKER=no leaves the worker out; DURAGRAPH_PROJECT is another project, with a Python environment of its
# own. DB_PORT, NATS_PORT and PORT choose ports, DURAGRAPH_STACK_DIR the folder of data and logs (.duragraph).
WAY=local
. "$(dirname "$0")/stack.sh"
cd "$ROOT"

# When the process began, by which it is told from another one that got its number later.
began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# pid_of NAME: the process that was started as NAME, if it lives.
pid_of() {
  local pid start
  read -r pid start 2>/dev/null <"$STACK/$1.pid" || return 1
  [ "$(began "$pid")" = "$start" ] && [ "$(sed 's/.*) //' "/proc/$pid/stat" | cut -c1)" != Z ] && echo "$pid"
}

alive() {
  if [ "$1" = postgres ]; then
    [ -d "$STACK/postgres" ] && scripts/postgres-server.sh status "$STACK/postgres"
  else
    pid_of "$1" >/dev/null
  fi
}

# start NAME COMMAND...: in a session of its own, which this terminal's Ctrl-C does not reach; without the lock.
start() {
  local name=$1 pid
  shift
  setsid "$@" >>"$STACK/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid $(began "$pid")" >"$STACK/$name.pid"
}

# await NAME: until the service is healthy, or its process has ended.
await() {
  local end=$((SECONDS + ${UP_TIMEOUT:-120}))
  until health --quiet "$1"; do
    if ! alive "$1"; then die "$1 has ended; the last of $STACK/$1.log:
$(tail -n 5 "$STACK/$1.log")"; fi
    [ "$SECONDS" -lt "$end" ] || die "$(health "$1"), not within ${UP_TIMEOUT:-120} s; see $STACK/$1.log"
    sleep 0.1
  done
}

# claim NAME VARIABLE: nobody else may have the port.
claim() {
  local port=${!2}
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    die "port $port, for $1, is taken; choose another: $2=$((port + 1)) task up:local"
  fi
}

# The database and its owner; PostgreSQL's superuser is let in through the socket without a password.
make_database() {
  psql --quiet --no-psqlrc --host="$STACK/postgres" --port="$DB_PORT" --username=postgres \
    --set=ON_ERROR_STOP=1 --set=owner="$DB_USER" --set=password="$DB_PASSWORD" --set=name="$DB_NAME" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'owner') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'owner', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
}

up_postgres() {
  local dir="$STACK/postgres"
  if ! alive postgres; then
    claim PostgreSQL DB_PORT
    say "PostgreSQL at 127.0.0.1:$DB_PORT"
    if [ -f "$dir/port" ]; then
      scripts/postgres-server.sh resume --port "$DB_PORT" "$dir" 9>&-
    else
      rm -rf "$dir" # what an interrupted start left: a cluster that never ran
      scripts/postgres-server.sh start --port "$DB_PORT" "$dir" >/dev/null 9>&-
    fi
  fi
  make_database
}

up_nats() {
  local nats
  if alive nats; then return; fi
  nats=$(command -v nats-server || echo /usr/sbin/nats-server)
  [ -x "$nats" ] || die "there is no nats-server here: scripts/install-deps.sh installs one"
  claim NATS NATS_PORT
  say "NATS at 127.0.0.1:$NATS_PORT"
  start nats "$nats" --addr 127.0.0.1 --port "$NATS_PORT" --jetstream --store_dir "$STACK/nats"
  await nats
}

up_server() {
  "$program" db migrate
  if alive server; then return; fi
  claim "the server" PORT
  say "the server at http://127.0.0.1:$PORT"
  start server "$program" serve
  await server
}

up_worker() {
  local project=${DURAGRAPH_PROJECT:-}
  if [ "$WORKER" = no ]; then return; fi
  # It finds a server that was started anew by itself.
  if alive worker; then
    await worker
    return
  fi
  if [ -z "$project" ]; then
    project=$EXAMPLE
    scripts/python-env.sh "$project/.venv" "$project/requirements.txt"
    export VIRTUAL_ENV=$project/.venv
  fi
  say "a worker for $project"
  start worker "$program" worker "$project" --server "http://127.0.0.1:$PORT"
  await worker
}

up() {
  local name program
  for name in postgres nats server worker; do
    if ! alive "$name"; then continue; fi
    for variable in DB_PORT NATS_PORT PORT; do
      [ "${!variable}" = "$(chosen "$variable")" ] ||
        die "it is up with $variable=$(chosen "$variable"); \`task down:local\` first"
    done
  done
  program=$(program)
  keep_settings
  export_worker_token
  # The database is this one, whatever else serves from here.
  unset DATABASE_URL DB_SSLMODE DB_SSLROOTCERT
  export DB_HOST=127.0.0.1 DB_USER=${DB_USER:-appuser} DB_PASSWORD=${DB_PASSWORD:-apppass} DB_NAME=${DB_NAME:-appdb}
  export HOST=127.0.0.1 NATS_URL=nats://127.0.0.1:$NATS_PORT
  up_postgres
  up_nats
  up_server
  up_worker
  health
}

# end NAME: by SIGTERM, and by SIGKILL when that does not end it.
end() {
  local pid deadline=$((SECONDS + 30))
  if pid=$(pid_of "$1"); then
    say "stopping $1"
    kill -TERM "$pid" 2>/dev/null || true
    while pid_of "$1" >/dev/null; do
      if [ "$SECONDS" -ge "$deadline" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
      sleep 0.05
    done
  fi
  rm -f "$STACK/$1.pid"
}

down() {
  end worker
  end server
  end nats
  if alive postgres; then
    say "stopping postgres"
    scripts/postgres-server.sh stop "$STACK/postgres"
  fi
}

usage="usage: scripts/operate/local.sh up | down | logs [OPTIONS]"
command=${1:-}
shift || die "$usage"
make_stack
case $command in
  up | down)
    exec 9>"$STACK/lock"
    flock --timeout 300 9 || die "another start or stop has been under way for 5 minutes"
    "$command"
    ;;
  logs)
    for log in postgres/log nats.log server.log worker.log; do touch "$STACK/$log" 2>/dev/null || true; done
    cd "$STACK"
    exec tail -n 100 "$@" postgres/log nats.log server.log worker.log
    ;;
  *) die "$usage" ;;
esac
