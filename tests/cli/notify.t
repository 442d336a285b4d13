Somebody hears about a job: [notify].

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock" STATE_DIRECTORY=$PWD/state no_proxy=127.0.0.1
  $ cat > scripts/drop.lua <<'EOF'
  > --- Deletes keys.
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "n:*" } do emit(key) end end,
  >   each = function(p, key)
  >     if key == "n:odd" then error('it is "odd"') end
  >     redis.call("DEL", key)
  >     return "removed"
  >   end,
  > }
  > EOF

A server that notes what it is asked, in the file `calls`; /N/... is answered by the status N, and /hang/start not at all.

  $ cat > hooks.py <<'EOF'
  > import http.server, os, time
  > class Handler(http.server.BaseHTTPRequestHandler):
  >     def do_POST(self):
  >         body = self.rfile.read(int(self.headers["Content-Length"]))
  >         with open("calls", "a") as calls: calls.write(self.path.split("?")[0] + "\n")
  >         with open("rids", "a") as rids: rids.write(self.path.partition("?")[2] + "\n")
  >         with open("body", "wb") as file: file.write(body)
  >         if self.path.startswith("/hang/start"): time.sleep(600)
  >         status = self.path.split("/")[1]
  >         self.send_response(int(status) if status.isdigit() else 200)
  >         self.end_headers()
  >     def log_message(self, *arguments): pass
  > server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  > with open("port.new", "w") as file: file.write(str(server.server_port))
  > os.rename("port.new", "port")
  > server.serve_forever()
  > EOF
  $ setpriv --pdeathsig KILL python3 hooks.py </dev/null >/dev/null 2>&1 &
  $ servers+=($!); disown; eventually test -s port
  $ export HOOKS="http://127.0.0.1:$(cat port)"

run_job: runs the job and shows its exit code, what it says besides the report, and who was asked.

  $ run_job() {
  >   rm -f calls rids
  >   moonshift job nightly --scripts scripts "$@" >report 2>messages; echo "exit $?"
  >   sed -E 's/^[^ ]+ //; s/127.0.0.1:[0-9]+/HOST/g' messages
  >   [ ! -e calls ] || cat calls
  > }
  $ job() { mkdir -p schedules; { printf '[[step]]\nscript = "drop"\n[notify]\n'; cat; } > schedules/nightly.toml; }

A webhook gets the report of a run that failed, and hears nothing of one that did well.

  $ job <<'EOF'
  > webhook = "${HOOKS}/hook"
  > EOF
  $ redis mset n:odd x n:k x >/dev/null; run_job
  exit 1
  /hook
  $ < body fields job exit_code verdict errors steps.0.outcomes
  job = "nightly"
  exit_code = 1
  verdict = "critical"
  errors = ["drop: n:odd: scripts/drop.lua:5: it is \"odd\""]
  steps.0.outcomes = {"removed": 1}
  $ redis flushall >/dev/null; run_job
  exit 0

A template makes the body that a chat wants.

  $ cat > schedules/moonshift.toml <<'EOF'
  > [notify]
  > webhook = "${HOOKS}/chat"
  > template = '{"text": "${job} ${verdict}, exit code ${exit_code}: ${errors}"}'
  > EOF
  $ job < /dev/null
  $ redis set n:odd x >/dev/null; run_job; cat body; echo
  exit 1
  /chat
  {"text": "nightly critical, exit code 1: drop: n:odd: scripts/drop.lua:5: it is \"odd\""}

A Redis that is not there is the first thing to hear about, and so is a job that is broken.

  $ run_job --url unix:///nowhere.sock; grep -o 'nightly critical, exit code 3: .*/nowhere.sock' body
  exit 3
  /nowhere.sock: connection refused: is Redis running there?
  /chat
  nightly critical, exit code 3: */nowhere.sock (glob)
  $ sed -i 's/drop/dorp/' schedules/nightly.toml; run_job; grep -o "exit code 2: .*no script 'dorp'" body
  exit 2
  schedules/nightly.toml:2:10: there is no script 'dorp'* (glob)
  /chat
  exit code 2: schedules/nightly.toml:2:10: there is no script 'dorp'
  $ echo 'webhook =' > schedules/nightly.toml; run_job; grep -o "exit code 2: .*" body
  exit 2
  schedules/nightly.toml:1:* (glob)
  /chat
  exit code 2: schedules/nightly.toml:1:* (glob)
  $ rm schedules/moonshift.toml

Pings: the start, and how it ended; with one id. A job that cannot begin has no start.

  $ echo 'ping = "${HOOKS}/uuid"' | job
  $ redis flushall >/dev/null; run_job; sort -u rids | wc -l
  exit 0
  /uuid/start
  /uuid
  1
  $ redis set n:odd x >/dev/null; run_job
  exit 1
  /uuid/start
  /uuid/1
  $ run_job --url unix:///nowhere.sock
  exit 3
  /nowhere.sock: connection refused: is Redis running there?
  /uuid/fail

A start ping that hangs takes nothing of the job's time.

  $ printf 'timeout = "3s"\n[[step]]\nscript = "drop"\n[notify]\nping = "${HOOKS}/hang"\ntimeout = "4s"\n' > schedules/nightly.toml
  $ redis mset n:k x n:l x >/dev/null; redis del n:odd >/dev/null; run_job --json; fields steps.0.outcomes < report
  exit 0
  warning: notify: the ping at http://HOST/***: Timeout was reached
  /hang/start
  /hang
  steps.0.outcomes = {"removed": 2}
  $ redis set n:odd x >/dev/null

Sentry gets an event of a failure, at the address that the DSN means.

  $ echo 'sentry = "http://key@'${HOOKS#http://}'/7"' | job
  $ run_job; tail -1 body | fields transaction level tags.exit_code
  exit 1
  /api/7/envelope/
  transaction = "nightly"
  level = "error"
  tags.exit_code = "1"

A program has the report on its standard input, and does not get into the report's way.

  $ echo 'exec = ["sh", "-c", "cat > got; echo said"]' | job
  $ run_job --json; fields job < got; fields exit_code < report
  exit 1
  said
  job = "nightly"
  exit_code = 1

when = "change": only a verdict that is not the last run's.

  $ printf 'webhook = "${HOOKS}/hook"\nwhen = "change"\n' | job
  $ run_job
  exit 1
  /hook
  $ run_job
  exit 1
  $ redis flushall >/dev/null; run_job
  exit 0
  /hook
  $ run_job
  exit 0
  $ ls state/verdicts
  nightly

A dry run tells nobody, whatever it finds.

  $ printf 'webhook = "${HOOKS}/hook"\nping = "${HOOKS}/uuid"\nwhen = "always"\n' | job
  $ run_job --dry-run
  exit 0

What cannot be told is a warning that shows no secret, and nothing more: the exit code is the job's. A server
that is broken is asked four times, one that knows no such hook once.

  $ printf 'webhook = "${HOOKS}/500/secret"\nping = "${HOOKS}/404/secret"\ntimeout = "2s"\nwhen = "always"\n' | job
  $ run_job
  exit 0
  warning: notify: the ping at http://HOST/***: it answered 404
  warning: notify: the ping at http://HOST/***: it answered 404
  warning: notify: the webhook at http://HOST/***: it answered 500 (tried 4 times)
  /404/secret/start
  /404/secret
  /500/secret
  /500/secret
  /500/secret
  /500/secret
  $ run_job --quiet | grep warning; cat report
  warning: notify: the ping at http://HOST/***: it answered 404
  warning: notify: the ping at http://HOST/***: it answered 404
  warning: notify: the webhook at http://HOST/***: it answered 500 (tried 4 times)
  $ run_job -v >/dev/null; grep -c secret messages report
  messages:0
  report:0
  [1]
  $ printf 'exec = ["sh", "-c", "exit 3", "secret"]\nwebhook = "${UNSET}/secret"\nwhen = "always"\n' | job; run_job
  exit 0
  warning: notify: [notify] webhook names the environment variable UNSET, which is not set: set it
  warning: notify: the program sh: it failed with exit status 3
  $ printf 'exec = ["sleep", "600"]\ntimeout = "100ms"\nwhen = "always"\n' | job; run_job
  exit 0
  warning: notify: the program sleep: it took longer than 100ms and was killed

`jobs --check` finds what is wrong in either file; a shared one that is wrong keeps no job from its work.

  $ printf '[notify]\nwhen = "never"\n' > schedules/moonshift.toml
  $ printf 'webhok = "x"\n' | job; moonshift jobs --check --scripts scripts >/dev/null
  moonshift: schedules/nightly.toml:4:1: unknown key 'webhok' in [notify] (did you mean webhook?)* (glob)
  moonshift: schedules/moonshift.toml:2:8: when must be failure, change or always, not 'never'
  [2]
  $ echo 'webhook = "${HOOKS}/hook"' | job; run_job
  exit 0
  warning: notify: schedules/moonshift.toml:2:8: when must be failure, change or always, not 'never'
  $ rm schedules/moonshift.toml; moonshift jobs --check --scripts scripts >/dev/null
