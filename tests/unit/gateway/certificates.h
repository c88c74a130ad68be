/*
 * certificates: certificates made in memory for the tests, every field as wished.
 */
#ifndef COFRE_GATEWAY_CERTIFICATES_H
#define COFRE_GATEWAY_CERTIFICATES_H

#include "trust/tls_trust.h"

struct wish {
    const char *cn;  /* NULL: none */
    const char *cn2; /* a second one */
    size_t cn_len;   /* of cn, when it holds a NUL */
    const char *san; /* as openssl's configuration writes it, "URI:spiffe://a/b,DNS:c" */
    const char *dns; /* instead of san: one DNS name, of dns_len bytes, whatever they are */
    size_t dns_len;
    const char *usage;       /* extended key usage, "clientAuth" */
    const char *constraints; /* basicConstraints; NULL: as `ca` says */
    const char *unknown;     /* an OID: a critical extension of that kind */
    int ca;                  /* basicConstraints CA:TRUE */
    int key_ids;             /* subject and authority key identifiers */
    int type;                /* of the names' strings, MBSTRING_*; 0: UTF-8 */
    int64_t from, until;     /* seconds from now */
    const char *until_text;  /* instead of until: "99991231235959Z" */
    long serial;
    const uint8_t *serial_bytes; /* instead of serial: a big one */
    size_t serial_len;
    X509 *issuer; /* NULL: self-signed */
    EVP_PKEY *issuer_key;
};

EVP_PKEY *make_key(void);
EVP_PKEY *make_rsa_key(int bits);
X509 *make_certificate(const struct wish *w, EVP_PKEY *key);

struct crl_wish {
    X509 *issuer;
    EVP_PKEY *key;
    long serials[4];     /* up to the first 0 */
    int64_t from, until; /* seconds from now; until 0: in an hour, -1: no nextUpdate */
    int64_t since;       /* when they were revoked, seconds from now */
    int reason;          /* of every entry; 0: none */
    int delta;           /* a delta list */
    int indirect;        /* issuingDistributionPoint with that flag */
    int attributes;      /* the same */
    int users;           /* the same: a list of a part of the certificates */
    const char *unknown; /* an OID: a critical extension of that kind */
    const char *unknown_of_entry;
};

X509_CRL *make_crl(const struct crl_wish *w);

/* What a trust set is to be made of; NULL ends each. */
struct trust_wish {
    X509 *cas[4];
    X509 *pins[4];
    X509_CRL *crls[4];
    enum crl_expired crl_expired;
};

/* make_trust goes by files, as the gateway does; ERR_OK or what loading says. */
enum err make_trust(const struct trust_wish *w, struct tls_trust **out, struct load_error *why);

/* verify_chain gives the certificates to tls_trust_verify, leaf first, NULL at the end. */
struct peer *verify_chain(const struct tls_trust *t, X509 *const *chain, int64_t now,
                          struct refusal *why);

#endif
