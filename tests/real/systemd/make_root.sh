#!/bin/bash
# Makes a minimal Debian with systemd, Redis and what a package depends on: make_root.sh DIRECTORY PACKAGE.deb
#
# Does nothing where that is there already. Needs root, debootstrap and the network.
set -eu
root=$1
package=$(realpath "$2")

# `a (>= 1), b | c` names a and b.
depends=$(dpkg-deb --field "$package" Depends | tr ',' '\n' | sed -e 's/|.*//' -e 's/(.*//' -e 's/[[:space:]]//g' | sort)
[[ $(cat "$root/.made-for" 2>/dev/null) != "$depends" ]] || exit 0

. /etc/os-release
unfinished=$root.unfinished
rm -rf "$root" "$unfinished"
mkdir -p "$(dirname "$root")"
debootstrap --variant=minbase --include="systemd,systemd-sysv,dbus,redis-server,${depends//$'\n'/,}" \
  "$VERSION_CODENAME" "$unfinished"
rm -rf "$unfinished"/var/cache/apt/archives/*.deb "$unfinished"/var/lib/apt/lists/*
# Nothing but what the test starts touches its Redis or its disk.
rm -f "$unfinished"/etc/systemd/system/timers.target.wants/*
echo "$depends" > "$unfinished/.made-for"
mv "$unfinished" "$root"
