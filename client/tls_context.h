/*
 * tls_context: what the files on the command line hold, loaded and checked once: my certificate and
 * key, and whom to trust. Shared by the connections made with it; it must outlive them.
 */
#ifndef COFRE_CLIENT_TLS_CONTEXT_H
#define COFRE_CLIENT_TLS_CONTEXT_H

#include "problem.h"

struct tls_files {
    const char *cert;
    const char *key;
    const char *cacert; /* not read when pin is given */
    const char *pin;
};

struct tls_context;

/*
 * tls_context_new returns NULL and says why: EXIT_USAGE when a file is missing or wrong, EXIT_CONNECTION
 * when my certificate has expired, because no server would take it.
 */
struct tls_context *tls_context_new(const struct tls_files *files, struct problem *problem);
void tls_context_free(struct tls_context *c);

#endif
