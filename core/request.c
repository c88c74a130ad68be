/* Requests: decoding once, and the queues they wait in. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

enum { MAX_ARGS = 1024 * 1024 };

struct request *request_new(struct slice payload, uint64_t now_ns)
{
    uint32_t argc = 0;
    if (frame_parse_request(payload, MAX_ARGS, NULL, &argc) != ERR_OK || argc == 0)
        return NULL;
    const size_t table = sizeof(struct request) + argc * sizeof(struct slice);
    struct request *r = mem_alloc(table + payload.len);
    *r = (struct request){ .arrived_ns = now_ns, .size = (uint32_t)payload.len };
    uint8_t *bytes = (uint8_t *)r + table;
    memcpy(bytes, payload.p, payload.len);
    if (frame_parse_request((struct slice){ bytes, payload.len }, argc, r->argv, &r->argc) !=
        ERR_OK) {
        free(r);
        return NULL;
    }
    return r;
}

void request_free(struct request *r)
{
    if (r == NULL)
        return;
    while (r->body) {
        struct request *next = r->body->next;
        free(r->body);
        r->body = next;
    }
    free(r);
}

bool request_follow_select(const struct request *r, int64_t databases, uint32_t *db_number)
{
    int64_t number;
    if (!(r->command->flags & CMD_SELECT) || slice_to_i64(r->argv[1], &number) != ERR_OK ||
        number < 0 || number >= databases)
        return false;
    *db_number = (uint32_t)number;
    return true;
}

static size_t digits(size_t n)
{
    size_t count = 1;
    for (; n >= 10; n /= 10)
        count++;
    return count;
}

size_t request_resp_size(const struct request *r)
{
    size_t size = 1 + digits(r->argc) + 2;
    for (uint32_t i = 0; i < r->argc; i++)
        size += 1 + digits(r->argv[i].len) + 2 + r->argv[i].len + 2;
    return size;
}

void request_push(struct request_list *list, struct request *r)
{
    r->next = NULL;
    if (list->last)
        list->last->next = r;
    else
        list->first = r;
    list->last = r;
    list->count++;
}

struct request *request_pop(struct request_list *list)
{
    struct request *r = list->first;
    if (r == NULL)
        return NULL;
    list->first = r->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    return r;
}

void request_put_back(struct request_list *list, struct request_list *front)
{
    if (front->first == NULL)
        return;
    front->last->next = list->first;
    list->first = front->first;
    if (list->last == NULL)
        list->last = front->last;
    list->count += front->count;
    *front = (struct request_list){ NULL, NULL, 0 };
}

void request_free_all(struct request_list *list)
{
    struct request *r;
    while ((r = request_pop(list)))
        request_free(r);
}
