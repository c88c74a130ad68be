#!/usr/bin/env bash
# Installs what the tests need, builds, and runs them. The last line is `N passed, N failed`.
#
#   tests/run.sh                           everything
#   tests/run.sh unit|integration|fuzz…    some of it, or `suite`, which is not part of everything
#
#   unit         each test program, with the address and undefined-behaviour sanitizers (build/asan)
#   integration  pytest: real clients, gateway, core and PostgreSQL (build/release); then, with the sanitizers'
#                programs (build/asan, build/tsan), the tests that are marked `asan` and `tsan`
#   fuzz         each libFuzzer target for COFRE_FUZZ_SECONDS (10), from its corpus (build/fuzz)
#   suite        Redis's own test suite, counted in units (build/release); see redis_suite.sh
#
# Two runs in one work tree may overlap: they take turns at building, and each has its own folder for results.

set -eu
cd "$(dirname "$0")/.."
root=$PWD
export PYTHONDONTWRITEBYTECODE=1

passed=0
failed=0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

say() { printf '== %s\n' "$*"; }

# add PASSED FAILED
add()
{
    passed=$((passed + $1))
    failed=$((failed + $2))
}

# add_junit FILE: adds the counts of a JUnit report; without a report, one failure
add_junit()
{
    local counts
    counts=$(/usr/bin/python3 - "$1" <<'END'
import sys
import xml.etree.ElementTree as tree

suites = list(tree.parse(sys.argv[1]).getroot().iter("testsuite"))
total, bad, skipped = (sum(int(s.get(k) or 0) for s in suites for k in keys)
                       for keys in (("tests",), ("failures", "errors"), ("skipped", "disabled")))
print(total - bad - skipped, bad)
END
) || counts='0 1'
    # shellcheck disable=SC2086 # two numbers
    add $counts
}

# nothing_found WHAT: a part without tests is a failure, not a success
nothing_found()
{
    say "no $1 found"
    add 0 1
}

# build PRESET [TARGET…]: quiet unless it fails; on a terminal the last line of ninja is shown while it works
build()
{
    local preset=$1 started=$SECONDS log=$results/build-$1.log
    shift
    say "building $preset"
    if ! {
        [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset"
        cmake --build --preset "$preset" ${1:+--target "$@"}
    } >"$log" 2>&1; then
        grep -nE 'error|FAILED|Error' "$log" | head -n 20
        tail -n 30 "$log"
        say "building $preset failed"
        add 0 1
        return 1
    fi
    say "built $preset in $((SECONDS - started)) s"
}

# with_build_lock COMMAND…
with_build_lock()
{
    mkdir -p build
    exec 8>build/.lock
    flock 8
    local rc=0
    "$@" || rc=$?
    exec 8>&-
    return $rc
}

run_unit()
{
    with_build_lock build asan || return 0
    say "unit tests (build/asan)"
    ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1} \
        UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} \
        ctest --test-dir build/asan -j2 --output-on-failure --no-tests=ignore --timeout 120 \
        --output-junit "$results/unit.xml" || true
    grep -qs '<testcase' "$results/unit.xml" || { nothing_found "unit tests"; return 0; }
    add_junit "$results/unit.xml"
}

# run_pytest NAME BUILD [OPTION…]
run_pytest()
{
    local name=$1 build=$2 rc=0
    shift 2
    COFRE_BUILD=$root/$build timeout --foreground -s INT -k 60 "${COFRE_PYTEST_TIMEOUT:-780}" \
        /usr/bin/python3 -m pytest -q -rf --tb=short -p no:cacheprovider --durations=5 \
        --junitxml="$results/$name.xml" tests/integration "$@" || rc=$?
    [ $rc -ne 5 ] || { nothing_found "$name tests"; return 0; }
    if [ $rc -gt 1 ]; then
        say "pytest did not finish (exit $rc)"
        add 0 1
    fi
    [ ! -f "$results/$name.xml" ] || add_junit "$results/$name.xml"
}

run_integration()
{
    with_build_lock build release || return 0
    say "integration tests (build/release)"
    run_pytest integration build/release
    local sanitizer
    for sanitizer in asan tsan; do
        grep -rqs "mark\.$sanitizer" tests/integration || continue
        with_build_lock build $sanitizer cofre-gateway cofre-core cofre || return 0
        say "integration tests marked $sanitizer (build/$sanitizer)"
        run_pytest integration-$sanitizer build/$sanitizer -m $sanitizer
    done
}

# fuzz_one PROGRAM SECONDS: exit 0 when nothing was found
fuzz_one()
{
    local name seeds='' folder
    name=$(basename "$1")
    for folder in "tests/fuzz/corpus/${name%_fuzz}" "tests/fuzz/corpus/$name"; do
        [ ! -d "$folder" ] || seeds=$folder
    done
    mkdir -p "$results/corpus/$name" build/fuzz/crashes
    set -- "$1" "$2" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
        -artifact_prefix="build/fuzz/crashes/$name-"
    [ ! -f "tests/fuzz/${name%_fuzz}.dict" ] || set -- "$@" -dict="tests/fuzz/${name%_fuzz}.dict"
    local program=$1
    shift 2
    if "$program" "$@" "$results/corpus/$name" ${seeds:+"$seeds"} >"$results/$name.log" 2>&1; then
        printf 'ok    %s%s\n' "$name" "${seeds:+, $(find "$seeds" -type f | wc -l) seeds}"
    else
        printf 'FAIL  %s (input in build/fuzz/crashes)\n' "$name"
        tail -n 40 "$results/$name.log"
        return 1
    fi
}

run_fuzz()
{
    with_build_lock build fuzz || return 0
    local seconds=${COFRE_FUZZ_SECONDS:-10} program first second
    say "fuzzing, $seconds s each (build/fuzz)"
    set --
    for program in build/fuzz/tests/fuzz/*_fuzz; do
        [ ! -x "$program" ] || set -- "$@" "$program"
    done
    [ $# -gt 0 ] || nothing_found "fuzz targets"
    # two at a time
    while [ $# -gt 0 ]; do
        fuzz_one "$1" "$seconds" &
        first=$!
        second=
        if [ $# -gt 1 ]; then
            fuzz_one "$2" "$seconds" &
            second=$!
            shift
        fi
        shift
        if wait "$first"; then add 1 0; else add 0 1; fi
        if [ -n "$second" ]; then
            if wait "$second"; then add 1 0; else add 0 1; fi
        fi
    done
}

run_suite()
{
    with_build_lock build release || return 0
    say "Redis's own test suite (build/release)"
    local log=$results/suite.log counts
    COFRE_BUILD=build/release tests/redis_suite.sh 2>&1 | tee "$log" || true
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1)
    # shellcheck disable=SC2086 # two numbers
    add ${counts:-0 1}
}

[ $# -gt 0 ] || set -- unit integration fuzz
for part in "$@"; do
    case $part in
    unit | integration | fuzz | suite) ;;
    -h | --help) sed -n '2,13s/^# \{0,1\}//p' tests/run.sh; exit 0 ;;
    *) echo "tests/run.sh: no part '$part'; there are unit, integration, fuzz and suite" >&2; exit 2 ;;
    esac
done

third_party/install.sh --tests
for part in "$@"; do
    "run_$part"
done

say "took $((SECONDS / 60)) min $((SECONDS % 60)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
