#!/usr/bin/env bash
# Serves the example project and plays one run of it; the server stays up until Ctrl-C.
# PORT chooses another port than 2024.
. "$(dirname "$0")/common.sh"
cd "$ROOT"
port=${PORT:-2024}
url="http://127.0.0.1:$port"
export DURAGRAPH_URL=$url

# Asked first: nobody should wait for a build to learn it.
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  die "port $port is taken; choose another: make run PORT=$((port + 1))"
fi

scripts/install-deps.sh
scripts/build.sh release
scripts/python-env.sh "$EXAMPLE/.venv" "$EXAMPLE/requirements.txt"

say "bin/duragraph dev examples/approval-agent --port $port"
# In a process group of its own, so that Ctrl-C reaches it once: through `stop`.
set -m
"$BIN" dev examples/approval-agent --port "$port" --no-browser &
server=$!
set +m
stop() {
  kill -INT "$server" 2>/dev/null || true
  wait "$server" || true
}
trap stop EXIT
trap 'exit 130' INT TERM HUP
until curl -fsS -o /dev/null "$url/ok" 2>/dev/null; do
  kill -0 "$server" 2>/dev/null || die "the server did not start"
  sleep 0.1
done

question='{"messages": [{"role": "user", "content": "Book me the cheapest flight from Berlin to Lisbon on Friday"}]}'
thread=$(cat /proc/sys/kernel/random/uuid)
curl -fsS -o /dev/null "$url/threads" -H 'content-type: application/json' -d "{\"thread_id\": \"$thread\"}"

say "duragraph run create agent --thread $thread --watch --input '$question'"
rc=0
"$BIN" run create agent --thread "$thread" --watch --input "$question" || rc=$?
[ "$rc" = 7 ] || die "the run should have stopped to ask a person (exit code 7), but ended with $rc"

say "duragraph run resume $thread --watch --value '{\"approved\": true}'"
"$BIN" run resume "$thread" --watch --value '{"approved": true}'

env_prefix=""
if [ "$port" != 2024 ]; then env_prefix="DURAGRAPH_URL=$url "; fi
cat <<TEXT

The server is up; Ctrl-C stops it.

  API      $url
  Studio   https://smith.langchain.com/studio/?baseUrl=$url
  data     examples/approval-agent/.duragraph/

Try, in another terminal in this folder:

  curl -N $url/runs/stream -H 'content-type: application/json' -d '{"assistant_id": "agent", "stream_mode": "messages-tuple", "input": {"messages": [{"role": "user", "content": "Find me a flight from Oslo to Rome"}]}}'

  ${env_prefix}bin/duragraph run create agent --watch --input '{"messages": [{"role": "user", "content": "Find me a flight from Oslo to Rome"}]}'

TEXT
trap stop INT TERM HUP
while kill -0 "$server" 2>/dev/null; do wait "$server" || true; done
trap - EXIT
