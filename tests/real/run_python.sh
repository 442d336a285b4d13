#!/usr/bin/env bash
# Runs the tests against the real Python libraries, those of one directory: run_python.sh rq.
# MOONSHIFT is the binary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -W ignore::ResourceWarning -m unittest discover -v -s "$1" -p '*_test.py'
