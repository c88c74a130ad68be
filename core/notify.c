/* The letters of notify-keyspace-events: a table, read and written. */
#include "notify.h"

/* In the order in which CONFIG GET gives them. A stands for all of EVENT_ALL. */
static const struct letter {
    char letter;
    uint32_t flags;
} letters[] = {
    { 'A', EVENT_ALL },      { 'g', EVENT_GENERIC },  { '$', EVENT_STRING }, { 'l', EVENT_LIST },
    { 's', EVENT_SET },      { 'h', EVENT_HASH },     { 'z', EVENT_ZSET },   { 'x', EVENT_EXPIRED },
    { 'e', EVENT_EVICTED },  { 't', EVENT_STREAM },   { 'd', EVENT_MODULE }, { 'n', EVENT_NEW },
    { 'K', EVENT_KEYSPACE }, { 'E', EVENT_KEYEVENT }, { 'm', EVENT_MISS },
};

static uint32_t flags_of(uint8_t c)
{
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        if (letters[i].letter == (char)c)
            return letters[i].flags;
    return 0;
}

enum err notify_parse(struct slice text, uint32_t *out)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint32_t one = flags_of(text.p[i]);
        if (one == 0)
            return ERR_INVALID;
        flags |= one;
    }
    *out = flags;
    return ERR_OK;
}

void notify_format(uint32_t flags, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        if ((flags & letters[i].flags) != letters[i].flags)
            continue;
        buf_append(out, &letters[i].letter, 1);
        flags &= ~letters[i].flags; /* what A says is not said again */
    }
}

uint32_t notify_wanted(uint32_t flags)
{
    return flags & EVENT_CHANNELS ? flags & ~(uint32_t)EVENT_CHANNELS : 0;
}
