#!/bin/bash
# Runs the command tests: tests/cli/run.sh [FILE.t ...]
#
# MOONSHIFT names the program to test. Each .t file holds commands and what they print, for cram
# (https://bitheap.org/cram); they run on copies, so nothing is left in the tree.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
MOONSHIFT=$(realpath "${MOONSHIFT:-$here/../../build/release/moonshift}")
export MOONSHIFT
if [ ! -x "$MOONSHIFT" ]; then
  echo "$0: there is no program $MOONSHIFT: build it, or set MOONSHIFT" >&2
  exit 2
fi

cram=$(command -v cram3 || command -v cram) || { echo "$0: install python3-cram" >&2; exit 2; }

[ $# -gt 0 ] || set -- "$here"/*.t
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tests" "$work/tmp"
cp "$here/support.sh" "$here/../../README.md" "$@" "$work/tests"
cd "$work/tests"
TMPDIR=$work/tmp "$cram" --shell=/bin/bash ./*.t
