#!/usr/bin/env bash
# Runs a command whose output matters only when it fails.
#   quietly.sh NAME COMMAND [ARGUMENT...]
# Prints a line and the closing lines of its tests, or else the end of its log; all of it is in .cache/logs/NAME.log.
set -euo pipefail
lines=150 # more than the longest failure with its recap

name=$1
shift
log=$(cd "$(dirname "$0")/.." && pwd)/.cache/logs/$name.log
mkdir -p "${log%/*}"
SECONDS=0
status=0
"$@" >"$log" 2>&1 </dev/null || status=$?
if ((status)); then
  echo "$name: failed with exit code $status after $SECONDS s; its log, $log, ends with"
  tail -n "$lines" "$log"
  exit "$status"
fi
echo "$name: ok, $SECONDS s"
grep -oE '=+ [0-9]+ passed.*' "$log" || true
