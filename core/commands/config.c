/*
 * config: CONFIG GET, SET, RESETSTAT, REWRITE. SET is all or nothing: everything is checked before anything is set, and what
 * was checked cannot fail.
 */
#include "commands/config.h"
#include "commands/commands.h"
#include "core.h"
#include "telemetry.h"

#include <inttypes.h>
#include <stdio.h>

enum { VALUE_MAX = 4096 };

/* number_of is where a parameter's number is kept. */
static int64_t *number_of(struct core *core, const struct parameter *p)
{
    uint8_t *base = p->place == PLACE_SETTINGS ? (uint8_t *)&core_telemetry(core)->settings
                                               : (uint8_t *)core_changeable(core);
    return (int64_t *)(void *)(base + p->offset);
}

static void get_value(struct call *call, const struct parameter *p, struct buf *out)
{
    if (p->text != NULL) {
        buf_printf(out, "%s", p->text);
    } else if (p->get != NULL) {
        p->get(call, out);
    } else if (p->kind == PARAM_BOOL) {
        buf_printf(out, "%s", *number_of(call->core, p) != 0 ? "yes" : "no");
    } else {
        buf_printf(out, "%" PRId64, *number_of(call->core, p));
    }
}

/* --- GET -------------------------------------------------------------------------------------- */

/* asked returns the argument that matches, 0 for none: a parameter that several match is given once. */
static uint32_t asked(const struct call *call, const struct parameter *parameter)
{
    for (uint32_t i = 2; i < call->argc; i++) {
        if (slice_glob(call->argv[i], slice_of(parameter->name), true)) {
            return i;
        }
    }
    return 0;
}

/* reply_parameter: a name that was spelled out comes back as it was spelled, in whatever case. */
static void reply_parameter(struct call *call, const struct parameter *parameter, uint32_t arg)
{
    struct slice name = slice_of(parameter->name);
    struct buf value;
    buf_init(&value, VALUE_MAX);
    get_value(call, parameter, &value);
    resp_bulk(call->reply, slice_eq_nocase(call->argv[arg], name) ? call->argv[arg] : name);
    resp_bulk(call->reply, buf_slice(&value));
    buf_release(&value);
}

void run_config_get(struct call *call)
{
    size_t count = 0;
    for (size_t i = 0; i < config_parameter_count; i++) {
        count += asked(call, &config_parameters[i]) != 0;
    }
    resp_map(call->reply, count);
    for (size_t i = 0; i < config_parameter_count; i++) {
        uint32_t arg = asked(call, &config_parameters[i]);
        if (arg != 0) {
            reply_parameter(call, &config_parameters[i], arg);
        }
    }
}

/* --- SET -------------------------------------------------------------------------------------- */

enum { WHY_MAX = 400 };

static const struct parameter *find(struct slice name)
{
    for (size_t i = 0; i < config_parameter_count; i++) {
        if (slice_eq_nocase(name, slice_of(config_parameters[i].name))) {
            return &config_parameters[i];
        }
    }
    return NULL;
}

static void reply_failed(struct call *call, struct slice name, const char *why)
{
    resp_error(call->reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
               (int)name.len, (const char *)name.p, why);
}

/* names_ok is the first pass, over the names alone: known, may be set, none twice. */
static bool names_ok(struct call *call)
{
    for (uint32_t i = 2; i < call->argc; i += 2) {
        const struct parameter *p = find(call->argv[i]);
        const char *why = NULL;
        if (p == NULL) {
            const int shown = call->argv[i].len < 128 ? (int)call->argv[i].len : 128;
            resp_error(call->reply,
                       "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'", shown,
                       (const char *)call->argv[i].p);
            return false;
        }
        why = (p->flags & PARAM_IMMUTABLE) != 0   ? "can't set immutable config"
              : (p->flags & PARAM_PROTECTED) != 0 ? "can't set protected config"
                                                  : NULL;
        for (uint32_t before = 2; before < i && why == NULL; before += 2) {
            why = find(call->argv[before]) == p ? "duplicate parameter" : NULL;
        }
        if (why != NULL) {
            reply_failed(call, call->argv[i], why); /* as it was spelled */
            return false;
        }
    }
    return true;
}

/* is_choice looks for a word in "one, two, three". */
static bool is_choice(const char *choices, struct slice word)
{
    const char *at = choices;
    while (*at != '\0') {
        const size_t length = strcspn(at, ",");
        if (slice_eq_nocase(word, (struct slice){ (const uint8_t *)at, length })) {
            return true;
        }
        at += length + strspn(at + length, ", ");
    }
    return false;
}

static bool number_ok(const struct parameter *p, struct slice value, int64_t *n, char why[WHY_MAX])
{
    if (p->kind == PARAM_BYTES && !config_memory(value, n)) {
        snprintf(why, WHY_MAX, "argument must be a memory value");
        return false;
    }
    if (p->kind == PARAM_NUMBER && slice_to_i64(value, n) != ERR_OK) {
        snprintf(why, WHY_MAX, "argument couldn't be parsed into an integer");
        return false;
    }
    if (p->place != PLACE_NONE && (*n < p->min || *n > p->max)) {
        snprintf(why, WHY_MAX, "argument must be between %" PRId64 " and %" PRId64 " inclusive",
                 p->min, p->max);
        return false;
    }
    return true;
}

/* form_ok: the value has the form that the kind asks for; *n is its number, where it has one. */
static bool form_ok(const struct parameter *p, struct slice value, int64_t *n, char why[WHY_MAX])
{
    switch (p->kind) {
    case PARAM_BOOL:
        *n = slice_eq_nocase(value, SLICE("yes"));
        if (*n == 0 && !slice_eq_nocase(value, SLICE("no"))) {
            snprintf(why, WHY_MAX, "argument must be 'yes' or 'no'");
            return false;
        }
        return true;
    case PARAM_CHOICE:
        if (!is_choice(p->choices, value)) {
            snprintf(why, WHY_MAX, "argument(s) must be one of the following: %s", p->choices);
            return false;
        }
        return true;
    case PARAM_NUMBER:
    case PARAM_BYTES:
        return number_ok(p, value, n, why);
    case PARAM_TEXT:
        break;
    }
    return true;
}

/* is_present: a value that cannot be changed may be set to what it is. */
static bool is_present(struct call *call, const struct parameter *p, struct slice value, int64_t n,
                       char why[WHY_MAX])
{
    struct buf now;
    int64_t number = 0;
    buf_init(&now, VALUE_MAX);
    get_value(call, p, &now);
    const struct slice text = buf_slice(&now);
    bool same = p->kind == PARAM_TEXT ? slice_eq(text, value) : slice_eq_nocase(text, value);
    if (!same && (p->kind == PARAM_NUMBER || p->kind == PARAM_BYTES)) {
        same = slice_to_i64(text, &number) == ERR_OK && number == n;
    }
    if (!same) {
        snprintf(why, WHY_MAX, "it cannot be changed here, and is '%.*s'", (int)text.len,
                 text.len > 0 ? (const char *)text.p : "");
    }
    buf_release(&now);
    return same;
}

static bool value_ok(struct call *call, const struct parameter *p, struct slice value)
{
    char why[WHY_MAX];
    int64_t n = 0;
    const char *error = NULL;
    if (!form_ok(p, value, &n, why)) {
        error = why;
    } else if ((p->flags & PARAM_SETTABLE) == 0) {
        error = is_present(call, p, value, n, why) ? NULL : why;
    } else if (p->set != NULL) {
        error = p->set(call->core, value, false);
    }
    if (error != NULL) {
        reply_failed(call, slice_of(p->name), error);
    }
    return error == NULL;
}

static void apply(struct call *call, const struct parameter *p, struct slice value)
{
    char why[WHY_MAX];
    int64_t n = 0;
    if ((p->flags & PARAM_SETTABLE) == 0 || !form_ok(p, value, &n, why)) {
        return;
    }
    if (p->set != NULL) {
        (void)p->set(call->core, value, true);
    } else {
        *number_of(call->core, p) = n;
    }
}

void run_config_set(struct call *call)
{
    if (call->argc % 2 != 0) {
        reply_syntax_error(call);
        return;
    }
    if (!names_ok(call)) {
        return;
    }
    for (uint32_t i = 2; i < call->argc; i += 2) {
        if (!value_ok(call, find(call->argv[i]), call->argv[i + 1])) {
            return;
        }
    }
    for (uint32_t i = 2; i < call->argc; i += 2) {
        apply(call, find(call->argv[i]), call->argv[i + 1]);
    }
    core_changed(call->core);
    resp_ok(call->reply);
}

/* --- the others ------------------------------------------------------------------------------- */

void run_config_resetstat(struct call *call)
{
    core_reset_metrics(call->core);
    resp_ok(call->reply);
}

void run_config_rewrite(struct call *call)
{
    resp_error(call->reply,
               "ERR the configuration file is its administrator's and is not written by the "
               "server; what CONFIG SET has changed holds until the core is started again");
}

void run_config_help(struct call *call)
{
    static const char *const lines[] = {
        "GET <pattern> [<pattern> ...]",
        "    The parameters whose names match, and their values.",
        "RESETSTAT",
        "    Begin anew with the counts and times that INFO and LATENCY HISTOGRAM show.",
        "REWRITE",
        "    Not done: the configuration file is its administrator's.",
        "SET <parameter> <value> [<parameter> <value> ...]",
        "    Change parameters until the core is started again: all of them, or none.",
    };
    reply_help(call, "CONFIG", lines, ARRAY_SIZE(lines));
}
