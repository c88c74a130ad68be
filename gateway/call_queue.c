/*
 * call_queue: a list under a lock, and uv_async to wake the loop. It serves the rare word between threads;
 * nothing on the way of a request goes through it.
 */
#include "call_queue.h"

static void take_all(struct call_queue *q)
{
    uv_mutex_lock(&q->lock);
    struct call *c = q->first;
    q->first = NULL;
    q->last = &q->first;
    uv_mutex_unlock(&q->lock);
    while (c != NULL) {
        struct call *next = c->next;
        q->take(q->arg, c);
        c = next;
    }
}

static void on_wake(uv_async_t *handle)
{
    take_all(handle->data);
}

void call_queue_init(struct call_queue *q, uv_loop_t *loop, void (*take)(void *arg, struct call *c),
                     void *arg)
{
    *q = (struct call_queue){ .take = take, .arg = arg };
    q->last = &q->first;
    uv_mutex_init(&q->lock);
    uv_async_init(loop, &q->wake, on_wake);
    q->wake.data = q;
}

bool call_queue_push(struct call_queue *q, struct call *c)
{
    uv_mutex_lock(&q->lock);
    bool open = !q->closed;
    if (open) {
        c->next = NULL;
        *q->last = c;
        q->last = &c->next;
        uv_async_send(&q->wake);
    }
    uv_mutex_unlock(&q->lock);
    return open;
}

void call_queue_close(struct call_queue *q)
{
    uv_mutex_lock(&q->lock);
    bool was_open = !q->closed;
    q->closed = true;
    uv_mutex_unlock(&q->lock);
    take_all(q);
    if (was_open) {
        uv_close((uv_handle_t *)&q->wake, NULL);
    }
}

void call_queue_release(struct call_queue *q)
{
    uv_mutex_destroy(&q->lock);
}
