/*
 * client_hello_fuzz: what the look says must not depend on how the bytes came: once it has said something,
 * more bytes change nothing.
 */
#include <stdlib.h>

#include "arrivals/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum client_hello whole = client_hello_peek((struct slice){ data, size });
    for (size_t len = 0; len < size; len++) {
        enum client_hello part = client_hello_peek((struct slice){ data, len });
        if (part != CLIENT_HELLO_NEED_MORE && part != whole) {
            abort();
        }
    }
    return 0;
}
