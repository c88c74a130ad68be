/*
 * chain_fuzz: a client's certificates, from DER to verdict, peer and path. Against the CA that made the
 * corpus: nothing that was changed may come in. And with the leaf pinned, so that no signature stops one
 * that was changed: all of our own code sees it. Input: u8 what, then for each certificate u16 length, DER.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/log.h"
#include "trust/tls_trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1800000000 };

static const char authority[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBojCCAUegAwIBAgIUC92tDAX2FBM3XAmx8A2F6/fbHJUwCgYIKoZIzj0EAwIw\n"
                                "LDEOMAwGA1UECgwFQ29mcmUxGjAYBgNVBAMMEUNvZnJlIENBIDc5YzNhMzViMCAX\n"
                                "DTI2MTEyNTA5MjAyMloYDzIwODEwODI4MDkyMDIyWjAsMQ4wDAYDVQQKDAVDb2Zy\n"
                                "ZTEaMBgGA1UEAwwRQ29mcmUgQ0EgNzljM2EzNWIwWTATBgcqhkjOPQIBBggqhkjO\n"
                                "PQMBBwNCAAQmCZgAvmYgYfDXgpDsVkZV+7R3rz7gRzZCcBu6efu5OEgs5IYy/JSF\n"
                                "8q4Vdobt+g0nHnTzsNF7QRjM2/H8AAdho0UwQzAdBgNVHQ4EFgQUzuoknnbkx455\n"
                                "7FTjMNVg17QEJ9swEgYDVR0TAQH/BAgwBgEB/wIBAjAOBgNVHQ8BAf8EBAMCAQYw\n"
                                "CgYIKoZIzj0EAwIDSQAwRgIhAOCiDmccYS64VhmV6QkJu6R1++aYO8hnjNJcjHEa\n"
                                "biCpAiEA7G4W5mAPaeIMpgpGHGULpM2qSOFHjVP1/l8LPdCT8IQ=\n"
                                "-----END CERTIFICATE-----\n";

static const struct identity_order order = {
    .kinds = { IDENTITY_URI, IDENTITY_DNS, IDENTITY_EMAIL, IDENTITY_CN },
    .count = 4,
};

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* A trust set of one CA, or of one pin; NULL when its certificate is not to be taken. */
static struct tls_trust *trust_of(const void *pem, size_t len, bool pinned)
{
    char path[64];
    const char *paths[] = { path };
    struct gateway_options o = { .check = true };
    struct material *m;
    struct load_error why;
    struct tls_trust *t = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, pem, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *(pinned ? &o.client_pin : &o.client_ca) = (struct option_list){ paths, 1 };
    if (material_read(&o, &m, &why) == ERR_OK) {
        if (tls_trust_load(&o, m, &t, &why) != ERR_OK) {
            t = NULL;
        }
        material_free(m);
    }
    close(fd);
    return t;
}

static struct tls_trust *trust_of_leaf(const CRYPTO_BUFFER *leaf)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *pem;
    size_t len;
    PEM_write_bio(bio, "CERTIFICATE", "", CRYPTO_BUFFER_data(leaf), (long)CRYPTO_BUFFER_len(leaf));
    must(BIO_mem_contents(bio, &pem, &len) == 1);
    struct tls_trust *t = trust_of(pem, len, true);
    BIO_free(bio);
    return t;
}

/* What every peer must be: named in text, with a path that its own trust set holds. */
static void check_peer(const struct tls_trust *t, const struct tls_trust *other,
                       const struct peer *p, bool pinned)
{
    struct refusal why;
    must(p->identity.len > 3 && slice_is_text(p->identity));
    must(p->path.count > 0 && p->path.count <= TRUST_PATH_MAX && p->path.pinned == pinned);
    must(p->fresh_until <= p->trusted_until && p->trusted_until <= p->not_after);
    must(p->trusted_until >= NOW);
    must(tls_trust_still(t, p, &why) && (!pinned || !tls_trust_still(other, p, &why)));
}

static void judge(const struct tls_trust *t, const struct tls_trust *other,
                  const STACK_OF(CRYPTO_BUFFER) *chain, bool pinned)
{
    struct refusal why;
    struct peer *p = tls_trust_verify(t, &order, chain, NOW, &why);
    must(p != NULL || why.reason[0] != '\0');
    if (p != NULL) {
        check_peer(t, other, p, pinned);
    }
    peer_unref(p);
    must(ERR_peek_error() == 0);
}

static STACK_OF(CRYPTO_BUFFER) *split(struct slice rest)
{
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    while (rest.len >= 2) {
        size_t len = (size_t)(rest.p[0] | rest.p[1] << 8);
        len = len < rest.len - 2 ? len : rest.len - 2;
        sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(rest.p + 2, len, NULL));
        rest = (struct slice){ rest.p + 2 + len, rest.len - 2 - len };
    }
    return chain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_trust *ca;
    if (ca == NULL) {
        log_setup("fuzz", LOG_ERROR, LOG_TEXT);
        ca = trust_of(authority, sizeof(authority) - 1, false);
        must(ca != NULL);
    }
    if (size == 0) {
        return 0;
    }
    STACK_OF(CRYPTO_BUFFER) *chain = split((struct slice){ data + 1, size - 1 });
    if (data[0] & 1 || sk_CRYPTO_BUFFER_num(chain) == 0) {
        judge(ca, ca, chain, false);
    } else {
        struct tls_trust *pin = trust_of_leaf(sk_CRYPTO_BUFFER_value(chain, 0));
        if (pin != NULL) {
            judge(pin, ca, chain, true);
        }
        tls_trust_free(pin);
    }
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
    return 0;
}
