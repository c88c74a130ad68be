/*
 * durability: what Redis's clients ask of copies and disks. A reply here already means that PostgreSQL has the write, and
 * on as many servers as its synchronous_commit says, so these answer at once.
 */
#include "commands/commands.h"

/* timeout_ok checks argument i as Redis does, and then nobody waits; false after an error reply. */
static bool timeout_ok(struct call *call, uint32_t i)
{
    int64_t ms = 0;
    if (slice_to_i64(call->argv[i], &ms) != ERR_OK) {
        resp_error(call->reply, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (ms < 0) {
        resp_error(call->reply, "ERR timeout is negative");
        return false;
    }
    return true;
}

/* run_wait: there are no replicas of ours, so none has acknowledged anything. */
void run_wait(struct call *call)
{
    int64_t replicas = 0;
    if (call_i64(call, 1, &replicas) && timeout_ok(call, 2)) {
        resp_int(call->reply, 0);
    }
}

void run_waitaof(struct call *call)
{
    int64_t local = 0;
    int64_t replicas = 0;
    if (!call_i64(call, 1, &local)) {
        return;
    }
    if (local < 0 || local > 1) {
        resp_error(call->reply, "ERR value is out of range, value must between 0 and 1");
        return;
    }
    if (!call_i64(call, 2, &replicas)) {
        return;
    }
    if (replicas < 0) {
        resp_error(call->reply, "ERR value is out of range, must be positive");
        return;
    }
    if (timeout_ok(call, 3)) {
        resp_array(call->reply, 2);
        resp_int(call->reply, 1);
        resp_int(call->reply, 0);
    }
}

/* run_lastsave: whatever was answered is saved, at any time. */
void run_lastsave(struct call *call)
{
    resp_int(call->reply, call->now_ms / 1000);
}

void run_role(struct call *call)
{
    resp_array(call->reply, 3);
    resp_bulk_text(call->reply, "master");
    resp_int(call->reply, 0);
    resp_array(call->reply, 0);
}
