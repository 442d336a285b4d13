# Sourced at the top of each .t file. The test's directory gets `moonshift` in its PATH, and Redis servers
# of its own on Unix sockets, which end with the test's shell however that ends.

unset REDIS_URL CREDENTIALS_DIRECTORY STATE_DIRECTORY
export XDG_STATE_HOME=$PWD/state-home
set -o pipefail # a filtered command still shows its own exit code
mkdir bin scripts
ln -s "$MOONSHIFT" bin/moonshift
PATH=$PWD/bin:$PATH

# eventually COMMAND: tries until it succeeds, for at most ten seconds.
eventually() {
  local deadline=$((SECONDS + 10))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      echo "gave up waiting for: $*"
      return 1
    fi
    sleep 0.02
  done
}

servers=()
stop_servers() {
  # A child that gets a signal before it has become another program would run the trap as well.
  if ((BASHPID == $$ && ${#servers[@]} > 0)); then kill -KILL "${servers[@]}" 2>/dev/null; fi
}
trap stop_servers EXIT

# start_redis NAME [OPTION...]: a server at $PWD/NAME.sock that answers, if only by LOADING or NOAUTH.
start_redis() {
  local name=$1
  shift
  setpriv --pdeathsig KILL redis-server --port 0 --unixsocket "$PWD/$name.sock" --dir "$PWD" --save "" \
    --dbfilename "$name.rdb" --logfile "$PWD/$name.log" "$@" </dev/null >/dev/null 2>&1 &
  servers+=($!)
  disown
  eventually redis-cli -s "$name.sock" ping
}

# redis COMMAND...: to the server called `redis`.
redis() { redis-cli -s redis.sock "$@" </dev/null; }

# fill COUNT [PREFIX]: keys PREFIX1, PREFIX2, ... (k:1, k:2, ...)
fill() {
  redis eval 'for i = 1, ARGV[1] do redis.call("SET", ARGV[2] .. i, "x") end' 0 "$1" "${2-k:}" >/dev/null
}

# told: what a report says of its steps, without the header and the table of costs.
told() { sed -e '1,/^$/d' -e '/^step  /,$d' -e '/^$/d'; }

# fields NAME...: fields of the JSON on standard input; outcomes.removed is one inside another.
fields() {
  python3 -c '
import functools, json, sys
text = sys.stdin.read()
if not text: sys.exit("there is no JSON")
report = json.loads(text)
for name in sys.argv[1:]:
    inside = lambda value, key: value[int(key)] if isinstance(value, list) else value.get(key, "missing")
    print(name, "=", json.dumps(functools.reduce(inside, name.split("."), report)))
' "$@"
}
