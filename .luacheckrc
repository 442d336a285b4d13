std = "luajit"
max_line_length = 140
read_globals = { "redis", "task", "check", "scan", "glob", "atomically", "pipelined", "require",
  "cjson", "cmsgpack", "struct" }
exclude_files = { "build" }

files["src/task/runtime.lua"] = { globals = { "redis", "task", "check", "scan", "glob", "atomically", "pipelined", "require", "KEYS", "ARGV" } }
-- The prelude and the epilogue stand around the libraries and the task: what one declares another uses.
files["src/task/prelude.lua"] = { globals = { "redis" }, ignore = { "211", "231", "431", "432", "121", "122" } }
files["src/task/epilogue.lua"] = { read_globals = { "ARGV", "declared", "fatal" } }
