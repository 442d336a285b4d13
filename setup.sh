#!/usr/bin/env bash
# Installs what moonshift needs on Debian 12 or 13, builds it, and runs it or its tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

build_packages=(
  g++ cmake ninja-build pkg-config redis-server
  libluajit-5.1-dev libcxxopts-dev libspdlog-dev libssl-dev libtomlplusplus-dev nlohmann-json3-dev
  lua-cjson-dev libmsgpack-cxx-dev libhowardhinnant-date-dev libsystemd-dev
  libcurl4-openssl-dev tzdata
)
bench_packages=(libhiredis-dev)
test_packages=(
  doctest-dev python3-cram lua-check npm python3-redis python3-limits python3-rq python3-freezegun python3-celery
  ruby-sidekiq ruby-redis-namespace ruby-rack-attack python3-croniter systemd systemd-container debootstrap dpkg-dev
  file man-db procps
)
package_packages=(lintian dpkg-dev file)

usage() {
  cat <<'HELP'
Usage: ./setup.sh COMMAND

  demo    build, then run the nightly job on a private Redis that real BullMQ queues filled
  build   build build/release/moonshift
  package build a Debian package of it, and print its path
  test    build with warnings as errors, then run every test
  asan    the same tests under AddressSanitizer and UndefinedBehaviorSanitizer
  bench   compare ways to purge 1 million of 2 million keys; `bench memory` checks the memory limit,
          `bench eval` compares ways to run small scripts, `bench clean` ways to remove old jobs,
          `bench tasks` measures the most used tasks on 1 million jobs each, or those that are named;
          --keys COUNT and --rounds N change how much is done
  clean   remove everything that was built or downloaded

Debian packages that are missing are installed first, as root or through sudo.
Running a command again does only what is left to do.
HELP
}

die() {
  echo "setup.sh: $*" >&2
  exit 1
}

as_root() {
  if ((EUID == 0)); then env "$@"; else sudo env "$@"; fi
}

# Shows what a command printed only if it fails.
quietly() {
  local output
  output=$("$@" 2>&1 </dev/null) || die "$* failed:"$'\n'"$output"
}

# A redis-server or an npm that did not come from Debian is as good.
is_installed() {
  case $1 in
    npm) command -v npm >/dev/null && return ;;
    redis-server) command -v redis-server >/dev/null && command -v redis-cli >/dev/null && return ;;
  esac
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

install_packages() {
  local package missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  command -v apt-get >/dev/null || die "this is not Debian; please install the equivalents of: ${missing[*]}"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "packages are missing, and this is neither root nor sudo; as root: apt-get install ${missing[*]}"

  echo "Installing ${missing[*]}"
  local apt=(DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
  quietly as_root "${apt[@]}" update
  # Debian's redis-server brings a service on port 6379. Nothing here uses it, so it is not started.
  if [[ " ${missing[*]} " == *" redis-server "* ]]; then
    quietly as_root SYSTEMD_OFFLINE=1 "${apt[@]}" install --no-install-recommends redis-server
    [[ ! -d /run/systemd/system ]] || quietly as_root systemctl disable redis-server
  fi
  quietly as_root "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

build() {
  install_packages "${build_packages[@]}"
  quietly cmake --preset release
  cmake --build --preset release --target moonshift
}

demo() {
  build
  cat <<'STORY'

A private Redis starts with data that the real BullMQ and rate-limit libraries wrote, and the job
schedules/nightly.toml runs on it as in the night of 1 November 2026. Nothing else is touched.

STORY
  exec build/release/moonshift job nightly --now 2026-11-01T02:30:00Z \
    --url "scratch:tests/real/fixture.rdb?appendonly=yes"
}

# The client libraries that the tests use, as their lock file pins them.
install_libraries() {
  cmp -s tests/real/package-lock.json tests/real/node_modules/.installed && return
  echo "Installing the npm packages of tests/real"
  quietly npm ci --prefix tests/real
  cp tests/real/package-lock.json tests/real/node_modules/.installed
}

# Adds up what the doctest, cram and Node.js programs say of their cases in ctest's JUnit file.
count_cases() {
  awk '
    /(^|>)\[doctest\] test cases:/ { passed += $6; failed += $9; skipped += $12 }
    /(^|>)# Ran [0-9]+ tests?, /   { passed += $3 - $5 - $7; failed += $7; skipped += $5 }
    /(^|>)Ran [0-9]+ tests? in /             { ran = $2 }
    /(^|>)(OK|FAILED)( \(.*\))?$/           {
      bad = 0; gone = 0
      if (match($0, /failures=[0-9]+/)) bad += substr($0, RSTART + 9, RLENGTH - 9)
      if (match($0, /errors=[0-9]+/)) bad += substr($0, RSTART + 7, RLENGTH - 7)
      if (match($0, /skipped=[0-9]+/)) gone += substr($0, RSTART + 8, RLENGTH - 8)
      passed += ran - bad - gone; failed += bad; skipped += gone; ran = 0
    }
    /(^|>)(#|ℹ) pass [0-9]+$/                { passed += $3 }
    /(^|>)(#|ℹ) (fail|cancelled) [0-9]+$/    { failed += $3 }
    /(^|>)(#|ℹ) (skipped|todo) [0-9]+$/      { skipped += $3 }
    /<testcase .* status="(notrun|disabled)"/ { skipped += 1 }
    END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

run_tests() {  # PRESET
  install_packages "${build_packages[@]}" "${bench_packages[@]}" "${test_packages[@]}"
  quietly cmake --preset "$1"
  cmake --build --preset "$1"
  install_libraries

  local status=0 passed failed skipped
  ctest --preset "$1" --parallel "$(nproc)" --no-tests=error --output-junit tests.xml \
    --test-output-size-passed 10000000 --test-output-size-failed 10000000 || status=$?
  read -r passed failed skipped < <(count_cases "build/$1/tests.xml")
  echo "Test cases: $passed passed, $failed failed, $skipped skipped"
  ((status == 0)) || die "tests failed"
  ((skipped == 0)) || [[ -z ${CI:-} ]] || die "where CI is set, a skipped test is a failure"
}

package() {
  install_packages "${package_packages[@]}"
  build
  cmake --build build/release --target all
  rm -f build/release/moonshift_*.deb
  quietly cpack --config build/release/CPackConfig.cmake -B build/release
  local file=("$PWD"/build/release/moonshift_*.deb)
  lintian --fail-on error "${file[0]}" ||
    die "lintian finds errors in ${file[0]}"
  echo "${file[0]}"
}

bench() {
  install_packages "${bench_packages[@]}"
  build
  quietly cmake -S tests/bench -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release
  cmake --build build/bench
  install_libraries
  NODE=$(ls tests/real/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
  NODE=${NODE:-node} exec build/bench/bench build/release/moonshift "$@"
}

case ${1:-help} in
  help | -h | --help) usage ;;
  demo) demo ;;
  build)
    build
    echo "$PWD/build/release/moonshift"
    ;;
  test) run_tests dev ;;
  asan) run_tests asan ;;
  package) package ;;
  bench) bench "${@:2}" ;;
  clean) rm -rf build tests/real/node_modules ;;
  *)
    echo "setup.sh: unknown command '$1'" >&2
    usage >&2
    exit 2
    ;;
esac
