/* ACL files: any bytes are refused with a reason, or come to users that are the same when written and read again. */
#include <stdlib.h>

#include "acl/acl.h"

static void ask_around(const struct acl_set *set)
{
    static const struct slice identities[] = { SLICE("cn:alice"), SLICE("uri:spiffe://prod/web"),
                                               SLICE("cn:uri:spiffe://prod/web"), SLICE("cn:*") };
    static const struct slice argv[] = { SLICE("mget"), SLICE("app:1"), SLICE("k") };
    const struct command *mget = command_find(argv[0]);
    for (size_t i = 0; i < ARRAY_SIZE(identities); i++) {
        const struct acl_user *u = acl_set_match(set, identities[i], SLICE("CN=CA"));
        const struct acl_verdict v = acl_check(u, mget, argv, ARRAY_SIZE(argv), (uint32_t)i);
        struct buf text;
        buf_init(&text, SIZE_MAX / 2);
        acl_denial_text(&v, &text);
        buf_release(&text);
    }
}

static void read_back(const struct acl_set *set)
{
    struct acl_set *again = NULL;
    struct acl_faults faults = { NULL, 0 };
    struct buf first;
    struct buf second;
    buf_init(&first, SIZE_MAX / 2);
    buf_init(&second, SIZE_MAX / 2);
    acl_set_text(set, &first);
    if (acl_parse(buf_slice(&first), &again, &faults) != ERR_OK) {
        abort();
    }
    acl_set_text(again, &second);
    if (!slice_eq(buf_slice(&first), buf_slice(&second))) {
        abort();
    }
    acl_set_free(again);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acl_set *set = NULL;
    struct acl_faults faults = { NULL, 0 };
    if (acl_parse((struct slice){ data, size }, &set, &faults) == ERR_OK) {
        ask_around(set);
        read_back(set);
        acl_set_free(set);
    } else if (faults.count == 0) {
        abort();
    }
    acl_faults_release(&faults);
    return 0;
}
