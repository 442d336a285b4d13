#!/bin/bash
# A Debian that boots in a container, with the package: a job's timer fires, and fires after a reboot that missed it.
#
#   nspawn_test.sh BUILD_DIRECTORY ROOT     ROOT as make_root.sh makes it
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1")
base=$2

skip() {
  echo "skipped: $*"
  exit 77
}
((EUID == 0)) || skip "this is not root"
command -v systemd-nspawn >/dev/null || skip "there is no systemd-nspawn (Debian: systemd-container)"
if [[ ! -e $base/.made-for ]]; then
  command -v debootstrap >/dev/null || skip "there is no debootstrap, and no $base"
fi

work=$(mktemp -d)
root=$work/root
machine=moonshift-$$
container=
leader=

stop() {
  [[ -n $container ]] || return 0
  kill -TERM "$container" 2>/dev/null || true
  wait "$container" 2>/dev/null || true
}
trap 'stop; rm -rf "$work"' EXIT

fail() {
  echo "not ok: $*"
  echo "--- journal"
  journalctl --directory="$root/var/log/journal" --no-pager 2>/dev/null | tail -n 60
  echo "# Ran 1 tests, 0 skipped, 1 failed."
  exit 1
}

# eventually SECONDS COMMAND...: tries until it succeeds.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "gave up waiting for: $*"
    sleep 0.2
  done
}

inside() { nsenter --target "$leader" --all --root --wd=/ -- "$@" </dev/null; }

find_leader() { leader=$(cat "/proc/$container/task/$container/children") && leader=${leader%% *} && [[ -n $leader ]]; }

boot() {
  # setsid: a Ctrl-C ends this script first, which then ends the container.
  setsid systemd-nspawn --quiet --boot --directory="$root" --machine="$machine" --register=no --keep-unit \
    --private-network --console=read-only --link-journal=no </dev/null >>"$work/console" 2>&1 &
  container=$!
  eventually 20 find_leader
  eventually 40 inside redis-cli ping
  eventually 20 inside systemctl is-active timers.target
}

power_off() {
  inside systemctl poweroff 2>/dev/null || true
  wait "$container" || true
  container=
}

redis() { inside redis-cli "$@"; }

# entries JOB: how often the journal says that it ended well, with the fields that it should have.
entries() {
  inside journalctl --quiet --no-pager --output=cat "MOONSHIFT_JOB=$1" MOONSHIFT_VERDICT=ok MOONSHIFT_EXIT_CODE=0 \
    PRIORITY=6 | grep -c "^$1: done, and verified" || true
}
has_run() { [[ $(entries "$1") -ge 1 ]]; }

# leak PREFIX: 1000 keys of a rate limiter without a TTL.
leak() {
  redis eval 'for i = 1, 1000 do redis.call("SET", ARGV[1] .. i, "1") end' 0 "$1" >/dev/null
}
count() { redis --raw eval 'return #redis.call("KEYS", ARGV[1])' 0 "$1"; }

# job NAME PREFIX LINE...: purges the limiter's keys, and checks the memory.
job() {
  local name=$1 prefix=$2
  shift 2
  {
    printf '%s\n' "$@"
    printf '[[step]]\nscript = "ratelimit/purge"\nparams = { pattern = "%s*" }\n' "$prefix"
    printf '[verify]\nchecks = ["memory"]\n'
  } > "$root/etc/moonshift/schedules/$name.toml"
}

cpack --config "$build/CPackConfig.cmake" -B "$work/package" >"$work/cpack" 2>&1 || { cat "$work/cpack"; fail "cpack"; }
package=$(echo "$work"/package/moonshift_*.deb)
"$here/make_root.sh" "$base" "$package" >"$work/debootstrap" 2>&1 || { cat "$work/debootstrap"; exit 1; }
cp -a --reflink=auto "$base" "$root"
cp "$package" "$root/moonshift.deb"
mkdir -p "$root/var/log/journal"
systemd-nspawn --quiet --directory="$root" --machine="$machine" --register=no --keep-unit --private-network --pipe \
  dpkg --install /moonshift.deb >"$work/dpkg" 2>&1 </dev/null || { cat "$work/dpkg"; fail "dpkg --install"; }
# The package's own jobs would run by the hour of the day.
rm "$root"/etc/moonshift/schedules/*.toml

boot
redis set keep me >/dev/null
leak rl:

# Add a job: write the URL once, write a file, daemon-reload.
install -m 600 /dev/stdin "$root/etc/moonshift/redis-url" <<<'redis://127.0.0.1:6379'
job every-minute rl: 'cron = "* * * * *"'
job broken rl: 'cron = "61 * * * *"'
inside systemctl daemon-reload
eventually 5 inside systemctl is-active moonshift@every-minute.timer
inside journalctl --identifier=moonshift-generator PRIORITY=3 --output=cat | grep -q '/broken.toml:1:8: ' ||
  fail "the broken job is not told in the journal"
rm "$root/etc/moonshift/schedules/broken.toml"

eventually 90 has_run every-minute
[[ $(count 'rl:*') == 0 ]] || fail "$(count 'rl:*') keys were left"
[[ $(redis get keep) == me ]] || fail "another key is gone"
inside journalctl --unit=moonshift@every-minute.service --output=cat | grep -q 'found 1,000: 1,000 removed, 0 failed' ||
  fail "the report is not in the journal"
echo "the timer fired: $(inside journalctl --output=cat MOONSHIFT_JOB=every-minute MOONSHIFT_EXIT_CODE=0 | head -1)"

# A time of day that comes while the host is down.
due=$((($(date +%s) / 60 + 1) * 60))
((due - $(date +%s) >= 15)) || due=$((due + 60))
rm "$root/etc/moonshift/schedules/every-minute.toml"
job missed late: "calendar = \"*-*-* $(date -u -d "@$due" +%H:%M:%S) UTC\"" 'catch_up = true'
inside systemctl daemon-reload
eventually 5 inside systemctl is-active moonshift@missed.timer
inside systemctl is-active moonshift@every-minute.timer >/dev/null && fail "the timer of a job that is gone goes on"
leak late:
redis save >/dev/null
power_off
(($(date +%s) < due)) || fail "the host took too long to go down"
until (($(date +%s) > due)); do sleep 0.2; done

boot
eventually 30 has_run missed
[[ $(count 'late:*') == 0 ]] || fail "$(count 'late:*') keys were left after the reboot"
echo "the missed time was made up for: $(inside journalctl --output=cat MOONSHIFT_JOB=missed MOONSHIFT_EXIT_CODE=0 | head -1)"

# A person starts it.
leak late:
inside systemctl start moonshift@missed.service
[[ $(count 'late:*') == 0 ]] || fail "systemctl start did not run the job"
inside moonshift jobs --json | grep -q '"exit_code":0,"ending":"done, and verified' || fail "moonshift jobs does not know the run"

# The daemon instead of the timers.
job often rl: 'every = "1s"'
inside systemctl enable --now moonshift.service
inside systemctl daemon-reload
inside systemctl is-active moonshift@missed.timer >/dev/null && fail "there are timers beside the daemon"
leak rl:
eventually 20 has_run often
eventually 5 eval '[[ $(count "rl:*") == 0 ]]'
inside journalctl --quiet --output=cat MOONSHIFT_JOB=often _SYSTEMD_UNIT=moonshift.service MOONSHIFT_VERDICT=ok | grep -q '^often: done' ||
  fail "the daemon's run has no verdict in the journal"
job later rl: 'every = "6h"'
inside systemctl reload moonshift.service
eventually 10 inside sh -c 'journalctl --quiet --output=cat --unit=moonshift.service | grep -q "3 of 3 jobs have times"'
inside systemctl show --property=StatusText moonshift.service | grep -q 'next: \|running: ' || fail "systemd has no status"
[[ $(inside systemctl show --property=NRestarts --value moonshift.service) == 0 ]] || fail "the daemon was restarted"
inside systemctl stop moonshift.service
[[ $(inside systemctl show --property=Result --value moonshift.service) == success ]] || fail "the daemon did not end well"
echo "the daemon: $(inside journalctl --output=cat MOONSHIFT_JOB=often MOONSHIFT_VERDICT=ok | head -1)"
power_off

echo "# Ran 1 tests, 0 skipped, 0 failed."
