/*
 * tls_verify: judges the server's certificate. With --pin it must be one of the pinned ones, byte for byte
 * (a self-signed certificate is no authority over others); with --cacert its chain must end in a CA of the
 * file and a subject alternative name must be the one we connect to (RFC 6125; the common name never counts).
 */
#include "tls_inside.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/mem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"

/* names_of lists the certificate's DNS names and addresses, as far as there is room. */
static void add_name(struct buf *out, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const char *comma = buf_len(out) > 0 ? ", " : "";

    if (name->type == GEN_DNS) {
        buf_printf(out, "%s%.*s", comma, ASN1_STRING_length(name->d.dNSName),
                   (const char *)ASN1_STRING_get0_data(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
        int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
        if (inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof(text)) !=
            NULL) {
            buf_printf(out, "%s%s", comma, text);
        }
    }
}

static void names_of(X509 *cert, struct buf *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (size_t i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        add_name(out, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
    if (buf_len(out) == 0) {
        buf_printf(out, "no name at all");
    }
    buf_append(out, "", 1);
}

static void wrong_name(struct tls *t, X509 *cert)
{
    struct buf names;

    buf_init(&names, 300);
    names_of(cert, &names);
    problem_set(
        &t->verdict, EXIT_CONNECTION,
        "wrong server: the certificate at %s is for %s, not for %s: connect by the name it carries, or name "
        "it with --sni, or trust exactly this certificate with --pin",
        t->where, names.overflow ? "other names" : (const char *)buf_slice(&names).p,
        t->peer->name);
    buf_release(&names);
}

static void wrong_date(struct tls *t, X509 *cert, bool own)
{
    char date[32];
    const char *whose = own ? "the certificate" : "a CA certificate above the one";

    if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
        tls_date(X509_get0_notBefore(cert), date, sizeof(date));
        problem_set(&t->verdict, EXIT_CONNECTION,
                    "%s of the server at %s is valid only from %s on: check this machine's "
                    "clock",
                    whose, t->where, date);
        return;
    }
    tls_date(X509_get0_notAfter(cert), date, sizeof(date));
    problem_set(&t->verdict, EXIT_CONNECTION,
                "%s of the server at %s expired on %s: whoever runs the server must renew "
                "it",
                whose, t->where, date);
}

static void unknown_issuer(struct tls *t, X509 *leaf)
{
    char subject[200];
    char issuer[200];

    X509_NAME_oneline(X509_get_subject_name(leaf), subject, sizeof(subject));
    X509_NAME_oneline(X509_get_issuer_name(leaf), issuer, sizeof(issuer));
    problem_set(
        &t->verdict, EXIT_CONNECTION,
        "wrong server, or wrong CA: the certificate at %s (%s, issued by %s) was not issued by a CA in %s "
        "(--cacert): check host and port, or give the CA that issued it",
        t->where, subject, issuer, t->context->files.cacert);
}

/*
 * A verification error of X509_verify_cert, and the function that puts it into words.
 */
static void explain(struct tls *t, X509_STORE_CTX *chain, X509 *leaf)
{
    int error = X509_STORE_CTX_get_error(chain);
    X509 *bad = X509_STORE_CTX_get_current_cert(chain);

    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        wrong_name(t, leaf);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        wrong_date(t, bad != NULL ? bad : leaf, X509_STORE_CTX_get_error_depth(chain) == 0);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        unknown_issuer(t, leaf);
        return;
    case X509_V_ERR_INVALID_PURPOSE:
        problem_set(&t->verdict, EXIT_CONNECTION,
                    "the certificate at %s is not made for a server: whoever runs it must "
                    "give it a server certificate",
                    t->where);
        return;
    default:
        problem_set(&t->verdict, EXIT_CONNECTION,
                    "the certificate at %s does not verify against %s (--cacert): %s", t->where,
                    t->context->files.cacert, X509_verify_cert_error_string(error));
        return;
    }
}

static bool is_pinned(const struct tls_context *c, X509 *leaf)
{
    struct fingerprint seen;

    if (tls_fingerprint(leaf, &seen) != ERR_OK) {
        return false;
    }
    for (size_t i = 0; i < c->pin_count; i++) {
        if (memcmp(&seen, &c->pins[i], sizeof(seen)) == 0) {
            return true;
        }
    }
    return false;
}

static bool verify_pin(struct tls *t, X509 *leaf)
{
    if (!is_pinned(t->context, leaf)) {
        problem_set(
            &t->verdict, EXIT_CONNECTION,
            "wrong server: the certificate at %s is not the one in %s (--pin): check host and port; if its "
            "certificate was replaced, get the new one from whoever runs the server",
            t->where, t->context->files.pin);
        return false;
    }
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0 ||
        X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
        wrong_date(t, leaf, true);
        return false;
    }
    return true;
}

int tls_verify_server(X509_STORE_CTX *chain, void *tls_context)
{
    const struct tls_context *c = tls_context;
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_ex_data(ssl, 0);
    X509 *leaf = X509_STORE_CTX_get0_cert(chain);

    if (c->pins != NULL) {
        bool ok = verify_pin(t, leaf);
        X509_STORE_CTX_set_error(chain, ok ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
        return ok;
    }
    if (X509_verify_cert(chain) == 1) {
        return 1;
    }
    explain(t, chain, leaf);
    return 0;
}
