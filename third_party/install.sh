#!/usr/bin/env bash
# Gets everything that Cofre is built from: Debian packages, and BoringSSL built for speed.
#
#   third_party/install.sh            what the programs need
#   third_party/install.sh --tests    and what the tests and checks need, bssl among it
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
# shellcheck source=third_party/debian.sh
source "$here/debian.sh"

readonly out=$root/build/third_party
readonly boringssl=$out/boringssl

readonly packages=(build-essential cmake ninja-build pkg-config xz-utils debian-archive-keyring openssl
    libuv1-dev libpq-dev libxxhash-dev postgresql libedit-dev libcmocka-dev)
readonly test_packages=(redis-tools redis-server iredis prometheus-redis-exporter python3 python3-redis python3-pytest
    python3-hypothesis python3-cryptography gnutls-bin curl sslscan testssl.sh clang llvm libclang-rt-14-dev clang-format
    clang-tidy cppcheck shellcheck)

readonly source_package=android-platform-external-boringssl
# suite, upstream version, SHA-256 of the upstream archive; the first that can be had is taken
readonly sources=(
    "trixie   14.0.0+r45 f9223e8c15ad5d9e3f1cd50861f4c272658864661e2332bea5d60952aa0930cd"
    "bookworm 13.0.0+r24 583b7aeee1fca68b8244d086cea6fca23bd19d517bd63f0b9de714e048f92a7d"
)

tmp=
trap '[[ -z $tmp ]] || rm -rf "$tmp"' EXIT

usage()
{
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
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
            fetch_source "$source_package" "$suite" "$sum" "$archive" || { first=no; continue; }
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
    --tests) want_tests=yes want_tool=yes ;;
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
