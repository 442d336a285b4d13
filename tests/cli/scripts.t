What `moonshift scripts` tells about scripts.

  $ . "$TESTDIR/support.sh"

It lists what ships, with its summaries; libraries are no scripts.

  $ moonshift scripts | grep -E '^(script|bullmq/clean|checks/memory|lib.*|ratelimit/purge) ' | sed -E 's/ +/ /g'
  script kind what it does
  bullmq/clean task Removes completed or failed BullMQ jobs that finished more than `older_than` ago.
  checks/memory check Whether Redis has memory left, and keeps what it was given.
  ratelimit/purge task Removes rate-limit keys: * (glob)

One script's help is its own comment and the parameters that it declares.

  $ moonshift scripts bullmq/clean | grep -A 99 '^parameter'
  parameter   type                default    help
  keep        integer             0          this many of the newest stay in each queue
  older_than  duration            7d         age since the job finished
  prefix      string              bull       key prefix of the queues
  queues      glob                *          which queues, by name
  state       completed | failed  completed  which finished jobs
  $ moonshift scripts ratelimit/purge | sed -n '1,3p'
  ratelimit/purge (task, scripts/ratelimit/purge.lua)
  
  Removes rate-limit keys: the leaked ones, which have no TTL and so never end, or all of them.
  $ moonshift scripts ratelimit/purge | grep '^pattern'
  pattern +glob, several +required +which keys, such as rl:\* (re)

As JSON it is one object a script.

  $ moonshift scripts --json | fields 0.kind
  0.kind = "task"
  $ moonshift scripts --json | grep -o '{"name":"pattern","type":"glob, several","default":"required","required":true,"help":"which keys, such as rl:[*]"}'
  {"name":"pattern","type":"glob, several","default":"required","required":true,"help":"which keys, such as rl:*"}
  $ moonshift scripts checks/memory --json | fields script kind path atomic
  script = "checks/memory"
  kind = "check"
  path = "scripts/checks/memory.lua"
  atomic = false

README.md has a table of them all.

  $ cp "$TESTDIR/README.md" README.md
  $ moonshift scripts --output markdown --into README.md
  $ diff "$TESTDIR/README.md" README.md
  $ moonshift scripts --output markdown | grep -E '^\| (script|`(bullmq/clean|checks/memory|keys/delete)`)' | cut -c 1-100
  | script | what it does | parameters | engines |
  | `bullmq/clean` | Removes completed or failed BullMQ jobs that finished more than `older_than` ago.* (glob)
  | `checks/memory` | Whether Redis has memory left, and keeps what it was given. | `critical=0.95`, * (glob)
  | `keys/delete` | Deletes keys by pattern and, if given, by type, idle time, size and TTL; all of * (glob)
  $ echo text > no_marks; moonshift scripts --output markdown --into no_marks
  moonshift: --into no_marks: it needs a line `<!-- scripts: begin -->` and later a line `<!-- scripts: end -->`
  [2]
  $ moonshift scripts --output markdown --into missing
  moonshift: --into missing: * (glob)
  [2]
  $ moonshift scripts --into README.md
  moonshift: --into is for --output markdown
  [2]
  $ moonshift scripts --output yaml
  moonshift: --output must be text, json or markdown, not 'yaml'
  [2]
  $ moonshift scripts bullmq/clean --output markdown
  moonshift: --output markdown is for all the scripts
  [2]

--check finds nothing in them.

  $ moonshift scripts --check

Scripts of one's own

A directory's scripts stand beside the ones that ship, and win over those of the same name.

  $ mkdir -p scripts/ratelimit scripts/lib
  $ cat > scripts/touch.lua <<'EOF'
  > --- Touches keys.
  > ---
  > --- For tests.
  > return task {
  >   params = {
  >     names = { type = "string", list = true, default = { "a", "b" }, help = "which names" },
  >     share = { type = "number", default = 0.5, help = "how many" },
  >     force = { type = "boolean", default = true, help = "whether or not" },
  >   },
  >   find = function(p, emit) end,
  >   each = function(p, key) return "touched" end,
  > }
  > EOF
  $ cat > scripts/ratelimit/purge.lua <<'EOF'
  > --- Purges in our own way.
  > return task { find = function(p, emit) end, each = function() end }
  > EOF
  $ echo 'return {}' > scripts/lib/ours.lua
  $ moonshift scripts --scripts scripts | grep -E '^(touch|ratelimit/purge|lib)' | sed -E 's/ +/ /g'
  ratelimit/purge task Purges in our own way.
  touch task Touches keys.
  $ moonshift scripts touch --scripts scripts
  touch (task, scripts/touch.lua)
  
  Touches keys.
  
  For tests.
  
  parameter  type             default  help
  force      boolean          true     whether or not
  names      string, several  a, b     which names
  share      number           0.5      how many

A file is named by its path.

  $ moonshift scripts ./scripts/ratelimit/purge.lua
  ./scripts/ratelimit/purge.lua (task, ./scripts/ratelimit/purge.lua)
  
  Purges in our own way.

A plain script is listed as what it is, even if it calls Redis at once, as they do.

  $ printf -- '--- Answers.\nreturn redis.call("PING")\n' > scripts/plain.lua
  $ moonshift scripts --scripts scripts | grep '^plain' | sed -E 's/ +/ /g'
  plain plain Answers.

--check names what is wrong in a script and in what it uses, each with its place.

  $ cat > scripts/lib/faulty.lua <<'EOF'
  > --- Reads too much.
  > local faulty = {}
  > 
  > function faulty.all(key)
  >   return redis.call("HGETALL", key)
  > end
  > 
  > return faulty
  > EOF
  $ cat > scripts/faulty.lua <<'EOF'
  > --- Does what it should not.
  > ---
  > --- For Redis 7.
  > local faulty = require "lib.faulty"
  > return task {
  >   params = {
  >     match = { type = "glob", help = "which keys" },
  >   },
  >   find = function(p, emit)
  >     redis.call("DEL", "lock")
  >     for key in scan.keys { match = "a*" } do emit(key) end
  >   end,
  >   each = function(p, key)
  >     found = faulty.all(key)
  >     return "kept"
  >   end,
  > }
  > EOF
  $ moonshift scripts --check faulty --scripts scripts
  scripts/faulty.lua:1:1: its comment does not say what it leaves alone: `Never touched: ...`
  scripts/faulty.lua:7:5: the parameter 'match' is declared and not used
  scripts/faulty.lua:10:5: find only reads, and this is DEL
  scripts/faulty.lua:14:5: 'found' is a global: make it local
  scripts/lib/faulty.lua:5:10: HGETALL takes all there is at once: read it in pages, or say `-- bounded: WHY` on this line
  [2]
  $ moonshift scripts --check touch ./scripts/faulty.lua --scripts scripts --json | fields 0.path 0.line 0.column
  0.path = "./scripts/faulty.lua"
  0.line = 1
  0.column = 1
  [2]
  $ moonshift scripts --check lib.faulty --scripts scripts
  $ moonshift scripts --check nothing
  moonshift: there is no script 'nothing'* (glob)
  [2]

A broken script is told, and hides none of the others.

  $ echo 'return task {' > scripts/broken.lua
  $ moonshift scripts --scripts scripts > list
  moonshift: scripts/broken.lua:*: * (glob)
  [2]
  $ grep -oE '^(bullmq/clean|touch)' list
  bullmq/clean
  touch
