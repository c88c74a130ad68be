# redis_suite.tcl runs one unit of Redis's own test suite against a server that is there already, in the place of the
# suite's runner, and writes what happens to file descriptor 3. redis_suite.py starts it, in the suite's folder:
#
#   tclsh redis_suite.tcl UNIT HOST PORT TLSDIR REPLY_TIMEOUT_MS SKIPFILE DENIED_TAGS EXTERNAL
#
# The suite's text is used as it is. What is different from its runner:
#   - an error outside a test ends that one statement, not the rest of the block or file, so that it hides no tests
#   - a reply that does not come is an error, not a wait without end
#   - after a failed test, a client that no longer answers in step is replaced, and a pause that the test left is ended
#   - configuration that a block asks for and that the server does not know is reported, and the block runs all the same
#   - with EXTERNAL `run`, blocks that the suite does not run against other servers do run
# Each event is one line `STATUS MILLISECONDS LENGTH` and LENGTH bytes: testing, ok, err, skip, ignore, block, done.

namespace eval suite {
    variable events [open /dev/fd/3 w]
    fconfigure $events -translation binary -buffering full
}

proc suite::event {status text {elapsed 0}} {
    variable events
    set text [encoding convertto utf-8 $text]
    puts -nonewline $events "$status $elapsed [string length $text]\n$text"
    flush $events
}

# ---- blocks of statements ------------------------------------------------------------------------------------------

# attempt evaluates one statement, `level` frames above its caller, and reports an error instead of raising it.
proc suite::attempt {level statement} {
    set code [catch {uplevel [expr {$level + 1}] $statement} result]
    if {$code == 1} {
        event block "[string trim [lindex [split [string trim $statement] "\n"] 0]]\n$::errorInfo"
        mend
        return 0
    }
    return $code
}

# statements evaluates a script so, one statement after the other.
proc suite::statements {level script} {
    set statement ""
    foreach line [split $script "\n"] {
        append statement $line "\n"
        if {![info complete $statement]} {
            continue
        }
        if {[attempt [expr {$level + 1}] $statement] != 0} {
            return
        }
        set statement ""
    }
}

# mend replaces the clients that tests share when they are out of step, in a transaction or cut off, and ends a WATCH.
proc suite::mend {} {
    for {set level 0} {$level > -[llength $::servers]} {incr level -1} {
        if {[catch {list [r $level unwatch] [r $level ping in-step]} replies] || $replies ne "OK in-step"} {
            catch {reconnect $level}
        }
    }
}

# ---- replies with a time limit -------------------------------------------------------------------------------------

# patiently evaluates `step` again and again while the channel is nonblocking, until it returns other than "wait".
proc suite::patiently {fd step} {
    variable patience
    set end [expr {[clock milliseconds] + $patience}]
    fconfigure $fd -blocking 0
    while {[set outcome [uplevel 1 $step]] eq "wait"} {
        if {[clock milliseconds] > $end} {
            catch {close $fd}
            error "no reply within $patience ms"
        }
        set timer [after 20 {set ::suite::woken 1}]
        fileevent $fd readable {set ::suite::woken 1}
        vwait ::suite::woken
        after cancel $timer
        fileevent $fd readable {}
    }
    fconfigure $fd -blocking 1
}

proc suite::gets {fd} {
    set line ""
    patiently $fd {
        expr {[::gets $fd line] >= 0 || [eof $fd] ? "ready" : "wait"}
    }
    return $line
}

proc suite::read {fd length} {
    set data ""
    patiently $fd {
        if {$length < 0} {
            append data [::read $fd]
        } else {
            append data [::read $fd [expr {$length - [string length $data]}]]
        }
        expr {[string length $data] == $length || [eof $fd] ? "ready" : "wait"}
    }
    return $data
}

# limit gives a reading procedure of the suite this limit, where its channel is a blocking one.
proc suite::limit {name ours} {
    rename $name ${name}_unlimited
    proc $name {fd args} [string map [list OURS $ours UNLIMITED ${name}_unlimited] {
        if {![fconfigure $fd -blocking]} {
            return [UNLIMITED $fd {*}$args]
        }
        if {[catch {OURS $fd {*}$args} result]} {
            if {[string match "*connection abort*" $result]} {
                return {}
            }
            error $result
        }
        return $result
    }]
}

# ---- in the place of the suite's own -------------------------------------------------------------------------------

proc suite::replace {} {
    proc ::send_data_packet {fd status data {elapsed 0}} {
        suite::event $status $data $elapsed
        if {$status eq "err"} {
            suite::mend
            catch {r client unpause}
        }
    }

    proc ::run_external_server_test {code overrides} {
        set client [redis $::host $::port 0 $::tls]
        $client select 9
        set config [dict create port $::port]
        lappend ::servers [dict create host $::host port $::port client $client config $config]
        suite::attempt 0 {r flushall}
        suite::attempt 0 {r function flush}
        set saved {}
        foreach {name value} $overrides {
            lappend saved $name [lindex [r config get $name] 1]
            suite::attempt 0 [list r config set $name $value]
        }
        suite::statements 2 $code
        foreach {name value} $saved {
            catch {r config set $name $value}
        }
        [dict get [lpop ::servers] client] close
    }

    proc ::tags {tags code} {
        set before $::tags
        lappend ::tags {*}[string map {\" ""} $tags]
        if {[tags_acceptable $::tags why]} {
            suite::statements 1 $code
        } else {
            suite::event ignore "a block of tests: $why"
        }
        set ::tags $before
    }

    limit ::redis::redis_safe_gets suite::gets
    limit ::redis::redis_safe_read suite::read
}

# run_them_all takes away the mark of blocks that the suite does not run against a server that is there already.
proc suite::run_them_all {} {
    rename ::tags_acceptable ::suite::acceptable
    proc ::tags_acceptable {tags why_return} {
        upvar 1 $why_return why
        return [suite::acceptable [lsearch -all -inline -not -exact $tags external:skip] why]
    }
}

# The suite's helper with its procedures, but not its last part, which starts its runner.
proc suite::load {} {
    set file [open tests/test_helper.tcl]
    set text [::read $file]
    close $file
    uplevel #0 [string range $text 0 [string last "\nif \{\$::client\} \{" $text]]
}

proc suite::main {unit host port tlsdir patience_ms skipfile denied external} {
    variable patience $patience_ms
    set ::argv [list --host $host --port $port --durable --skipfile $skipfile --tags $denied]
    load
    replace
    package require tls
    set ::tls 1
    set ::tlsdir $tlsdir
    ::tls::init -cafile $tlsdir/ca.crt -certfile $tlsdir/client.crt -keyfile $tlsdir/client.key
    set ::external 1
    if {$external eq "run"} {
        run_them_all
    }
    set ::test_server_fd ""
    set ::curfile tests/$unit.tcl
    set file [open $::curfile]
    set text [::read $file]
    close $file
    uplevel #0 [list suite::statements 0 $text]
    event done $unit
}

suite::main {*}$argv
