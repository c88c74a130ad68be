/*
 * pem: reading certificates, revocation lists and keys from files, with an error that says which
 * file and what is wrong with it. No trust decision is made here.
 */
#include "pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static enum err read_all(int fd, struct pem_file *f, size_t cap, struct load_error *why)
{
    while (f->len < cap) {
        ssize_t n = read(fd, f->p + f->len, cap - f->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return load_error_set(why, "%s: %s", f->path, strerror(errno));
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
        return load_error_set(why, "%s: %s", path, strerror(errno));
    }
    enum err err;
    if (fstat(fd, &st) != 0) {
        err = load_error_set(why, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        err = load_error_set(why, "%s: not a regular file", path);
    } else if (st.st_size > MAX_FILE) {
        err = load_error_set(why, "%s: larger than 64 MiB", path);
    } else {
        size_t cap = (size_t)st.st_size + 1;
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

void pem_file_digest(const struct pem_file *f, SHA256_CTX *sha)
{
    uint64_t len = f->len;
    SHA256_Update(sha, f->path, strlen(f->path) + 1);
    SHA256_Update(sha, &len, sizeof(len));
    SHA256_Update(sha, f->p, f->len);
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
    if (ended_well() && count > 0) {
        *out = all;
        return ERR_OK;
    }
    sk_X509_pop_free(all, X509_free);
    return count == 0
               ? load_error_set(why, "%s: no PEM certificate in it", f->path)
               : load_error_set(why, "%s: certificate %zu in it is broken", f->path, count + 1);
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
    if (ended_well() && count > 0) {
        *out = all;
        return ERR_OK;
    }
    sk_X509_CRL_pop_free(all, X509_CRL_free);
    return count == 0
               ? load_error_set(why, "%s: no PEM revocation list (X509 CRL) in it", f->path)
               : load_error_set(why, "%s: revocation list %zu in it is broken", f->path, count + 1);
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
            why, "%s: the private key is encrypted; it must be without passphrase", f->path);
    }
    if (key == NULL) {
        return load_error_set(why, "%s: no PEM private key in it that can be read", f->path);
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
