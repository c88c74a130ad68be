/*
 * tls_ca_names: the names of those whose certificates we let in, as a CertificateRequest may list them
 * (--send-ca-names): clients with several certificates choose by it. Off, and when the list would be
 * too long, it is empty, which means: any (RFC 5246 §7.4.4, RFC 8446 §4.2.4).
 */
#ifndef COFRE_GATEWAY_TLS_CA_NAMES_H
#define COFRE_GATEWAY_TLS_CA_NAMES_H

#include <openssl/ssl.h>

#include "files/material.h"

/*
 * A CertificateRequest with so many bytes of names goes through in one record, and no client that we
 * know has a limit below: JSSE's 32 KiB for a message is the lowest.
 */
enum { TLS_CA_NAMES_MAX = 8 * 1024 };

/* tls_ca_names_set gives a new SSL_CTX the subjects of all CAs and the issuers of all pins, each once. */
MUST_CHECK enum err tls_ca_names_set(SSL_CTX *ssl, const struct material *m,
                                     struct load_error *why);

#endif
