/*
 * transactions: MULTI, DISCARD, WATCH, UNWATCH. What EXEC does is dispatch's and the turn's; its row is here so
 * that it has an answer without a MULTI.
 */
#include "commands/commands.h"
#include "session.h"

void run_multi(struct call *call)
{
    if (session_in_multi(call->session)) {
        resp_error(call->reply, "ERR MULTI calls can not be nested");
        return;
    }
    session_begin_multi(call->session);
    resp_ok(call->reply);
}

void run_exec(struct call *call)
{
    resp_error(call->reply, "ERR EXEC without MULTI");
}

void run_discard(struct call *call)
{
    if (!session_in_multi(call->session)) {
        resp_error(call->reply, "ERR DISCARD without MULTI");
        return;
    }
    session_discard_multi(call->session);
    resp_ok(call->reply);
}

void needs_watch(const struct call *call)
{
    for (uint32_t i = 1; i < call->argc; i++)
        ws_want(call->ws, call->db, call->argv[i], NEED_META)->exact = true;
}

/* run_watch remembers what the keys are now; EXEC compares it under the turn's locks. */
void run_watch(struct call *call)
{
    if (session_in_multi(call->session)) {
        resp_error(call->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (uint32_t i = 1; i < call->argc; i++) {
        const struct entry *e = call_find(call, i);
        session_watch(call->session, call->db, call->argv[i], e == NULL ? 0 : e->revision);
    }
    resp_ok(call->reply);
}

void run_unwatch(struct call *call)
{
    session_unwatch(call->session);
    resp_ok(call->reply);
}
