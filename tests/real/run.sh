#!/usr/bin/env bash
# Runs the tests against the real client libraries: those beside this file, or those of a directory:
# run.sh bullmq. MOONSHIFT is the binary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Debian 12's own Node.js is too old for the newest BullMQ; the lock file brings one.
node=$(ls node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
shopt -s nullglob
tests=("${1:-.}"/*.test.mjs)
exec "${node:-node}" --test "${tests[@]}"
