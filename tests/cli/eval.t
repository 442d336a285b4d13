`moonshift eval` runs a plain script, as EVAL does, in either engine.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis --busy-reply-threshold 50
  $ export REDIS_URL="unix://$PWD/redis.sock"

A file, with keys and arguments as for redis-cli --eval: these two lines differ in two words.

  $ cat > pair.lua <<'EOF'
  > redis.call("SET", KEYS[1], ARGV[1])
  > return {KEYS[1], KEYS[2], ARGV[1], ARGV[2], #KEYS, #ARGV}
  > EOF
  $ redis-cli -s redis.sock --no-raw --eval pair.lua a b , 1 'two words'
  1) "a"
  2) "b"
  3) "1"
  4) "two words"
  5) (integer) 2
  6) (integer) 2
  $ moonshift eval pair.lua a b , 1 'two words' --output human
  1) "a"
  2) "b"
  3) "1"
  4) "two words"
  5) (integer) 2
  6) (integer) 2
  $ redis get a
  1

Standard input, and the text itself.

  $ echo 'return 1 + 1' | moonshift eval -
  {"ok":true,"reply":2}
  $ moonshift eval -e 'return {KEYS, ARGV}' k1 k2 , -5 '' , a,b
  {"ok":true,"reply":[[{"b":"azE="},{"b":"azI="}],[{"b":"LTU="},{"b":""},{"b":"LA=="},{"b":"YSxi"}]]}
  $ moonshift eval -e 'return ARGV' -- , --engine -x
  {"ok":true,"reply":[{"b":"LS1lbmdpbmU="},{"b":"LXg="}]}

A word keeps each of its bytes, and a script is taken as it is.

  $ moonshift eval -e 'return {KEYS[1], ARGV[1]}' $'\x01k' , $'\x01-5'
  {"ok":true,"reply":[{"b":"AWs="},{"b":"AS01"}]}
  $ moonshift eval -e '-5'
  {"ok":false,"error":"ERR Error compiling script (new function): user_script:1: unexpected symbol near '-'"}
  [2]

Each engine, each kind of reply, each output.

  $ cat > replies.lua <<'EOF'
  > return {1, "text", {ok = "FINE"}, false, {}, {{1, "2"}}, {err = "MY error"}, "\0\255"}
  > EOF
  $ for engine in local server; do moonshift eval replies.lua --engine $engine; done
  {"ok":true,"reply":[1,{"b":"dGV4dA=="},{"s":"FINE"},null,[],[[1,{"b":"Mg=="}]],{"e":"MY error"},{"b":"AP8="}]}
  {"ok":true,"reply":[1,{"b":"dGV4dA=="},{"s":"FINE"},null,[],[[1,{"b":"Mg=="}]],{"e":"MY error"},{"b":"AP8="}]}
  $ moonshift eval replies.lua --output human
  1) (integer) 1
  2) "text"
  3) FINE
  4) (nil)
  5) (empty array)
  6) 1) 1) (integer) 1
        2) "2"
  7) (error) MY error
  8) "\x00\xff"
  $ moonshift eval replies.lua --output resp | od -c | head -3
  0000000   *   8  \r  \n   :   1  \r  \n   $   4  \r  \n   t   e   x   t
  0000020  \r  \n   +   F   I   N   E  \r  \n   $   -   1  \r  \n   *   0
  0000040  \r  \n   *   1  \r  \n   *   2  \r  \n   :   1  \r  \n   $   1
  $ moonshift eval -e 'return 1' --output xml
  moonshift: --output must be json, resp or human, not 'xml'
  [2]

A script that fails: the same words from both, and the exit code 1.

  $ for engine in local server; do moonshift eval -e 'return redis.call("INCR", "words")' --engine $engine; redis set words two; done
  {"ok":true,"reply":1}
  OK
  {"ok":false,"error":"ERR value is not an integer or out of range script: *, on @user_script:1."} (glob)
  OK
  $ for engine in local server; do
  >   moonshift eval -e 'local t = nil; return t.x' --engine $engine; echo $?
  > done
  {"ok":false,"error":"ERR user_script:1: attempt to index local 't' (a nil value) script: *, on @user_script:1."} (glob)
  1
  {"ok":false,"error":"ERR user_script:1: attempt to index local 't' (a nil value) script: *, on @user_script:1."} (glob)
  1
  $ moonshift eval -e 'error("an error")' --output human
  (error) ERR user_script:1: an error script: *, on @user_script:1. (glob)
  [1]

One that does not compile changes nothing: 2.

  $ for engine in local server; do moonshift eval -e 'x =' --engine $engine; echo $?; done
  {"ok":false,"error":"ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"}
  2
  {"ok":false,"error":"ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"}
  2
  $ moonshift eval missing.lua
  moonshift: missing.lua: there is no such script file
  [2]
  $ moonshift eval scripts
  moonshift: scripts: there is no such script file
  [2]
  $ moonshift eval
  moonshift: which script? A file, - for standard input, or -e TEXT
  [2]
  $ moonshift eval pair.lua --engine remote
  moonshift: the engine must be local or server, not 'remote'
  [2]
  $ moonshift eval pair.lua --memory much
  moonshift: --memory: * (glob)
  [2]
  $ moonshift eval pair.lua --nothing
  moonshift: there is no option --nothing
  usage: moonshift eval FILE|-|-e TEXT [KEY ...] , [ARG ...] [options]
  [2]

KEYS is answered by SCAN, and the log says so; --raw-keys sends it.

  $ fill 5 s:
  $ redis config resetstat
  OK
  $ moonshift eval -e 'return #redis.call("KEYS", ARGV[1])' , 's:*'
  *warning: KEYS s:* was answered by SCAN, so that Redis need not stop for it: the same keys, in another order. --raw-keys sends KEYS itself (glob)
  {"ok":true,"reply":5}
  $ moonshift eval -e 'return #redis.call("KEYS", ARGV[1])' , 's:*' --quiet
  {"ok":true,"reply":5}
  $ redis info commandstats | grep -c cmdstat_keys
  0
  [1]
  $ moonshift eval -e 'return #redis.call("KEYS", ARGV[1])' , 's:*' --raw-keys
  {"ok":true,"reply":5}
  $ redis info commandstats | grep -c cmdstat_keys
  1

redis.log goes to our log.

  $ moonshift eval -e 'redis.log(redis.LOG_WARNING, "from the script") return 1' 2>&1 | sed 's/^.*from/from/'
  from the script
  {"ok":true,"reply":1}

A batch: a line each, in order, each script in an environment of its own.

  $ cat > requests <<'EOF'
  > {"script":"return KEYS[1] .. ARGV[1]","keys":["k"],"args":["b64:AP8="]}
  > {"script":"KEYS.x = 1 redis.call('SELECT', 3) error('stop')"}
  > {"script":"return {tostring(KEYS.x), redis.call('DBSIZE') > 0}","engine":"server"}
  > 
  > {"script":"x ="}
  > {"script":"b64:cmV0dXJuIDc="}
  > {"script":"return {err='\\\\255 is no UTF-8 \\255'}"}
  > EOF
  $ moonshift eval --batch < requests
  {"ok":true,"reply":{"b":"awD/"}}
  {"ok":false,"error":"ERR user_script:1: stop script: *, on @user_script:1."} (glob)
  {"ok":true,"reply":[{"b":"bmls"},1]}
  {"ok":false,"error":"ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"}
  {"ok":true,"reply":7}
  {"ok":false,"error":"\\\\255 is no UTF-8 \xef\xbf\xbd"} (esc)

A line that is no request is answered too, and the exit code says so.

  $ printf '%s\n' 'nonsense' '{"args":[]}' '{"script":5}' '{"script":"return 1","keyz":[]}' '{"script":"return 1","engine":"x"}' '{"script":"b64:?"}' '{"script":"return 1"}' | moonshift eval --batch
  {"ok":false,"error":"ERR a request is one JSON object on one line"}
  {"ok":false,"error":"ERR a request needs a script"}
  {"ok":false,"error":"ERR script must be a string"}
  {"ok":false,"error":"ERR a request has no field 'keyz'"}
  {"ok":false,"error":"ERR the engine must be local or server, not 'x'"}
  {"ok":false,"error":"ERR script: what follows b64: is no base64"}
  {"ok":true,"reply":1}
  [2]
  $ moonshift eval --batch pair.lua < /dev/null
  moonshift: --batch reads its scripts from standard input, and takes none here
  [2]
  $ moonshift eval --batch < /dev/null

What is no fault of the request is no answer to it; and what cannot be read is not the end of the input.

  $ echo '{"script":"return 1"}' | moonshift eval --batch --url "$REDIS_URL?db=999"
  moonshift: *redis.sock: there is no database 999* (glob)
  [2]
  $ moonshift eval --batch < .
  moonshift: the input cannot be read: Is a directory
  [1]

It answers while the other side waits.

  $ cat > dialogue.py <<'EOF'
  > import json, subprocess
  > moonshift = subprocess.Popen(["moonshift", "eval", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
  > for i in range(3):
  >     moonshift.stdin.write(json.dumps({"script": "return redis.call('INCR', 'turn')"}).encode() + b"\n")
  >     moonshift.stdin.flush()
  >     print(moonshift.stdout.readline().decode(), end="")
  > moonshift.stdin.close()
  > print(moonshift.wait())
  > EOF
  $ timeout 20 python3 dialogue.py
  {"ok":true,"reply":1}
  {"ok":true,"reply":2}
  {"ok":true,"reply":3}
  0

The time limit ends a script, here and inside Redis; exit code 4. One that has written cannot be ended there.

  $ moonshift eval -e 'while true do pcall(error) end' --timeout 200ms
  {"ok":false,"error":"ERR Script stopped, its time is up script: *, on @user_script:1."} (glob)
  [4]
  $ moonshift eval -e 'while true do pcall(error) end' --timeout 200ms --engine server
  {"ok":false,"error":"ERR *Script killed by user with SCRIPT KILL*"} (glob)
  [4]
  $ moonshift eval -e 'redis.call("SET", "a", 1) for i = 1, 2e8 do end' --timeout 200ms --engine server
  moonshift: *redis.sock: the script takes too long and has written, so Redis does not let it be ended by SCRIPT KILL* (glob)
  [4]
  $ idle() { test "$(redis ping)" = PONG; }
  $ eventually idle

One that ends by itself before Redis hears of SCRIPT KILL was not stopped.

  $ start_redis patient
  $ moonshift eval -e 'for i = 1, 3e7 do end return 1' --timeout 10ms --engine server --url "unix://$PWD/patient.sock"
  {"ok":true,"reply":1}

Where the user may not end it, that is told at once.

  $ redis acl setuser runner on nopass '~*' +@all '-script|kill' >/dev/null
  $ moonshift eval -e 'while true do end' --timeout 100ms --engine server --url "unix://runner:x@$PWD/redis.sock"
  moonshift: *redis.sock: the script takes too long and cannot be ended: SCRIPT KILL: NOPERM * (glob)
  [4]
  $ redis script kill
  OK
  $ eventually idle

A script of somebody else's is not ended for ours. This stand-in for Redis is busy with one: it answers BUSY to
our request only after it was asked on another connection.

  $ cat > busy.py <<'EOF'
  > import os, socket, threading
  > busy, lock = threading.Event(), threading.Lock()
  > def answer(connection, words):
  >     name = words[0].upper()
  >     with lock, open("asked", "a") as asked: print(*words[:2], file=asked)
  >     if name == "EVAL": busy.wait()
  >     if name == "PING" and serving > 1: busy.set()
  >     if busy.is_set() and words != ["SCRIPT", "KILL"]: return b"-BUSY Redis is busy running a script.\r\n"
  >     return b"*1\r\n:0\r\n" if name == "SCRIPT" else b"+OK\r\n"
  > def serve(connection):
  >     lines = connection.makefile("rb")
  >     while head := lines.readline():
  >         words = [lines.read(int(lines.readline()[1:]) + 2)[:-2].decode() for _ in range(int(head[1:]))]
  >         connection.sendall(answer(connection, words))
  > listener = socket.socket(socket.AF_UNIX)
  > listener.bind("stand-in.sock")
  > listener.listen()
  > serving = 0
  > while True:
  >     connection = listener.accept()[0]
  >     serving += 1
  >     threading.Thread(target=serve, args=(connection,), daemon=True).start()
  > EOF
  $ setpriv --pdeathsig KILL python3 busy.py </dev/null >/dev/null 2>&1 & servers+=($!); disown
  $ eventually test -S stand-in.sock
  $ moonshift eval -e 'return 1' --timeout 50ms --engine server --url "unix://$PWD/stand-in.sock"
  {"ok":false,"error":"BUSY Redis is busy running a script."}
  [1]
  $ grep -E 'EVAL|KILL' asked
  EVAL return 1

It ends the wait for a Redis that stands still, too.

  $ kill -STOP "${servers[0]}"
  $ for engine in local server; do moonshift eval -e 'return 1' --timeout 300ms --engine $engine; echo $?; done; kill -CONT "${servers[0]}"
  moonshift: *redis.sock: no reply to PING within 300ms (glob)
  3
  moonshift: *redis.sock: no reply to PING within 300ms (glob)
  3

Also in the middle of a script: what it did until then is there.

  $ moonshift eval -e 'redis.call("SET", "half", 1) while true do pcall(redis.call, "PING") end' --timeout 2s > answer & eval=$!
  $ half_done() { test "$(redis exists half)" = 1; }; eventually half_done
  $ kill -STOP "${servers[0]}"; wait $eval
  [4]
  $ kill -CONT "${servers[0]}"; cat answer
  {"ok":false,"error":"ERR Script stopped, its time is up: *redis.sock: no reply to PING *"} (glob)

The memory limit.

  $ moonshift eval -e 'local t = {} while true do t[#t + 1] = {} end' --memory 20mb
  {"ok":false,"error":"ERR not enough memory: a script may use 20 MB"}
  [1]

  $ moonshift eval -e 'return 1' --memory 8kb
  moonshift: --memory: it must be 1mb at least
  [2]

What is closed when it starts is not taken for Redis, and what cannot be written is an error.

  $ redis set still there
  OK
  $ moonshift eval -e 'return {[[FLUSHALL]]}' --output resp <&- >&-
  $ moonshift eval -e 'redis.log(redis.LOG_WARNING, "FLUSHALL") return 1' 2>&-
  {"ok":true,"reply":1}
  $ timeout 10 moonshift eval --batch <&-
  $ redis get still
  there
  $ moonshift eval -e 'return 1' >/dev/full
  moonshift: standard output cannot be written
  [1]

A user who may do little else.

  $ redis acl setuser reader on nopass '~*' +@read +@scripting +command +select >/dev/null
  $ moonshift eval -e 'return {redis.call("GET", "still"), redis.REDIS_VERSION ~= ""}' --url "unix://reader:x@$PWD/redis.sock"
  {"ok":true,"reply":[{"b":"dGhlcmU="},1]}
  $ moonshift eval -e 'return redis.call("SET", "still", "here")' --url "unix://reader:x@$PWD/redis.sock"
  {"ok":false,"error":"*script: *, on @user_script:1."} (glob)
  [1]

A signal ends a batch; the requests that wait are not run.

  $ printf '%s\n' '{"script":"redis.call([[SET]],[[begun]],1) while true do end"}' '{"script":"redis.call([[SET]],[[late]],1)"}' > endless
  $ moonshift eval --batch < endless > answers & batch=$!
  $ begun() { test "$(redis exists begun)" = 1; }; eventually begun
  $ kill -TERM $batch; wait $batch
  [4]
  $ cat answers; redis exists late
  {"ok":false,"error":"ERR Script stopped by a signal script: *, on @user_script:1."} (glob)
  0

An error is only an error, whatever it says.

  $ moonshift eval -e 'return redis.error_reply("ERR Error compiling script")'
  {"ok":false,"error":"ERR Error compiling script"}
  [1]

No Redis.

  $ moonshift eval -e 'return 1' --url unix:///nobody.sock
  moonshift: /nobody.sock: connection refused: is Redis running there?
  [3]

`moonshift run` does the same with a file that is no task.

  $ moonshift run pair.lua a b , 1 -2.5
  1) "a"
  2) "b"
  3) "1"
  4) "-2.5"
  5) (integer) 2
  6) (integer) 2
  $ moonshift run pair.lua a b , 1 --json --engine server
  {"ok":true,"reply":[{"b":"YQ=="},{"b":"Yg=="},{"b":"MQ=="}]}
  $ echo 'return #KEYS[1] + 1' > key.lua; moonshift run key.lua abc
  (integer) 4
  $ moonshift run pair.lua --dry-run
  moonshift: --dry-run is for tasks, and this is a plain script; --url scratch:dump.rdb tries it on a copy
  [2]
  $ moonshift run pair.lua --max-failures 3
  moonshift: --max-failures is for tasks, and this is a plain script; --url scratch:dump.rdb tries it on a copy
  [2]
  $ moonshift run bullmq/clean --raw-keys
  moonshift: --raw-keys is for plain scripts, and bullmq/clean is none
  [2]
  $ moonshift run bullmq/clean key
  moonshift: bullmq/clean is no plain script, which alone takes words after its name: what is 'key'?
  [2]
