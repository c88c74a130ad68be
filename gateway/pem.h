/*
 * pem: files of PEM blocks, read whole. Each file is read once, so that what was checked is what
 * is used, and its digest says whether a reload brought anything new.
 */
#ifndef COFRE_GATEWAY_PEM_H
#define COFRE_GATEWAY_PEM_H

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/slice.h"

/* Why something could not be loaded: one line for a person, naming the file. */
struct load_error {
    char text[512];
};

/* load_error_set formats *why and returns ERR_INVALID, to be returned. */
enum err load_error_set(struct load_error *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct pem_file {
    const char *path; /* borrowed */
    uint8_t *p;       /* owned; cleansed by pem_file_release */
    size_t len;
};

MUST_CHECK enum err pem_file_read(const char *path, struct pem_file *out, struct load_error *why);
void pem_file_release(struct pem_file *f);

/* pem_file_digest feeds the file's name and bytes to a digest. */
void pem_file_digest(const struct pem_file *f, SHA256_CTX *sha);

/* The file's blocks of one kind, in order; at least one, or an error. Other blocks are passed over. */
MUST_CHECK enum err pem_certificates(const struct pem_file *f, STACK_OF(X509) **out,
                                     struct load_error *why);
MUST_CHECK enum err pem_crls(const struct pem_file *f, STACK_OF(X509_CRL) **out,
                             struct load_error *why);
MUST_CHECK enum err pem_private_key(const struct pem_file *f, EVP_PKEY **out,
                                    struct load_error *why);

/* pem_time_text writes "2026-01-31 12:00:00 UTC", and returns out. */
const char *pem_time_text(int64_t unix_time, char out[32]);

#endif
