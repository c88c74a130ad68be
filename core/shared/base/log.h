/*
 * log: lines to standard error, as text or JSON, each written by one write(2).
 * Thread-safe. A line is a message and key=value fields; values are escaped, so bytes
 * from outside cannot forge a line. Never log a key's value or a private key.
 */
#ifndef COFRE_BASE_LOG_H
#define COFRE_BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* The only mutable globals (HOUSE rule 12); set before threads start. */
void log_setup(const char *program, enum log_level level, enum log_format format);
MUST_CHECK enum err log_level_parse(const char *text, enum log_level *out);
MUST_CHECK enum err log_format_parse(const char *text, enum log_format *out);
bool log_enabled(enum log_level level);
/* The level can be changed later, where no other thread logs. */
enum log_level log_level(void);
void log_set_level(enum log_level level);

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_BYTES, LOG_FIELD_INT } kind;
    union {
        const char *text;
        struct slice bytes;
        int64_t number;
    };
};

#define LF_STR(field_name, value) \
    ((struct log_field){ .name = (field_name), .kind = LOG_FIELD_TEXT, .text = (value) })
#define LF_SLICE(field_name, value) \
    ((struct log_field){ .name = (field_name), .kind = LOG_FIELD_BYTES, .bytes = (value) })
#define LF_INT(field_name, value) \
    ((struct log_field){ .name = (field_name), .kind = LOG_FIELD_INT, .number = (int64_t)(value) })

/*
 * log_event(LOG_INFO, "session opened", LF_INT("session", id), LF_SLICE("identity", name));
 * Text: "2026-01-31T12:00:00.000Z info cofre-core: session opened session=7 identity=cn:alice".
 */
#define log_event(level, message, ...)                                                           \
    log_write((level), (message), (const struct log_field[]){ { .name = NULL }, ##__VA_ARGS__ }, \
              sizeof((const struct log_field[]){ { .name = NULL }, ##__VA_ARGS__ }) /            \
                  sizeof(struct log_field))
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

#endif
