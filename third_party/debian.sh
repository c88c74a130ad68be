# shellcheck shell=bash
# What third_party/install.sh and tests/redis_suite.sh share: Debian's packages, and archives of its source packages.
# To be sourced by a script with `set -euo pipefail`; it does nothing by itself.

readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s\n' "third_party: $*" >&2; }
warn() { say "warning: $*"; }
die() { local code=$1; shift; say "$*"; exit "$code"; }

as_root()
{
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

# quietly COMMAND…: shows its output only when it fails, and a dot every few seconds on a terminal.
quietly()
{
    local log rc=0
    log=$(mktemp)
    if [[ -t 2 ]]; then
        (while sleep 3; do printf . >&2; done) &
        local dots=$!
    fi
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    if [[ -n ${dots:-} ]]; then
        kill "$dots" 2>/dev/null || true
        wait "$dots" 2>/dev/null || true
        printf '\r\033[K' >&2
    fi
    [[ $rc -eq 0 ]] || tail -n 40 "$log" >&2
    rm -f "$log"
    return "$rc"
}

missing_packages()
{
    local have p
    have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | awk '$1 == "ii" { print $2 }' || true)
    for p in "$@"; do
        grep -qxF -- "$p" <<<"$have" || printf '%s\n' "$p"
    done
}

apt_get()
{
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"
}

install_packages()
{
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null || die 2 "not a Debian system; please install: ${missing[*]}"

    [[ $(id -u) -eq 0 ]] || command -v sudo >/dev/null ||
        die 2 "these packages are missing, and only root (or sudo, which is not here) can install them: ${missing[*]}"

    say "installing with apt: ${missing[*]}"
    # Lists may be absent (fresh images) or too old for what the mirror still has: then update, and try once more.
    if ! apt-get -qq --simulate install --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        ! apt_get install --no-install-recommends "${missing[@]}"; then
        say "refreshing the package lists first"
        apt_get update || die 2 "apt-get update failed (see above)"
        apt_get install --no-install-recommends "${missing[@]}" ||
            die 2 "apt-get could not install: ${missing[*]} (see above)"
    fi
}

# debian_mirror: where this machine gets Debian from, as its own apt sees it.
debian_mirror()
{
    # shellcheck disable=SC2016 # apt expands these, not the shell
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -F '|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

has_sum() { [[ -f $1 && $(sha256sum <"$1" | cut -d' ' -f1) == "$2" ]]; }

# fetch_source PACKAGE SUITE SUM ARCHIVE: apt's own download of the upstream archive of a Debian source package, through
# a source list and a lists folder of our own: the machine's apt configuration stays as it is, and apt's signature checks
# stay on. The archive must also have the SHA-256 that the caller pins.
fetch_source()
(
    package=$1 suite=$2 sum=$3 archive=$4
    mirror=$(debian_mirror)
    if [[ -z $mirror ]]; then
        apt_get update || true
        mirror=$(debian_mirror)
    fi
    [[ -n $mirror ]] || { warn "this machine's apt knows no Debian mirror"; return 1; }
    [[ -r $keyring ]] || { warn "no $keyring (package debian-archive-keyring)"; return 1; }

    tmp=$(mktemp -d)
    trap 'rm -rf "$tmp"' EXIT
    mkdir -p "$tmp"/{lists/partial,cache/archives/partial,download}
    # apt fetches as the user _apt, so that a hostile mirror does not face root
    if [[ $(id -u) -eq 0 ]] && getent passwd _apt >/dev/null; then
        chmod 755 "$tmp"
        chown -R _apt "$tmp"
    fi
    printf '%s\n' "Types: deb-src" "URIs: $mirror" "Suites: $suite" "Components: main" "Signed-By: $keyring" \
        >"$tmp/own.sources"

    options=(-q -o Dir::Etc::sourcelist="$tmp/own.sources" -o Dir::Etc::sourceparts=-
        -o Dir::State::lists="$tmp/lists" -o Dir::Cache="$tmp/cache" -o APT::Update::Error-Mode=any)
    quietly apt-get "${options[@]}" update || { warn "could not read Debian's $suite from this machine's mirror"; return 1; }
    (cd "$tmp/download" && quietly apt-get "${options[@]}" source --download-only --tar-only "$package") ||
        { warn "could not download the $suite source of $package"; return 1; }

    found=$(find "$tmp/download" -maxdepth 1 -type f -name "${package}_*.orig.tar.*" -print -quit)
    [[ -n $found ]] || { warn "apt brought no upstream archive for $suite"; return 1; }
    has_sum "$found" "$sum" || { warn "the $suite archive $(basename "$found") is not the pinned one"; return 1; }
    mv "$found" "$archive"
)
