/*
 * pubsub: SUBSCRIBE and its kin, PUBLISH, PUBSUB. Who listens to what is in core/pubsub.h; each name of a SUBSCRIBE is
 * answered by itself.
 */
#include "commands/commands.h"
#include "core.h"
#include "session.h"

#include <stdlib.h>

/* What a kind of subscription is called in replies. */
static const struct words {
    const char *subscribe;
    const char *unsubscribe;
} words[PUBSUB_KINDS] = {
    [PUBSUB_CHANNEL] = { "subscribe", "unsubscribe" },
    [PUBSUB_PATTERN] = { "psubscribe", "punsubscribe" },
    [PUBSUB_SHARD] = { "ssubscribe", "sunsubscribe" },
};

/* count_shown: channels and patterns are counted together, shard channels apart. */
static size_t count_shown(const struct session *s, enum pubsub_kind kind)
{
    const struct subscriber *own = session_subscriber(s);
    return kind == PUBSUB_SHARD ? own->count[PUBSUB_SHARD]
                                : own->count[PUBSUB_CHANNEL] + own->count[PUBSUB_PATTERN];
}

/* reply_change answers for one name; a name without address is none. */
static void reply_change(struct call *call, const char *word, enum pubsub_kind kind,
                         struct slice name)
{
    resp_push(call->reply, 3);
    resp_bulk_text(call->reply, word);
    if (name.p != NULL) {
        resp_bulk(call->reply, name);
    } else {
        resp_null(call->reply);
    }
    resp_int(call->reply, (int64_t)count_shown(call->session, kind));
}

/* --- SUBSCRIBE PSUBSCRIBE SSUBSCRIBE ------------------------------------------------------- */

static void subscribe(struct call *call, enum pubsub_kind kind)
{
    for (uint32_t i = 1; i < call->argc; i++) {
        (void)session_subscribe(call->session, kind, call->argv[i]); /* once is enough */
        reply_change(call, words[kind].subscribe, kind, call->argv[i]);
    }
}

void run_subscribe(struct call *call)
{
    subscribe(call, PUBSUB_CHANNEL);
}

void run_psubscribe(struct call *call)
{
    subscribe(call, PUBSUB_PATTERN);
}

void run_ssubscribe(struct call *call)
{
    if (call->in_multi) {
        resp_error(call->reply, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
        return;
    }
    subscribe(call, PUBSUB_SHARD);
}

/* --- UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE ------------------------------------------------- */

static void unsubscribe_one(struct call *call, enum pubsub_kind kind, struct slice name)
{
    (void)session_unsubscribe(call->session, kind, name); /* there may be nothing to take away */
    reply_change(call, words[kind].unsubscribe, kind, name);
}

static void unsubscribe_all(struct call *call, enum pubsub_kind kind)
{
    struct slice name;
    bool any = false;
    while (pubsub_oldest(session_subscriber(call->session), kind, &name)) {
        struct slice copy = slice_dup(name); /* it goes with the subscription */
        unsubscribe_one(call, kind, copy);
        free((void *)copy.p);
        any = true;
    }
    if (!any) {
        reply_change(call, words[kind].unsubscribe, kind, (struct slice){ NULL, 0 });
    }
}

static void unsubscribe(struct call *call, enum pubsub_kind kind)
{
    if (call->argc == 1) {
        unsubscribe_all(call, kind);
    }
    for (uint32_t i = 1; i < call->argc; i++) {
        unsubscribe_one(call, kind, call->argv[i]);
    }
}

void run_unsubscribe(struct call *call)
{
    unsubscribe(call, PUBSUB_CHANNEL);
}

void run_punsubscribe(struct call *call)
{
    unsubscribe(call, PUBSUB_PATTERN);
}

void run_sunsubscribe(struct call *call)
{
    unsubscribe(call, PUBSUB_SHARD);
}

/* --- PUBLISH SPUBLISH ---------------------------------------------------------------------- */

static void publish(struct call *call, enum pubsub_kind kind)
{
    size_t heard = core_publish(call->core, call->db >> 16, kind, call->argv[1], call->argv[2]);
    resp_int(call->reply, (int64_t)heard);
}

void run_publish(struct call *call)
{
    publish(call, PUBSUB_CHANNEL);
}

void run_spublish(struct call *call)
{
    publish(call, PUBSUB_SHARD);
}

/* --- PUBSUB -------------------------------------------------------------------------------- */

struct listing {
    struct call *call;
    size_t matches;
    bool count_only;
};

static void list_name(void *arg, struct slice name)
{
    struct listing *listing = arg;
    if (listing->call->argc == 3 && !slice_glob(listing->call->argv[2], name, false)) {
        return;
    }
    listing->matches++;
    if (!listing->count_only) {
        resp_bulk(listing->call->reply, name);
    }
}

static void channels(struct call *call, enum pubsub_kind kind)
{
    struct listing listing = { .call = call, .count_only = true };
    if (call->argc > 3) {
        int shown = call->argv[1].len < 128 ? (int)call->argv[1].len : 128;
        resp_error(
            call->reply,
            "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try PUBSUB HELP.",
            shown, (const char *)call->argv[1].p);
        return;
    }
    pubsub_each_topic(core_pubsub(call->core), kind, call->db >> 16, list_name, &listing);
    resp_array(call->reply, listing.matches);
    listing.count_only = false;
    pubsub_each_topic(core_pubsub(call->core), kind, call->db >> 16, list_name, &listing);
}

void run_pubsub_channels(struct call *call)
{
    channels(call, PUBSUB_CHANNEL);
}

void run_pubsub_shardchannels(struct call *call)
{
    channels(call, PUBSUB_SHARD);
}

static void numsub(struct call *call, enum pubsub_kind kind)
{
    resp_array(call->reply, (call->argc - 2) * (size_t)2);
    for (uint32_t i = 2; i < call->argc; i++) {
        resp_bulk(call->reply, call->argv[i]);
        resp_int(call->reply, (int64_t)pubsub_subscribers(core_pubsub(call->core), kind,
                                                          call->db >> 16, call->argv[i]));
    }
}

void run_pubsub_numsub(struct call *call)
{
    numsub(call, PUBSUB_CHANNEL);
}

void run_pubsub_shardnumsub(struct call *call)
{
    numsub(call, PUBSUB_SHARD);
}

void run_pubsub_numpat(struct call *call)
{
    resp_int(call->reply,
             (int64_t)pubsub_topics(core_pubsub(call->core), PUBSUB_PATTERN, call->db >> 16));
}

void run_pubsub_help(struct call *call)
{
    static const char *const lines[] = {
        "CHANNELS [<pattern>]",
        "    Return the channels that have subscribers on this core.",
        "NUMPAT",
        "    Return the number of patterns that have subscribers on this core.",
        "NUMSUB [<channel> ...]",
        "    Return how many subscribers the channels have on this core, patterns not",
        "    counted.",
        "SHARDCHANNELS [<pattern>]",
        "    Return the shard channels that have subscribers on this core.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return how many subscribers the shard channels have on this core.",
    };
    reply_help(call, "PUBSUB", lines, ARRAY_SIZE(lines));
}
