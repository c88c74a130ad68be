/*
 * pem: files of PEM blocks, read whole. Each file is read once, so that what was checked is what
 * is used.
 */
#ifndef COFRE_GATEWAY_PEM_H
#define COFRE_GATEWAY_PEM_H

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/slice.h"
#include "files/stamp.h"

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
    struct stamp stamp; /* when it was read */
};

MUST_CHECK enum err pem_file_read(const char *path, struct pem_file *out, struct load_error *why);
void pem_file_release(struct pem_file *f);

/*
 * pem_file_keep keeps the blocks of one kind and wipes all else, private keys above all. A block that
 * does not end is an error: the file is being written.
 */
enum pem_blocks { PEM_CERTIFICATES, PEM_CRLS };
MUST_CHECK enum err pem_file_keep(struct pem_file *f, enum pem_blocks kind, struct load_error *why);

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
