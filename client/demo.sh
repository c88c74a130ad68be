#!/usr/bin/env bash
# Cofre on this machine, from nothing: installs, builds, makes certificates, starts a private PostgreSQL, the core and
# the gateway, and runs a command.
#
#   client/demo.sh COMMAND [ARG...]   runs it, as `cofre COMMAND` would (SET greeting hello, help SET, menu …)
#   client/demo.sh                    a prompt on a terminal, otherwise a short tour
#   client/demo.sh tour               the short tour
#   client/demo.sh stop               stops what was started here; the data stays
#
# Everything is under build/demo: logs, certificates, pids, and the database. Where other users cannot enter that folder
# (a clone in root's home), or its path is too long for a Unix socket, the database and the sockets are in a folder of
# their own elsewhere, which build/demo/state points to. As root, core and gateway run as the users cofre-core and
# cofre-gateway, made if missing, and PostgreSQL as postgres; otherwise all three run as you.

set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here%/*}
readonly here root
readonly demo=$root/build/demo
readonly link=$demo/state # points to $state
readonly bin=$root/build/release
readonly longest_state=60 # a Unix socket's path holds 107 bytes
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s\n' "$*" >&2; }
die() { say "demo: $*"; exit 1; }

# ---- steps -------------------------------------------------------------------------------------------------------

# show_seconds TEXT: counts beside it, on a terminal, until it is killed
show_seconds()
{
    local from=$SECONDS
    while sleep 1; do
        printf '\r%-52s %3d s' "$1" $((SECONDS - from)) >&2
    done
}

# step TEXT LOG COMMAND…: one line with its seconds; the output goes to the log, and its end to the screen on failure
step()
{
    local text=$1 log=$demo/$2.log from=$SECONDS rc=0 counter=
    shift 2
    if [[ -t 2 ]]; then
        printf '%-52s' "$text" >&2
        show_seconds "$text" &
        counter=$!
    fi
    "$@" >"$log" 2>&1 </dev/null 9>&- & # in the background, because `set -e` has no effect to the left of ||
    wait $! || rc=$?
    if [[ -n $counter ]]; then
        kill "$counter" 2>/dev/null || true
        wait "$counter" 2>/dev/null || true
        printf '\r' >&2
    fi
    printf '%-52s %3d s\n' "$text" $((SECONDS - from)) >&2
    [[ $rc -eq 0 ]] || fail_with "$log"
}

# fail_with LOG: its end, and where it is
fail_with()
{
    say "demo: that failed; the end of ${1#"$root"/}:"
    tail -n 25 "$1" | sed 's/^/    /' >&2
    exit 1
}

# ---- processes ---------------------------------------------------------------------------------------------------

# started_at PID: when it began, in clock ticks since boot: with the pid, this names a process for good
started_at()
{
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # its fields, behind the name in brackets
    set -- ${stat##*) }
    [[ $1 != Z ]] && printf '%s' "${20}"
}

# is_running NAME: the process recorded under that name is still there, and still the same
is_running()
{
    local pid began
    [[ -r $demo/$1.pid ]] && read -r pid began <"$demo/$1.pid" && [[ $(started_at "$pid") == "$began" ]]
}

# start NAME COMMAND…: in a session of its own, so that Ctrl-C here does not reach it; log and pid in build/demo
start()
{
    local name=$1
    shift
    [[ ! -s $demo/$name.log ]] || mv -f "$demo/$name.log" "$demo/$name.log.before"
    (cd / && exec setsid "$@" >"$demo/$name.log" 2>&1 </dev/null 9>&-) &
    local pid=$! began
    disown "$pid"
    began=$(started_at "$pid") || fail_with "$demo/$name.log"
    printf '%s %s\n' "$pid" "$began" >"$demo/$name.pid"
}

# wait_for NAME COMMAND…: until the command succeeds, as long as the process lives
wait_for()
{
    local name=$1 tries
    shift
    for ((tries = 0; tries < 600; tries++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        is_running "$name" || break
        sleep 0.05
    done
    is_running "$name" || rm -f "$demo/$name.pid"
    fail_with "$demo/$name.log"
}

# is_ready NAME: it has said so
is_ready() { grep -q '\bready\b' "$demo/$1.log"; }

# stop NAME SIGNAL: only the very process that was recorded
stop()
{
    local name=$1 signal=$2 pid tries
    if is_running "$name"; then
        read -r pid _ <"$demo/$name.pid"
        kill -s "$signal" "$pid"
        for ((tries = 0; tries < 600; tries++)); do
            is_running "$name" || break
            sleep 0.05
        done
        ! is_running "$name" || die "$name (pid $pid) did not stop within 30 s; see ${demo#"$root"/}/$name.log"
        say "stopped $name"
    fi
    rm -f "$demo/$name.pid"
}

stop_all()
{
    [[ -d $demo ]] || return 0
    lock
    stop gateway TERM
    stop core TERM
    stop postgres INT
    if state=$(readlink -e "$link"); then
        say "the data stays in $state"
    fi
}

# lock: two calls at once take turns at starting and stopping
lock()
{
    exec 9>"$demo/lock"
    flock 9
}

# ---- who and where -----------------------------------------------------------------------------------------------

ensure_user() { getent passwd "$1" >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin "$1"; }

settle_users()
{
    pg_user=$(id -un) core_user=$pg_user gateway_user=$pg_user
    as_pg=() core_as=() gateway_as=()
    [[ $(id -u) -eq 0 ]] || return 0
    pg_user=postgres core_user=cofre-core gateway_user=cofre-gateway
    ensure_user "$core_user"
    ensure_user "$gateway_user"
    as_pg=(setpriv --reuid postgres --regid postgres --clear-groups --)
    core_as=(--user "$core_user")
    gateway_as=(--user "$gateway_user")
}

# is_open_to_all DIR: every folder on the way to it lets others through
is_open_to_all()
{
    local d=$1
    while [[ $d != / ]]; do
        [[ $(stat -c %A "$d") == *[xt] ]] || return 1
        d=$(dirname "$d")
    done
}

# settle_state: $state is the folder of the database and the sockets
settle_state()
{
    local where=$demo/data
    if state=$(readlink -e "$link"); then
        return
    fi
    if { [[ $(id -u) -eq 0 ]] && ! is_open_to_all "$demo"; } || [[ ${#where} -gt $longest_state ]]; then
        where=/var/tmp/cofre-demo-$(id -u)-$(cksum <<<"$root" | cut -d' ' -f1)
    fi
    mkdir -m 755 "$where" 2>/dev/null || [[ -d $where && ! -L $where && -O $where ]] ||
        die "$where is there, but not a folder of mine: remove it"
    ln -sfn "$where" "$link"
    state=$where
}

# folder NAME OWNER GROUP MODE
folder()
{
    mkdir -p "$state/$1"
    [[ $(id -u) -ne 0 ]] || chown "$2:$3" "$state/$1"
    chmod "$4" "$state/$1"
}

# ---- certificates ------------------------------------------------------------------------------------------------

# certificate KIND NAME: kept as long as it is good
certificate()
{
    openssl x509 -checkend 86400 -noout -in "$demo/certs/$2.crt" 2>/dev/null ||
        "$root/certs/cofre-certs" "$1" "$2" --dir "$demo/certs" --force
}

# The CA's key stays here; the gateway gets its own certificate and key, and the CA's certificate.
make_certificates()
{
    local own=$state/gateway owner=()
    certificate ca ca
    certificate server localhost
    certificate client demo
    certificate self-signed stranger
    folder gateway "$gateway_user" "$gateway_user" 700
    [[ $(id -u) -ne 0 ]] || owner=(-o "$gateway_user" -g "$gateway_user")
    install -m 600 "${owner[@]}" "$demo/certs/localhost.key" "$own/server.key"
    install -m 644 "${owner[@]}" "$demo/certs/localhost.crt" "$own/server.crt"
    install -m 644 "${owner[@]}" "$demo/certs/ca.crt" "$own/ca.crt"
}

# ---- PostgreSQL --------------------------------------------------------------------------------------------------

pg_bin() { printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1; }

# Only the core's user gets in, as cofre_core and to the one database; there is no password, and no other way.
init_postgres()
{
    local data=$state/postgres/data
    cd / # which every user may enter
    folder postgres "$pg_user" "$pg_user" 700
    "${as_pg[@]}" rm -rf "$data.new"
    "${as_pg[@]}" "$(pg_bin)/initdb" -D "$data.new" -U postgres -E UTF8 --locale=C.UTF-8 --auth=reject
    "${as_pg[@]}" tee "$data.new/pg_hba.conf" <<'END'
local all   postgres   peer map=demo
local cofre cofre_core peer map=demo
END
    "${as_pg[@]}" tee "$data.new/pg_ident.conf" <<END
demo $pg_user   postgres
demo $core_user cofre_core
END
    "${as_pg[@]}" tee -a "$data.new/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$state/sql'
log_line_prefix = '%m [%p] %u '
END
    "${as_pg[@]}" mv "$data.new" "$data"
}

pg_is_up() { "${as_pg[@]}" "$(pg_bin)/pg_isready" -q -h "$state/sql" -U postgres -d postgres; }

create_database()
{
    cd /
    local psql=("${as_pg[@]}" "$(pg_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h "$state/sql" -U postgres -d postgres)
    if [[ -z $("${psql[@]}" -At -c "SELECT 1 FROM pg_roles WHERE rolname = 'cofre_core'") ]]; then
        "${psql[@]}" -c "CREATE ROLE cofre_core LOGIN"
    fi
    if [[ -z $("${psql[@]}" -At -c "SELECT 1 FROM pg_database WHERE datname = 'cofre'") ]]; then
        "${psql[@]}" -c "CREATE DATABASE cofre OWNER cofre_core TEMPLATE template0"
    fi
}

start_postgres()
{
    folder sql "$pg_user" "$core_user" 750
    start postgres "${as_pg[@]}" "$(pg_bin)/postgres" -D "$state/postgres/data"
    wait_for postgres pg_is_up
    (create_database)
}

# ---- core and gateway --------------------------------------------------------------------------------------------

conninfo() { printf 'host=%s/sql dbname=cofre user=cofre_core' "$state"; }

create_schema()
{
    "$bin/core/cofre-core" "${core_as[@]}" --gateway-user "$gateway_user" --socket "$state/core/core.sock" \
        --database "$(conninfo)" --create-schema
}

# The gateway's user may enter the folder with the core's socket; whether it may speak, the core decides.
start_core()
{
    start core "$bin/core/cofre-core" "${core_as[@]}" --gateway-user "$gateway_user" \
        --socket "$state/core/core.sock" --database "$(conninfo)"
    wait_for core is_ready core
}

is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port()
{
    local first=${COFRE_PORT:-6380} port
    [[ $first =~ ^[0-9]+$ && $first -gt 0 && $first -le 65535 ]] || first=6380
    for ((port = first; port < first + 100 && port <= 65535; port++)); do
        if ! is_taken "$port"; then
            [[ $port -eq $first ]] || say "port $first is taken, so it is $port"
            printf '%s' "$port"
            return 0
        fi
    done
    die "no free port between $first and $((port - 1))"
}

start_gateway()
{
    local port
    port=$(free_port)
    start gateway "$bin/gateway/cofre-gateway" "${gateway_as[@]}" --listen "127.0.0.1:$port" \
        --core "$state/core/core.sock" --cert "$state/gateway/server.crt" --key "$state/gateway/server.key" \
        --client-ca "$state/gateway/ca.crt"
    wait_for gateway is_ready gateway
    printf 'export COFRE_HOST=127.0.0.1 COFRE_PORT=%s\n' "$port" >"$demo/env"
    printf 'export COFRE_%s=%q\n' CERT "$demo/certs/demo.crt" KEY "$demo/certs/demo.key" CACERT "$demo/certs/ca.crt" \
        >>"$demo/env"
}

# is_served: the gateway's workers, one for each CPU, find a new core one after the other
is_served()
{
    local i
    for ((i = 4 * $(nproc); i > 0; i--)); do
        "$bin/client/cofre" PING || return 1
    done
}

# ---- all of it ---------------------------------------------------------------------------------------------------

build()
{
    cd "$root"
    exec 8>build/.lock # as tests/run.sh: two builds in one tree take turns
    flock 8
    [[ -f build/release/build.ninja ]] || cmake --preset release
    cmake --build --preset release
}

is_up() { [[ -r $demo/env ]] && is_running gateway && is_running core && is_running postgres; }

bring_up()
{
    mkdir -p "$demo"
    lock
    ! is_up || return 0
    step "installing what is missing, building BoringSSL" install "$root/third_party/install.sh"
    step "building Cofre" build build
    settle_users
    settle_state
    step "making certificates" certs make_certificates
    if [[ ! -d $state/postgres/data ]]; then
        step "making a database" initdb init_postgres
    fi
    folder core "$core_user" "$gateway_user" 750
    is_running postgres || start_postgres
    if ! is_running core; then
        step "making the tables" schema create_schema
        start_core
    fi
    if ! is_running gateway || [[ ! -r $demo/env ]]; then
        stop gateway TERM
        start_gateway
    fi
    exec 9>&-
    # shellcheck source=/dev/null
    . "$demo/env"
    wait_for gateway is_served
    say "cofre is up on $COFRE_HOST:$COFRE_PORT; \`client/demo.sh stop\` stops it"
}

# show COMMAND…: with its output, as if it had been typed
show()
{
    # shellcheck disable=SC2016 # a dollar, as a shell shows it
    printf '$ cofre'
    printf ' %q' "$@"
    printf '\n'
    "$bin/client/cofre" --no-raw "$@" </dev/null 2>&1 || true
}

tour()
{
    export LC_ALL=C.UTF-8
    show SET greeting olá
    show GET greeting
    show INCR visits
    show SET session:42 open EX 60
    show TTL session:42
    show FIND '%ol_%'
    show CLIENT INFO
    printf '\nA stranger, with a certificate of his own making:\n'
    show --cert "$demo/certs/stranger.crt" --key "$demo/certs/stranger.key" GET greeting
    printf '\nNext: client/demo.sh on a terminal opens a prompt; client/demo.sh menu is a guided menu.\n'
}

main()
{
    if [[ ${1:-} == stop && $# -eq 1 ]]; then
        stop_all
        return
    fi
    is_up || bring_up
    # shellcheck source=/dev/null
    . "$demo/env"
    if [[ $# -eq 0 && ! (-t 0 && -t 1) ]] || [[ ${1:-} == tour && $# -eq 1 ]]; then
        tour
    else
        exec "$bin/client/cofre" "$@"
    fi
}

main "$@"
