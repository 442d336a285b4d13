#!/bin/bash
# Makes a minimal Debian with systemd, Redis and what a package depends on: make_root.sh DIRECTORY PACKAGE.deb
#
# Does nothing where that is there already. Needs root, debootstrap and the network.
set -eu
root=$1
package=$2

depends=$(dpkg-deb --field "$package" Depends)
[[ $(cat "$root/.made-for" 2>/dev/null) != "$depends" ]] || exit 0

. /etc/os-release
unfinished=$root.unfinished
rm -rf "$root" "$unfinished"
mkdir -p "$(dirname "$root")"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,redis-server "$VERSION_CODENAME" "$unfinished"

# apt knows what the package depends on; the package itself is the test's to install.
cp "$package" "$unfinished/package.deb"
export DEBIAN_FRONTEND=noninteractive
chroot "$unfinished" apt-get -qq update
chroot "$unfinished" apt-get -qq install --no-install-recommends --yes /package.deb
chroot "$unfinished" dpkg --purge moonshift
rm -rf "$unfinished"/package.deb "$unfinished"/var/cache/apt/archives/*.deb "$unfinished"/var/lib/apt/lists/*

# Nothing but what the test starts touches its Redis or its disk.
rm -f "$unfinished"/etc/systemd/system/timers.target.wants/*
echo "$depends" > "$unfinished/.made-for"
mv "$unfinished" "$root"
