What `moonshift scripts` tells about scripts.

  $ . "$TESTDIR/support.sh"

It lists what ships, with its summaries; libraries are no scripts.

  $ moonshift scripts
  script              kind   what it does
  bullmq/clean        task   * (glob)
  checks/clients      check  * (glob)
  checks/memory       check  * (glob)
  checks/persistence  check  * (glob)
  ratelimit/purge     task   * (glob)

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
  pattern    glob, several                      required  which keys, such as rl:*

As JSON it is one object a script.

  $ moonshift scripts --json | fields 0.script 0.kind 4.script 4.parameters.1
  0.script = "bullmq/clean"
  0.kind = "task"
  4.script = "ratelimit/purge"
  4.parameters.1 = {"name": "pattern", "type": "glob, several", "default": *, "required": true, "help": "which keys, such as rl:*"} (glob)
  $ moonshift scripts checks/memory --json | fields script kind path atomic
  script = "checks/memory"
  kind = "check"
  path = "scripts/checks/memory.lua"
  atomic = false

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
  $ moonshift scripts --scripts scripts | grep -E '^(touch|ratelimit|lib)'
  ratelimit/purge     task   Purges in our own way.
  touch               task   Touches keys.
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
  $ moonshift scripts --scripts scripts | grep plain
  plain               plain  Answers.

A broken script is told, and hides none of the others.

  $ echo 'return task {' > scripts/broken.lua
  $ moonshift scripts --scripts scripts > list
  moonshift: scripts/broken.lua:*: * (glob)
  [2]
  $ grep -oE '^(bullmq/clean|touch)' list
  bullmq/clean
  touch
