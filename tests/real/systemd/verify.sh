#!/bin/bash
# What systemd says of the units, as they are installed: verify.sh BUILD_DIRECTORY
set -eu -o pipefail
build=$(realpath "$1")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root cmake --install "$build" >/dev/null
mkdir -p "$root/bin"
cp /bin/sh "$root/bin"
cp -a /lib/systemd/system/. "$root/usr/lib/systemd/system"

failures=0
fail() {
  echo "not ok: $*"
  failures=$((failures + 1))
}

# The jobs' timers, as the generator makes them of the installed examples.
"$build/moonshift" units --schedules "$root/etc/moonshift/schedules" --output "$root/etc/systemd/system" >/dev/null ||
  fail "not every example job has a timer"
timers=$(cd "$root/etc/systemd/system" && ls moonshift@*.timer)
[[ " ${timers//$'\n'/ } " == *" moonshift@hourly-stalled.timer "* ]] || fail "the example jobs got: $timers"

units=(moonshift.service moonshift@hourly-stalled.service)
# Not what it says of the host's own units.
told=$(MANPATH=$root/usr/share/man systemd-analyze verify --root="$root" "${units[@]}" $timers 2>&1 | grep moonshift || true)
[[ -z $told ]] || fail "systemd-analyze verify: $told"

for unit in "${units[@]}"; do
  # In tenths.
  told=$(systemd-analyze security --offline=true --root="$root" --threshold=20 "$unit" | tail -1) ||
    fail "systemd-analyze security: $told"
  echo "$told"
done

sh -n "$root/usr/lib/systemd/system-generators/moonshift-generator"
[[ -x $root/usr/lib/systemd/system-generators/moonshift-generator ]] || fail "the generator cannot be executed"

echo "# Ran 1 tests, 0 skipped, $((failures > 0)) failed."
((failures == 0))
