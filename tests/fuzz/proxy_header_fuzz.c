/*
 * proxy_header_fuzz: what the parser says must not depend on how the bytes came: each beginning of a header needs more,
 * what follows it changes nothing, and what is wrong stays wrong.
 */
#include <stdlib.h>

#include "arrivals/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right) {
        abort();
    }
}

static enum proxy_status parse(const uint8_t *data, size_t size, size_t *used)
{
    struct proxy_header header;
    const char *why = NULL;
    enum proxy_status status =
        proxy_header_parse((struct slice){ data, size }, &header, used, &why);
    check((status == PROXY_BAD) == (why != NULL));
    if (status == PROXY_READY && header.proxied) {
        check(header.from.ss_family == AF_INET || header.from.ss_family == AF_INET6);
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t used = 0, again = 0;
    enum proxy_status whole = parse(data, size, &used);
    if (whole == PROXY_READY) {
        check(used <= size && used <= PROXY_HEADER_MAX);
        check(parse(data, used, &again) == PROXY_READY && again == used);
    }
    check(whole != PROXY_NEED_MORE || size < PROXY_HEADER_MAX);
    size_t end = whole == PROXY_READY ? used : size;
    for (size_t len = 0; len < end; len++) {
        enum proxy_status part = parse(data, len, &again);
        check(part == PROXY_NEED_MORE || (part == PROXY_BAD && whole == PROXY_BAD));
    }
    (void)proxy_header_begins((struct slice){ data, size });
    return 0;
}
