#!/usr/bin/env bash
# Gets everything that Cofre is built from: Debian packages, and BoringSSL built for speed.
#
#   third_party/install.sh            what the programs need
#   third_party/install.sh --tests    and what the tests and checks need
#   third_party/install.sh --tool     also builds BoringSSL's own command, bssl
#
# Packages are installed as root, or with sudo, and only those that are missing. BoringSSL is fetched by apt as
# Debian's *source* package, through a source list and a lists folder of our own: the machine's apt configuration
# stays as it is, and apt's signature checks stay on. The archive is also pinned to its SHA-256.
# Result: build/third_party/boringssl/{include,lib}. A second run finds all of it and returns at once.

set -euo pipefail
umask 022
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
readonly here root
readonly out=$root/build/third_party
readonly boringssl=$out/boringssl

readonly packages=(build-essential cmake ninja-build pkg-config xz-utils debian-archive-keyring openssl
    libuv1-dev libpq-dev postgresql libedit-dev libcmocka-dev)
readonly test_packages=(redis-tools redis-server prometheus-redis-exporter python3 python3-redis python3-pytest clang llvm libclang-rt-14-dev
    clang-format clang-tidy cppcheck shellcheck)

readonly source_package=android-platform-external-boringssl
readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# suite, upstream version, SHA-256 of the upstream archive; the first that can be had is taken
readonly sources=(
    "trixie   14.0.0+r45 f9223e8c15ad5d9e3f1cd50861f4c272658864661e2332bea5d60952aa0930cd"
    "bookworm 13.0.0+r24 583b7aeee1fca68b8244d086cea6fca23bd19d517bd63f0b9de714e048f92a7d"
)

tmp=
trap '[[ -z $tmp ]] || rm -rf "$tmp"' EXIT

say() { printf '%s\n' "third_party: $*" >&2; }
warn() { say "warning: $*"; }
die() { local code=$1; shift; say "$*"; exit "$code"; }

usage()
{
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

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

# ---- packages ----------------------------------------------------------------------------------------------------

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

# ---- BoringSSL ---------------------------------------------------------------------------------------------------

# The stamp names everything that the result depends on: version, recipe, compiler.
stamp_of()
{
    local version=$1
    printf '%s %s %s\n' "$version" "$(sha256sum <"$here/boringssl/CMakeLists.txt" | cut -c1-16)" "$(cc -dumpfullversion)"
}

is_current()
{
    local row suite version sum
    [[ -f $boringssl/stamp && -f $boringssl/lib/libssl.a && -f $boringssl/lib/libcrypto.a ]] || return 1
    for row in "${sources[@]}"; do
        read -r suite version sum <<<"$row"
        [[ $(cat "$boringssl/stamp") != "$(stamp_of "$version")" ]] || return 0
    done
    return 1
}

# debian_mirror: where this machine gets Debian from, as its own apt sees it.
debian_mirror()
{
    # shellcheck disable=SC2016 # apt expands these, not the shell
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -F '|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

has_sum() { [[ -f $1 && $(sha256sum <"$1" | cut -d' ' -f1) == "$2" ]]; }

# fetch SUITE SUM ARCHIVE: apt's own download, with lists and cache in $tmp.
fetch()
{
    local suite=$1 sum=$2 archive=$3 mirror found
    mirror=$(debian_mirror)
    if [[ -z $mirror ]]; then
        apt_get update || true
        mirror=$(debian_mirror)
    fi
    [[ -n $mirror ]] || { warn "this machine's apt knows no Debian mirror"; return 1; }
    [[ -r $keyring ]] || { warn "no $keyring (package debian-archive-keyring)"; return 1; }

    rm -rf "$tmp/apt"
    mkdir -p "$tmp/apt"/{lists/partial,cache/archives/partial,download}
    # apt fetches as the user _apt, so that a hostile mirror does not face root
    if [[ $(id -u) -eq 0 ]] && getent passwd _apt >/dev/null; then
        chmod 755 "$tmp"
        chown -R _apt "$tmp/apt"
    fi
    printf '%s\n' "Types: deb-src" "URIs: $mirror" "Suites: $suite" "Components: main" "Signed-By: $keyring" \
        >"$tmp/apt/boringssl.sources"

    local options=(-q -o Dir::Etc::sourcelist="$tmp/apt/boringssl.sources" -o Dir::Etc::sourceparts=-
        -o Dir::State::lists="$tmp/apt/lists" -o Dir::Cache="$tmp/apt/cache" -o APT::Update::Error-Mode=any)
    quietly apt-get "${options[@]}" update || { warn "could not read Debian's $suite from this machine's mirror"; return 1; }
    (cd "$tmp/apt/download" && quietly apt-get "${options[@]}" source --download-only --tar-only "$source_package") ||
        { warn "could not download the $suite source of $source_package"; return 1; }

    found=$(find "$tmp/apt/download" -maxdepth 1 -type f -name "${source_package}_*.orig.tar.*" -print -quit)
    [[ -n $found ]] || { warn "apt brought no upstream archive for $suite"; return 1; }
    has_sum "$found" "$sum" || { warn "the $suite archive $(basename "$found") is not the pinned one"; return 1; }
    mv "$found" "$archive"
}

# build ARCHIVE VERSION
build()
{
    local archive=$1 version=$2 source
    say "building BoringSSL $version (about a minute)"
    mkdir -p "$tmp/source"
    tar -xJf "$archive" -C "$tmp/source" --exclude='*/win-*' --exclude='*/apple-*' --exclude='*/ios-*' \
        --exclude='*/src/fuzz' --exclude='*/src/third_party/googletest' --exclude='*/src/third_party/wycheproof_testvectors'
    source=$(dirname "$(find "$tmp/source" -maxdepth 2 -name android-sources.cmake -print -quit)")

    quietly cmake -S "$here/boringssl" -B "$tmp/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DBORINGSSL_SOURCE="$source" || die 1 "cmake could not configure BoringSSL (see above)"
    quietly ninja -C "$tmp/build" || die 1 "BoringSSL did not build (see above)"

    rm -rf "$boringssl"
    mkdir -p "$boringssl/lib" "$boringssl/bin"
    cp -R "$source/src/include" "$boringssl/include"
    cp "$tmp/build/libssl.a" "$tmp/build/libcrypto.a" "$boringssl/lib/"
    cp "$source/src/LICENSE" "$boringssl/LICENSE"
    if [[ $want_tool == yes ]]; then
        quietly ninja -C "$tmp/build" bssl || die 1 "bssl did not build (see above)"
        cp "$tmp/build/bssl" "$boringssl/bin/"
    fi
    stamp_of "$version" >"$boringssl/stamp"
}

install_boringssl()
{
    local row suite version sum archive first=yes
    if is_current && [[ $want_tool == no || -x $boringssl/bin/bssl ]]; then
        return 0
    fi
    mkdir -p "$out/download"
    tmp=$(mktemp -d)

    for row in "${sources[@]}"; do
        read -r suite version sum <<<"$row"
        archive=$out/download/boringssl_$version.tar.xz
        if ! has_sum "$archive" "$sum"; then
            say "fetching the source of BoringSSL $version"
            fetch "$suite" "$sum" "$archive" || { first=no; continue; }
        fi
        [[ $first == yes ]] || warn "using BoringSSL $version of $suite, older than the one wanted"
        build "$archive" "$version"
        say "BoringSSL $version is in ${boringssl#"$root"/}"
        return 0
    done
    warn "no BoringSSL source could be had; falling back to Debian's android-libboringssl-dev, which is compiled for" \
        "size: handshakes cost several times more CPU"
    install_packages android-libboringssl-dev
}

# ---- main --------------------------------------------------------------------------------------------------------

want_tool=no
want_tests=no
for argument in "$@"; do
    case $argument in
    --tests) want_tests=yes ;;
    --tool) want_tool=yes ;;
    -h | --help) usage; exit 0 ;;
    *) die 2 "unknown option '$argument' (see --help)" ;;
    esac
done

mkdir -p "$out"
exec 9>"$out/.lock"
flock 9 # two runs in one work tree take turns

if [[ $want_tests == yes ]]; then
    install_packages "${packages[@]}" "${test_packages[@]}"
else
    install_packages "${packages[@]}"
fi
install_boringssl
