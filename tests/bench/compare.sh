#!/usr/bin/env bash
# compare.sh: Cofre beside redis-server with TLS, HAProxy, hitch, nginx, stunnel and pgbench, in one run; see README.md.
#
#   tests/bench/compare.sh            all rows, about a quarter of an hour
#   tests/bench/compare.sh --quick    a smoke test of at most 3 minutes: shows that all of it works, judges nothing
#   tests/bench/compare.sh --full     longer, more rounds, ten million keys
#
# Further options are compare.py's: --only get,set … --help lists them. Installs the peers (Debian packages, as root or
# with sudo, only those that are missing; their services are not started), builds what is not built, and starts and stops
# every server itself.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly packages=(haproxy hitch nginx libnginx-mod-stream stunnel4 gnuplot-nox)

as_root()
{
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

missing()
{
    local p
    for p in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || printf '%s\n' "$p"
    done
}

# no_services COMMAND…: while it runs, packages may not start services (deb-systemd-invoke, invoke-rc.d ask policy-rc.d).
# A machine that has a policy of its own keeps it.
no_services()
{
    local policy=/usr/sbin/policy-rc.d rc=0 ours=no
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        ours=yes
    fi
    "$@" || rc=$?
    [[ $ours == no ]] || as_root rm -f "$policy"
    return $rc
}

install_peers()
{
    local list
    mapfile -t list < <(missing)
    [[ ${#list[@]} -gt 0 ]] || return 0
    echo "compare.sh: installing with apt: ${list[*]}" >&2
    local get=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600)
    apt-get -qq --simulate install --no-install-recommends "${list[@]}" >/dev/null 2>&1 || as_root "${get[@]}" update >&2
    no_services as_root "${get[@]}" install --no-install-recommends "${list[@]}" >&2
}

# build_missing: with tests/run.sh's lock, so that two of us take turns
build_missing()
{
    local build=${COFRE_BUILD:-build/release} program
    for program in gateway/cofre-gateway core/cofre-core tests/bench/load; do
        [[ ! -x $build/$program ]] || continue
        if [[ $build != build/release ]]; then
            echo "compare.sh: no $build/$program: build it first" >&2
            exit 2
        fi
        mkdir -p build
        (
            flock 8
            [[ -f build/release/build.ninja ]] || cmake --preset release
            cmake --build --preset release --target cofre-gateway cofre-core load
        ) 8>build/.lock >&2
        return
    done
}

case " $* " in
*" --help "* | *" -h "*) exec /usr/bin/python3 tests/bench/compare.py "$@" ;;
esac
third_party/install.sh --tests
install_peers
build_missing
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 tests/bench/compare.py "$@"
