/* support: a reply from its bytes, for the tests in this folder. */
#ifndef COFRE_TEST_CLIENT_SUPPORT_H
#define COFRE_TEST_CLIENT_SUPPORT_H

#include "reply.h"

/* reply_of reads one whole reply; the caller frees it. NULL when the bytes are not one. */
static inline struct reply *reply_of(const char *resp)
{
    struct reply_reader *r = reply_reader_new();
    struct reply *reply = NULL;
    size_t used = 0;
    (void)reply_read(r, slice_of(resp), &used, &reply);
    reply_reader_free(r);
    return reply;
}

#endif
