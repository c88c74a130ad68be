"""What an ACL allows, as rows: rules, who the client is, a command, and the outcome.

An outcome is "" (allowed), "get" (may not run that command), "~k" (may not touch that key), "#1" (may not use that
database), or "off" (is not let in at all).
"""

ADMIN = "user cn:admin on ~* &* +@all"

# name of a client → options of cofre-certs: the identities of these rows
CLIENTS = {
    "worker": [],                                                         # cn:worker
    "web": ["--uri", "spiffe://prod/web"],                                # uri:spiffe://prod/web
    "db": ["--uri", "spiffe://prod/db"],                                  # uri:spiffe://prod/db
    "pretender": ["--subject", "/CN=uri:spiffe:\\/\\/prod\\/web"],        # cn:uri:spiffe://prod/web
    "like-a-uri": ["--subject", "/CN=spiffe:\\/\\/prod\\/web"],                # cn:spiffe://prod/web
    "host": ["--dns", "web.internal"],                                    # dns:web.internal
    "mail": ["--email", "ops@example.org"],                               # email:ops@example.org
    "spaced": ["--subject", "/CN=Andrei Silva"],                          # cn:Andrei Silva
    "star": ["--subject", "/CN=*"],                                       # cn:*
}

# lines of an ACL → client → "command → outcome" lines
ROWS = {
    # --- commands -------------------------------------------------------------------------------------------------
    "user cn:worker on ~* &* +@all": {"worker": """
        GET k →
        SET k v →
        DEL k →
        KEYS * →
        CONFIG GET databases →
        ACL LIST →
        FLUSHDB →
        """},
    "user cn:worker on ~* +get +set +select|1": {"worker": """
        GET k →
        get k →
        SET k v →
        SETNX k v → setnx
        DEL k → del
        MGET k → mget
        PING → ping
        SELECT 1 →
        SELECT 0 → select
        CONFIG GET x → config|get
        ACL WHOAMI → acl|whoami
        MULTI → multi
        HELLO →
        AUTH cn:worker x →
        """},
    "user cn:worker on ~* +@all -@write -@dangerous -client": {"worker": """
        GET k →
        TTL k →
        STRLEN k →
        SET k v → set
        INCR k → incr
        SETBIT k 0 1 → setbit
        PFADD k a → pfadd
        DEL k → del
        EXPIRE k 1 → expire
        GETDEL k → getdel
        GETEX k → getex
        FLUSHALL → flushall
        KEYS * → keys
        INFO → info
        CONFIG GET x → config|get
        ACL SETUSER cn:worker +@all → acl|setuser
        ACL DELUSER cn:admin → acl|deluser
        ACL WHOAMI →
        ACL CAT →
        CLIENT ID → client|id
        SCAN 0 →
        DBSIZE →
        """},
    "user cn:worker on ~* +@read +@connection -ping +config|get +acl -acl|setuser": {"worker": """
        GET k →
        BITCOUNT k →
        LCS a b →
        PFCOUNT k →
        ECHO x →
        PING → ping
        SET k v → set
        CONFIG GET databases →
        CONFIG HELP → config|help
        ACL LIST →
        ACL SETUSER x → acl|setuser
        COMMAND COUNT →
        TIME → time
        WATCH k → watch
        """},
    # --- keys -------------------------------------------------------------------------------------------------------
    "user cn:worker on ~app:* ~shared +@all": {"worker": """
        SET app:1 v →
        GET app:1 →
        GET shared →
        GET other → ~other
        GET app → ~app
        GET xapp:1 → ~xapp:1
        MGET app:1 app:2 shared →
        MGET app:1 other → ~other
        MSET app:1 v other v → ~other
        DEL app:1 other → ~other
        RENAME app:2 other → ~other
        COPY other app:1 → ~other
        EXISTS other → ~other
        WATCH other → ~other
        BITOP AND app:1 shared other → ~other
        PFMERGE app:3 other → ~other
        DBSIZE →
        SCAN 0 →
        PING →
        """},
    "user cn:worker on %R~r* %W~w* ~b* +@all": {"worker": """
        GET r →
        GET w → ~w
        GET b →
        SET r v → ~r
        SET w v →
        SET w v EX 100 →
        SET w v GET → ~w
        SET b v GET →
        SETNX w v →
        SETEX w 100 v →
        MSET w1 v b1 v →
        MSETNX r1 v → ~r1
        APPEND w v →
        SETRANGE w 0 v →
        GETRANGE w 0 1 → ~w
        INCR b2 →
        INCR w2 → ~w2
        INCR r2 → ~r2
        GETSET w v → ~w
        GETSET b v →
        GETDEL r → ~r
        DEL w →
        UNLINK r → ~r
        EXPIRE w 1 →
        EXPIRE r 1 → ~r
        TTL r →
        TTL w → ~w
        EXISTS r w b →
        TYPE w →
        STRLEN w →
        TOUCH w →
        TOUCH none → ~none
        COPY r w REPLACE →
        COPY w r → ~w
        COPY r r2 → ~r2
        RENAME r w → ~r
        BITFIELD r GET u4 0 →
        BITFIELD r SET u4 0 1 → ~r
        BITFIELD w SET u4 0 1 → ~w
        BITFIELD b3 INCRBY u4 0 1 →
        SETBIT w 0 1 → ~w
        GETBIT r 0 →
        BITOP NOT w r →
        BITOP NOT r w → ~r
        PFADD w3 a →
        PFCOUNT r4 →
        PFCOUNT w3 → ~w3
        LCS r b →
        LCS r w → ~w
        """},
    # --- selectors --------------------------------------------------------------------------------------------------
    "user cn:worker on (+@write ~write::*) (+@read ~read::*)": {"worker": """
        PING → ping
        SET write::x v →
        GET read::x →
        GET write::x → ~write::x
        SET read::x v → ~read::x
        COPY read::x write::y → ~read::x
        """},
    "user cn:worker on +mget ~key (+mget ~key ~otherkey) (+get ~*)": {"worker": """
        MGET key →
        MGET key otherkey →
        MGET otherkey someotherkey → ~someotherkey
        MGET key otherkey someotherkey → ~someotherkey
        GET anything →
        SET key v → set
        """},
    # --- databases --------------------------------------------------------------------------------------------------
    "user cn:worker on ~* &* +@all db=2-3": {"worker": """
        PING →
        GET k → #0
        DBSIZE → #0
        FLUSHDB → #0
        SELECT 1 → #1
        SELECT 2 →
        SELECT 99 → #99
        FLUSHALL → #0
        """},
    "user cn:worker on ~* &* +@all db=0,2": {"worker": """
        GET k →
        COPY a b DB 2 →
        COPY a b DB 1 → #1
        COPY a b REPLACE DB 1 → #1
        SELECT 1 → #1
        FLUSHALL → #1
        FLUSHDB →
        """},
    # --- who is who ---------------------------------------------------------------------------------------------------
    "": {"worker": "PING → off", "web": "PING → off", "star": "PING → off"},
    "user cn:worker off ~* &* +@all": {"worker": "GET k → off"},
    "user worker on ~* &* +@all": {"worker": "GET k → off"},
    "user CN:worker on ~* &* +@all": {"worker": "GET k → off"},
    "user cn:Worker on ~* &* +@all": {"worker": "GET k → off"},
    "user uri:worker on ~* &* +@all": {"worker": "GET k → off"},
    "user default on ~pub:* +get\nuser cn:worker on ~* +set": {
        "worker": "SET k v →\nGET pub:1 → get",
        "web": "GET pub:1 →\nGET k → ~k\nSET pub:1 v → set",
        "host": "GET pub:1 →",
        "mail": "GET pub:1 →",
        "star": "GET pub:1 →",
    },
    "user uri:spiffe://prod/web on ~* +@all": {
        "web": "GET k →",
        "db": "GET k → off",
        "pretender": "GET k → off",
        "like-a-uri": "GET k → off",
    },
    "user uri:* on ~* +@all": {
        "web": "GET k →",
        "db": "GET k →",
        "pretender": "GET k → off",
        "like-a-uri": "GET k → off",
        "host": "GET k → off",
        "worker": "GET k → off",
    },
    "user cn:uri:spiffe://prod/* on ~cn +get\nuser uri:spiffe://prod/* on ~uri +get": {
        "web": "GET uri →\nGET cn → ~cn",
        "pretender": "GET cn →\nGET uri → ~uri",
        "like-a-uri": "GET cn → off",
    },
    "user uri:spiffe://prod/* on ~prod +get\nuser uri:spiffe://prod/web on ~web +get\nuser uri:* on ~any +get": {
        "web": "GET web →\nGET prod → ~prod",
        "db": "GET prod →\nGET any → ~any",
    },
    "user uri:spiffe://*/web on ~a +get\nuser uri:spiffe://prod/* on ~b +get\nuser uri:spiffe://prod/w* on ~c +get": {
        "web": "GET c →\nGET b → ~b",
        "db": "GET b →",
    },
    "user uri:spiffe://prod/* on ~* +get\nuser uri:spiffe://prod/web off": {
        "web": "GET k → off",
        "db": "GET k →",
    },
    "user dns:*.internal on ~dns +get\nuser email:*@example.org on ~email +get\nuser cn:* on ~cn +get": {
        "host": "GET dns →\nGET cn → ~cn",
        "mail": "GET email →\nGET cn → ~cn",
        "worker": "GET cn →\nGET dns → ~dns",
        "web": "GET cn → off",
        "star": "GET cn →",
    },
    "user cn:\\* on ~* +get": {
        "star": "GET k →",
        "worker": "GET k → off",
    },
    "user \"cn:Andrei Silva\" on ~* +get": {
        "spaced": "GET k →\nSET k v → set",
        "worker": "GET k → off",
    },
}


def rows():
    """rows returns (lines, client, [(command, outcome)]) for each client of each ACL."""
    for lines, clients in ROWS.items():
        for client, text in clients.items():
            pairs = [line.split("→") for line in text.strip().splitlines()]
            yield lines, client, [(command.split(), outcome.strip()) for command, outcome in pairs]


def count():
    return sum(len(pairs) for _, _, pairs in rows())


def denial(outcome, identity, lines):
    """denial returns the error text that an outcome stands for; None: allowed."""
    user = f"NOPERM User {identity} "
    if outcome == "off":
        known = any(line.split()[1].strip('"') == identity for line in lines.splitlines())
        return user + ("is turned off" if known else "is not known, and the default user is off")
    if outcome.startswith("~"):
        return user + f"has no permissions to access the '{outcome[1:]}' key"
    if outcome.startswith("#"):
        return user + f"has no permissions to access database {outcome[1:]}"
    return user + f"has no permissions to run the '{outcome}' command" if outcome else None
