/*
 * ranges: commands on a part of a value: APPEND, STRLEN, GETRANGE, SETRANGE.
 */
#include "commands/commands.h"

#include <string.h>

void run_strlen(struct call *call)
{
    const struct entry *e = call_read(call, 1);
    resp_int(call->reply, e == NULL ? 0 : (int64_t)e->length);
}

/* write_at puts bytes at an offset of the value, which grows with zeros as far as needed; declares it, replies the length. */
static void write_at(struct call *call, struct entry *e, uint64_t offset, struct slice bytes,
                     const char *event)
{
    size_t old = e != NULL ? e->length : 0;
    size_t end = (size_t)offset + bytes.len;
    size_t length = end > old ? end : old;
    if (!call_value_fits(call, length)) {
        return;
    }
    uint8_t *p = call_edit(call, 1, e, length);
    memcpy(p + offset, bytes.p, bytes.len);
    call_event(call, EVENT_STRING, event, call->argv[1]);
    resp_int(call->reply, (int64_t)length);
}

void run_append(struct call *call)
{
    struct entry *e = call_find(call, 1);
    struct slice bytes = call->argv[2];
    if (e == NULL) {
        if (call_value_fits(call, bytes.len)) {
            ws_put(call->ws, call->db, call->argv[1], bytes, 0);
            call_event(call, EVENT_STRING, "append", call->argv[1]);
            resp_int(call->reply, (int64_t)bytes.len);
        }
        return;
    }
    if (bytes.len == 0) {
        call_event(call, EVENT_STRING, "append",
                   call->argv[1]); /* Redis tells of it all the same */
        resp_int(call->reply, (int64_t)e->length);
        return;
    }
    write_at(call, e, e->length, bytes, "append");
}

void run_setrange(struct call *call)
{
    int64_t offset = 0;
    if (!call_i64(call, 2, &offset)) {
        return;
    }
    if (offset < 0) {
        resp_error(call->reply, "ERR offset is out of range");
        return;
    }
    struct entry *e = call_find(call, 1);
    struct slice bytes = call->argv[3];
    if (bytes.len == 0) {
        resp_int(call->reply, e == NULL ? 0 : (int64_t)e->length);
        return;
    }
    if (call_value_fits(call, (uint64_t)offset + bytes.len)) {
        write_at(call, e, (uint64_t)offset, bytes, "setrange");
    }
}

/* clamp turns an index that may count from the end into one from the start. */
static int64_t clamp(int64_t index, int64_t length)
{
    if (index < 0) {
        index += length;
    }
    return index < 0 ? 0 : index;
}

void run_getrange(struct call *call)
{
    int64_t start = 0;
    int64_t end = 0;
    if (!call_i64(call, 2, &start) || !call_i64(call, 3, &end)) {
        return;
    }
    const struct entry *e = call_read(call, 1);
    struct slice range = { (const uint8_t *)"", 0 };
    bool backwards = start < 0 && end < 0 && start > end;
    if (e != NULL && e->value.len > 0 && !backwards) {
        int64_t length = (int64_t)e->value.len;
        start = clamp(start, length);
        end = clamp(end, length);
        end = end < length ? end : length - 1;
        if (start <= end) {
            range = (struct slice){ e->value.p + start, (size_t)(end - start + 1) };
        }
    }
    resp_bulk(call->reply, range);
}
