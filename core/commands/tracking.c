/*
 * tracking: CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO. What they switch on is done by turns and core/tracking.h.
 */
#include "commands/commands.h"
#include "core.h"
#include "session.h"

#include <stdlib.h>

static uint32_t tracking_flags(const struct call *call)
{
    return session_tracker(call->session)->flags;
}

/* --- CLIENT TRACKING ------------------------------------------------------------------------ */

struct tracking_options {
    uint32_t flags;
    uint64_t redirect;
    struct slice *prefixes; /* room for all arguments */
    size_t prefix_count;
};

static const struct {
    const char *word;
    uint32_t flag;
} option_rows[] = {
    { "bcast", TRACKING_BCAST },
    { "optin", TRACKING_OPTIN },
    { "optout", TRACKING_OPTOUT },
    { "noloop", TRACKING_NOLOOP },
};

static uint32_t option_flag(const struct call *call, uint32_t i)
{
    for (size_t k = 0; k < ARRAY_SIZE(option_rows); k++) {
        if (call_arg_is(call, i, option_rows[k].word)) {
            return option_rows[k].flag;
        }
    }
    return 0;
}

/* read_redirect: clients of other keyspaces do not exist for this one. */
static bool read_redirect(struct call *call, uint32_t i, struct tracking_options *out)
{
    int64_t id = 0;
    if (out->redirect != 0) {
        resp_error(call->reply, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!call_i64(call, i, &id)) {
        return false;
    }
    struct session *s = id > 0 ? core_find_session(call->core, (uint64_t)id) : NULL;
    if (s == NULL || session_vars(s)->keyspace != session_vars(call->session)->keyspace) {
        resp_error(call->reply, "ERR The client ID you want redirect to does not exist");
        return false;
    }
    out->redirect = (uint64_t)id;
    return true;
}

static bool read_options(struct call *call, struct tracking_options *out)
{
    for (uint32_t i = 3; i < call->argc; i++) {
        bool more = i + 1 < call->argc;
        uint32_t flag = option_flag(call, i);
        if (more && call_arg_is(call, i, "redirect")) {
            if (!read_redirect(call, ++i, out)) {
                return false;
            }
        } else if (more && call_arg_is(call, i, "prefix")) {
            out->prefixes[out->prefix_count++] = call->argv[++i];
        } else if (flag != 0) {
            out->flags |= flag;
        } else {
            reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

static bool prefix_alone(uint32_t now, uint32_t asked, size_t prefixes)
{
    (void)now;
    return (asked & TRACKING_BCAST) == 0 && prefixes > 0;
}

static bool other_mode(uint32_t now, uint32_t asked, size_t prefixes)
{
    (void)prefixes;
    return (now & TRACKING_ON) != 0 && ((now ^ asked) & TRACKING_BCAST) != 0;
}

static bool bcast_and_opt(uint32_t now, uint32_t asked, size_t prefixes)
{
    (void)now;
    (void)prefixes;
    return (asked & TRACKING_BCAST) != 0 && (asked & (TRACKING_OPTIN | TRACKING_OPTOUT)) != 0;
}

static bool both_opts(uint32_t now, uint32_t asked, size_t prefixes)
{
    (void)now;
    (void)prefixes;
    return (asked & TRACKING_OPTIN) != 0 && (asked & TRACKING_OPTOUT) != 0;
}

static bool other_opt(uint32_t now, uint32_t asked, size_t prefixes)
{
    (void)prefixes;
    return ((asked & TRACKING_OPTIN) != 0 && (now & TRACKING_OPTOUT) != 0) ||
           ((asked & TRACKING_OPTOUT) != 0 && (now & TRACKING_OPTIN) != 0);
}

/* In this order: what is wrong first is told. `now` is what is switched on, `asked` what is to be. */
static const struct {
    bool (*wrong)(uint32_t now, uint32_t asked, size_t prefixes);
    const char *error;
} rules[] = {
    { prefix_alone, "ERR PREFIX option requires BCAST mode to be enabled" },
    { other_mode,
      "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
      "re-enabling it with a different mode." },
    { bcast_and_opt, "ERR OPTIN and OPTOUT are not compatible with BCAST" },
    { both_opts, "ERR You can't specify both OPTIN mode and OPTOUT mode" },
    { other_opt,
      "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
      "re-enabling it with a different mode." },
};

static bool options_agree(struct call *call, const struct tracking_options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].wrong(tracking_flags(call), options->flags, options->prefix_count)) {
            resp_error(call->reply, "%s", rules[i].error);
            return false;
        }
    }
    return true;
}

static bool prefixes_fit(struct call *call, const struct tracking_options *options)
{
    struct slice one;
    struct slice other;
    bool in_use = false;
    if (!tracking_overlap(session_tracker(call->session), options->prefixes, options->prefix_count,
                          &one, &other, &in_use)) {
        return true;
    }
    resp_error(call->reply,
               "ERR Prefix '%.*s' overlaps with %s '%.*s'. Prefixes for a single client must not "
               "overlap.",
               (int)one.len, (const char *)one.p,
               in_use ? "an existing prefix" : "another provided prefix", (int)other.len,
               (const char *)other.p);
    return false;
}

static void switch_tracking(struct call *call, const struct tracking_options *options)
{
    if (call_arg_is(call, 2, "off")) {
        session_untrack(call->session);
    } else if (!call_arg_is(call, 2, "on")) {
        reply_syntax_error(call);
        return;
    } else if (!options_agree(call, options) || !prefixes_fit(call, options)) {
        return;
    } else {
        session_track(call->session, options->flags, options->redirect, options->prefixes,
                      options->prefix_count);
    }
    resp_ok(call->reply);
}

void run_client_tracking(struct call *call)
{
    struct tracking_options options = { .prefixes = mem_alloc(call->argc * sizeof(struct slice)) };
    if (read_options(call, &options)) {
        switch_tracking(call, &options);
    }
    free(options.prefixes);
}

/* --- CLIENT CACHING GETREDIR TRACKINGINFO ----------------------------------------------------- */

void run_client_caching(struct call *call)
{
    uint32_t flags = tracking_flags(call);
    bool yes = call_arg_is(call, 2, "yes");
    if ((flags & TRACKING_ON) == 0) {
        resp_error(call->reply, "ERR CLIENT CACHING can be called only when the client is in "
                                "tracking mode with OPTIN or OPTOUT mode enabled");
    } else if (!yes && !call_arg_is(call, 2, "no")) {
        reply_syntax_error(call);
    } else if ((flags & (yes ? TRACKING_OPTIN : TRACKING_OPTOUT)) == 0) {
        resp_error(call->reply,
                   "ERR CLIENT CACHING %s is only valid when tracking is enabled in "
                   "%s mode.",
                   yes ? "YES" : "NO", yes ? "OPTIN" : "OPTOUT");
    } else {
        session_tracker(call->session)->flags |= TRACKING_CACHING;
        resp_ok(call->reply);
    }
}

/* redirect_of is -1 without tracking, 0 without redirection. */
static int64_t redirect_of(const struct call *call)
{
    const struct tracker *tracker = session_tracker(call->session);
    return (tracker->flags & TRACKING_ON) != 0 ? (int64_t)tracker->redirect : -1;
}

void run_client_getredir(struct call *call)
{
    resp_int(call->reply, redirect_of(call));
}

/* The words of TRACKINGINFO, in its order; `with` must be on as well, 0: nothing. */
static const struct {
    uint32_t flag;
    uint32_t with;
    const char *word;
} info_rows[] = {
    { TRACKING_ON, 0, "on" },         { TRACKING_BCAST, 0, "bcast" },
    { TRACKING_OPTIN, 0, "optin" },   { TRACKING_CACHING, TRACKING_OPTIN, "caching-yes" },
    { TRACKING_OPTOUT, 0, "optout" }, { TRACKING_CACHING, TRACKING_OPTOUT, "caching-no" },
    { TRACKING_NOLOOP, 0, "noloop" }, { TRACKING_BROKEN, 0, "broken_redirect" },
};

static bool info_holds(uint32_t flags, size_t row)
{
    uint32_t all = info_rows[row].flag | info_rows[row].with;
    return (flags & all) == all;
}

static void reply_flags(struct call *call)
{
    uint32_t flags = tracking_flags(call);
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(info_rows); i++) {
        count += info_holds(flags, i);
    }
    resp_set(call->reply, count > 0 ? count : 1);
    if (count == 0) {
        resp_bulk_text(call->reply, "off");
    }
    for (size_t i = 0; i < ARRAY_SIZE(info_rows); i++) {
        if (info_holds(flags, i)) {
            resp_bulk_text(call->reply, info_rows[i].word);
        }
    }
}

static void reply_prefix(void *arg, struct slice prefix)
{
    resp_bulk(arg, prefix);
}

void run_client_trackinginfo(struct call *call)
{
    const struct tracker *tracker = session_tracker(call->session);
    resp_map(call->reply, 3);
    resp_bulk_text(call->reply, "flags");
    reply_flags(call);
    resp_bulk_text(call->reply, "redirect");
    resp_int(call->reply, redirect_of(call));
    resp_bulk_text(call->reply, "prefixes");
    resp_array(call->reply, tracking_prefixes(tracker));
    tracking_each_prefix(tracker, reply_prefix, call->reply);
}
