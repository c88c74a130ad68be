#!/usr/bin/env bash
# compare.sh: Cofre beside Debian's redis-server and PostgreSQL alone, in one run on this machine; see README.md.
# Starts and stops everything itself. Options are compare.py's: --quick, --rounds N, --out DIR.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in redis-server redis-benchmark openssl setpriv; do
    command -v "$tool" >/dev/null || { echo "compare.sh: $tool is missing: run third_party/install.sh" >&2; exit 2; }
done
build=${COFRE_BUILD:-build/release}
for program in gateway/cofre-gateway core/cofre-core; do
    [[ -x $build/$program ]] || { echo "compare.sh: no $build/$program: build it first" >&2; exit 2; }
done
exec /usr/bin/python3 tests/bench/compare.py "$@"
