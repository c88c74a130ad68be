#!/usr/bin/env bash
# Redis 7.0.15's own test suite against Cofre, over mutual TLS, unit by unit. The last line is `N passed, N failed`,
# counted in units. What does not apply to Cofre is in redis_suite.expect, with the reason; exactly that must fail.
#
#   tests/redis_suite.sh                    all units, about three minutes
#   tests/redis_suite.sh --unit type/string one of them; may be repeated
#   tests/redis_suite.sh --against-redis    against Debian's redis-server: how many there are to reach
#   tests/redis_suite.sh --verbose --keep   all that is known of failures; keep the logs
#
# The suite is Debian's source package, fetched by apt, verified, and kept in build/redis-suite. Needs build/release
# (or another build in COFRE_BUILD).

set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=third_party/debian.sh
source third_party/debian.sh

version=7.0.15 release=bookworm pinned=4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982
out=$PWD/build/redis-suite
archive=$out/redis_$version.orig.tar.gz folder=$out/redis-$version

get_suite()
{
    mkdir -p "$out"
    exec 9>"$out/.lock"
    flock 9 # two runs in one work tree take turns
    if ! has_sum "$archive" "$pinned"; then
        say "fetching the source of Redis $version"
        fetch_source redis "$release" "$pinned" "$archive" || die 1 "no test suite"
        rm -rf "$folder"
    fi
    if [[ ! -d $folder ]]; then
        mkdir -p "$out/new"
        tar -xzf "$archive" -C "$out/new" --no-same-owner "redis-$version/tests"
        mv "$out/new/redis-$version" "$folder"
    fi
    exec 9>&-
}

install_packages tcl tcl-tls redis-server postgresql python3 python3-redis openssl debian-archive-keyring
get_suite
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests exec /usr/bin/python3 -m support.redis_suite --suite "$folder" "$@"
