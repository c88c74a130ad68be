/*
 * source: reading at the right moment, and patience with files that are being written. Whether a set is
 * good is said by material_read and by whoever takes it.
 */
#include "files/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "files/watch.h"

enum source_state {
    SOURCE_GOOD,    /* what is there was taken */
    SOURCE_WAITING, /* it is bad, perhaps for a moment only */
    SOURCE_REFUSED, /* it stayed bad, and that was logged */
};

struct source {
    uv_loop_t *loop;
    const struct gateway_options *options;
    source_take *take;
    void *arg;
    struct watch *watch; /* NULL with --watch off */
    uv_timer_t again;
    uint8_t given[SHA256_DIGEST_LENGTH]; /* the set that was last taken */
    bool asked;                          /* and not answered yet */
    enum source_state state;
    uint64_t since; /* that it is bad, on the loop's clock */
    uint64_t pause_ms;
    struct load_error refused; /* what was last logged; empty once a set was good */
};

static void on_good(struct source *s)
{
    if (s->refused.text[0] != '\0') {
        log_event(LOG_INFO, "the files can be used again");
    }
    s->state = SOURCE_GOOD;
    s->asked = false;
    s->refused.text[0] = '\0';
}

static void refuse(struct source *s, const struct load_error *why)
{
    if (s->asked || strcmp(s->refused.text, why->text) != 0) {
        log_event(LOG_ERROR, "reload refused, the former certificates and trust stay in use",
                  LF_STR("reason", why->text));
    }
    s->state = SOURCE_REFUSED;
    s->asked = false;
    s->refused = *why;
}

static void read_now(struct source *s);

static void on_again(uv_timer_t *timer)
{
    read_now(timer->data);
}

/* on_bad gives whoever writes the files time to finish; time may also mend a refused set (its dates). */
static void on_bad(struct source *s, const struct load_error *why)
{
    uint64_t now = uv_now(s->loop);
    if (s->state == SOURCE_GOOD) {
        s->state = SOURCE_WAITING;
        s->since = now;
        s->pause_ms = SOURCE_PAUSE_MS;
        log_event(LOG_DEBUG, "the files cannot be used yet", LF_STR("reason", why->text));
    }
    if (s->state == SOURCE_WAITING && now - s->since < SOURCE_PATIENCE_MS) {
        uv_timer_start(&s->again, on_again, s->pause_ms, 0);
        s->pause_ms = s->pause_ms * 2 < SOURCE_MAX_PAUSE_MS ? s->pause_ms * 2 : SOURCE_MAX_PAUSE_MS;
        return;
    }
    refuse(s, why);
    if (s->watch != NULL) {
        uv_timer_start(&s->again, on_again, WATCH_POLL_MS, 0);
    }
}

/* give reads the set and has it taken, unless that was done before and nobody asked. */
static enum err give(struct source *s, struct load_error *why)
{
    struct material *m;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    enum err err = material_read(s->options, &m, why);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(digest, material_digest(m), sizeof(digest));
    if (!s->asked && memcmp(digest, s->given, sizeof(digest)) == 0) {
        material_free(m);
        return ERR_OK;
    }
    err = s->take(s->arg, m, s->asked, why);
    if (err != ERR_OK) {
        material_free(m);
        return err;
    }
    memcpy(s->given, digest, sizeof(digest));
    return ERR_OK;
}

static void read_now(struct source *s)
{
    struct load_error why;
    uv_update_time(s->loop);
    uv_timer_stop(&s->again);
    if (s->watch != NULL) {
        watch_arm(s->watch);
    }
    if (give(s, &why) == ERR_OK) {
        on_good(s);
    } else {
        on_bad(s, &why);
    }
}

/* be_patient gives a set that was refused its time anew; one that is waited for has its own already. */
static void be_patient(struct source *s)
{
    s->state = s->state == SOURCE_REFUSED ? SOURCE_GOOD : s->state;
}

static void on_changed(void *arg)
{
    be_patient(arg);
    read_now(arg);
}

static struct watch *watch_files(struct source *s)
{
    size_t count = material_paths(s->options, NULL);
    const char **paths = mem_alloc((count + 1) * sizeof(paths[0]));
    material_paths(s->options, paths);
    struct watch *w = watch_new(s->loop, paths, count, WATCH_POLL_MS, on_changed, s);
    free(paths);
    return w;
}

struct source *source_new(uv_loop_t *loop, const struct gateway_options *options,
                          const uint8_t present[SHA256_DIGEST_LENGTH], source_take *take, void *arg)
{
    struct source *s = mem_zalloc(sizeof(*s));
    s->loop = loop;
    s->options = options;
    s->take = take;
    s->arg = arg;
    memcpy(s->given, present, sizeof(s->given));
    uv_timer_init(loop, &s->again);
    s->again.data = s;
    if (options->watch == SWITCH_ON) {
        s->watch = watch_files(s);
        uv_timer_start(&s->again, on_again, 0, 0);
    }
    return s;
}

void source_ask(struct source *s)
{
    s->asked = true;
    be_patient(s);
    read_now(s);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void source_close(struct source *s)
{
    if (s == NULL) {
        return;
    }
    watch_close(s->watch);
    uv_close((uv_handle_t *)&s->again, on_closed);
}
