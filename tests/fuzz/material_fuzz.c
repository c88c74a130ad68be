/*
 * material_fuzz: material as it comes over a socket, for a gateway with one certificate, CA, pin and list,
 * and what is then loaded from it. What is taken must come back the same.
 */
#include <stdlib.h>

#include "base/log.h"
#include "tls/tls_pair.h"
#include "trust/tls_trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const struct gateway_options *o, const struct material *m)
{
    struct tls_pair pair;
    struct tls_trust *trust;
    struct load_error why;
    if (tls_pair_load(m, 0, &pair, &why) == ERR_OK) {
        tls_pair_release(&pair);
    }
    if (tls_trust_load(o, m, &trust, &why) == ERR_OK) {
        tls_trust_free(trust);
    }
}

static void must_come_back(const struct gateway_options *o, const struct material *m)
{
    struct buf again;
    struct material *twin;
    buf_init(&again, MATERIAL_MAX_BYTES);
    material_encode(m, &again);
    if (material_decode(o, buf_slice(&again), &twin) != ERR_OK ||
        memcmp(material_digest(m), material_digest(twin), SHA256_DIGEST_LENGTH) != 0) {
        abort();
    }
    material_free(twin);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *paths[] = { "file" };
    static const struct option_list one = { paths, 1 };
    const struct gateway_options o = {
        .cert = one, .client_ca = one, .client_pin = one, .crl = one
    };
    struct material *m;
    log_setup("fuzz", LOG_ERROR, LOG_TEXT);
    if (material_decode(&o, (struct slice){ data, size }, &m) == ERR_OK) {
        must_come_back(&o, m);
        load(&o, m);
        material_free(m);
    }
    return 0;
}
