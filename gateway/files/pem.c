/*
 * pem: reading certificates, revocation lists and keys from files, with an error that says which
 * file and what is wrong with it. No trust decision is made here.
 */
#include "files/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>

enum { MAX_FILE = 64 * 1024 * 1024 };

enum err load_error_set(struct load_error *why, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof(why->text), fmt, args);
    va_end(args);
    return ERR_INVALID;
}

/* What one does about a file that cannot be opened or read. */
static enum err system_error(const char *path, int error, struct load_error *why)
{
    static const struct {
        int error;
        const char *advice;
    } rows[] = {
        { ENOENT, "; put it there or name another file" },
        { EACCES, "; let the user that the gateway runs as read it and enter its directories" },
        { ELOOP, "; its symbolic links lead back to themselves" },
    };
    const char *advice = "";
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        advice = rows[i].error == error ? rows[i].advice : advice;
    }
    return load_error_set(why, "%s: %s%s", path, strerror(error), advice);
}

static enum err read_all(int fd, struct pem_file *f, size_t cap, struct load_error *why)
{
    while (f->len < cap) {
        ssize_t n = read(fd, f->p + f->len, cap - f->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return system_error(f->path, errno, why);
        }
        if (n == 0) {
            return ERR_OK;
        }
        f->len += (size_t)n;
    }
    return load_error_set(why, "%s: it grew while it was read, try again", f->path);
}

enum err pem_file_read(const char *path, struct pem_file *out, struct load_error *why)
{
    struct pem_file f = { .path = path };
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return system_error(path, errno, why);
    }
    enum err err;
    if (fstat(fd, &st) != 0) {
        err = system_error(path, errno, why);
    } else if (!S_ISREG(st.st_mode)) {
        err = load_error_set(why, "%s: not a regular file", path);
    } else if (st.st_size > MAX_FILE) {
        err = load_error_set(why, "%s: larger than 64 MiB", path);
    } else {
        size_t cap = (size_t)st.st_size + 1;
        f.stamp = stamp_of(&st);
        f.p = mem_alloc(cap);
        err = read_all(fd, &f, cap, why);
    }
    close(fd);
    if (err != ERR_OK) {
        pem_file_release(&f);
        return err;
    }
    *out = f;
    return ERR_OK;
}

void pem_file_release(struct pem_file *f)
{
    if (f->p != NULL) {
        OPENSSL_cleanse(f->p, f->len);
        free(f->p);
    }
    *f = (struct pem_file){ .path = NULL };
}

/* Keeping some blocks of a file (RFC 7468 §2). */

static const char *const labels[][3] = {
    [PEM_CERTIFICATES] = { "CERTIFICATE", "X509 CERTIFICATE", NULL },
    [PEM_CRLS] = { "X509 CRL", NULL },
};

static bool has_label(enum pem_blocks kind, struct slice label)
{
    for (const char *const *l = labels[kind]; *l != NULL; l++) {
        if (slice_eq(slice_of(*l), label)) {
            return true;
        }
    }
    return false;
}

/* next_line cuts the first line off; white space at its end is not part of it. */
static bool next_line(struct slice *rest, struct slice *line)
{
    if (rest->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(rest->p, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->p) + 1;
    *line = (struct slice){ rest->p, len };
    *rest = (struct slice){ rest->p + len, rest->len - len };
    while (line->len > 0 && line->p[line->len - 1] <= ' ') {
        line->len--;
    }
    return true;
}

/* boundary reads "-----BEGIN label-----", or with END. */
static bool boundary(struct slice line, struct slice begin, struct slice *label)
{
    static const struct slice dashes = { (const uint8_t *)"-----", 5 };
    if (line.len < begin.len + dashes.len || !slice_starts_with(line, begin) ||
        memcmp(line.p + line.len - dashes.len, dashes.p, dashes.len) != 0) {
        return false;
    }
    *label = (struct slice){ line.p + begin.len, line.len - begin.len - dashes.len };
    return true;
}

enum err pem_file_keep(struct pem_file *f, enum pem_blocks kind, struct load_error *why)
{
    struct slice rest = { f->p, f->len };
    struct slice line, label;
    struct slice open = { NULL, 0 }; /* the label of the block that we are in, if we want it */
    const uint8_t *from = NULL;
    size_t kept = 0, count = 0;
    while (next_line(&rest, &line)) {
        if (open.p != NULL && slice_starts_with(line, SLICE("-----"))) {
            if (!boundary(line, SLICE("-----END "), &label) || !slice_eq(label, open)) {
                break;
            }
            size_t len = (size_t)(rest.p - from);
            memmove(f->p + kept, from, len);
            kept += len;
            open.p = NULL;
        } else if (open.p == NULL && boundary(line, SLICE("-----BEGIN "), &label) &&
                   has_label(kind, label)) {
            open = label;
            from = line.p;
            count++;
        }
    }
    OPENSSL_cleanse(f->p + kept, f->len - kept);
    f->len = kept;
    return open.p == NULL ? ERR_OK
                          : load_error_set(why,
                                           "%s: PEM block %zu in it does not end: the file is cut "
                                           "off or still being written",
                                           f->path, count);
}

static BIO *bio_of(const struct pem_file *f)
{
    BIO *bio = BIO_new_mem_buf(f->p, (ossl_ssize_t)f->len);
    if (bio == NULL) {
        abort();
    }
    return bio;
}

/* How a loop over PEM blocks ended: at the file's end, which is fine, or at a broken block. */
static bool ended_well(void)
{
    uint32_t e = ERR_peek_last_error();
    bool fine =
        e == 0 || (ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE);
    ERR_clear_error();
    return fine;
}

enum err pem_certificates(const struct pem_file *f, STACK_OF(X509) **out, struct load_error *why)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *bio = bio_of(f);
    X509 *one;
    ERR_clear_error();
    while ((one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        sk_X509_push(all, one);
    }
    BIO_free(bio);
    size_t count = sk_X509_num(all);
    bool broken = !ended_well();
    if (!broken && count > 0) {
        *out = all;
        return ERR_OK;
    }
    sk_X509_pop_free(all, X509_free);
    return broken
               ? load_error_set(why, "%s: certificate %zu in it is broken; write it again", f->path,
                                count + 1)
               : load_error_set(why,
                                "%s: no PEM certificate in it; it needs a block that begins with "
                                "-----BEGIN CERTIFICATE-----",
                                f->path);
}

enum err pem_crls(const struct pem_file *f, STACK_OF(X509_CRL) **out, struct load_error *why)
{
    STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
    BIO *bio = bio_of(f);
    X509_CRL *one;
    ERR_clear_error();
    while ((one = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        sk_X509_CRL_push(all, one);
    }
    BIO_free(bio);
    size_t count = sk_X509_CRL_num(all);
    bool broken = !ended_well();
    if (!broken && count > 0) {
        *out = all;
        return ERR_OK;
    }
    sk_X509_CRL_pop_free(all, X509_CRL_free);
    return broken ? load_error_set(why, "%s: revocation list %zu in it is broken; write it again",
                                   f->path, count + 1)
                  : load_error_set(why,
                                   "%s: no PEM revocation list in it; it needs a block that begins "
                                   "with -----BEGIN X509 CRL-----",
                                   f->path);
}

/* A server cannot be asked for a passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    *(bool *)arg = true;
    return 0;
}

enum err pem_private_key(const struct pem_file *f, EVP_PKEY **out, struct load_error *why)
{
    BIO *bio = bio_of(f);
    bool encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
    BIO_free(bio);
    ERR_clear_error();
    if (encrypted) {
        EVP_PKEY_free(key);
        return load_error_set(
            why,
            "%s: the private key is encrypted; store it without passphrase: openssl pkey -in FILE",
            f->path);
    }
    if (key == NULL) {
        return load_error_set(why,
                              "%s: no PEM private key in it that can be read; it needs a whole "
                              "-----BEGIN PRIVATE KEY----- block",
                              f->path);
    }
    *out = key;
    return ERR_OK;
}

const char *pem_time_text(int64_t unix_time, char out[32])
{
    struct tm tm;
    time_t t = (time_t)unix_time;
    if (gmtime_r(&t, &tm) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        snprintf(out, 32, "%lld", (long long)unix_time);
    }
    return out;
}
