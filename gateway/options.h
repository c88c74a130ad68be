/*
 * options: what the gateway was told to do. Filled once from the command line and --config,
 * then only read, by every thread.
 */
#ifndef COFRE_GATEWAY_OPTIONS_H
#define COFRE_GATEWAY_OPTIONS_H

#include "base/option.h"
#include "arrivals/network.h"
#include "wire/frame.h"

/* The order in which a certificate's names are tried (DESIGN §5.4); 0 ends it. */
struct identity_order {
    enum identity_kind kinds[4];
    size_t count;
};

/* What an out-of-date revocation list means for its issuer's certificates. */
enum crl_expired { CRL_EXPIRED_WARN, CRL_EXPIRED_REJECT };

/* What "on" and "off" of an option become. */
enum option_switch { SWITCH_ON, SWITCH_OFF };

struct gateway_options {
    struct option_list listen; /* empty: service.c's default, or what a service manager gives */
    struct option_list cert;
    struct option_list key; /* one per --cert, or none when the certificate files hold their keys */
    struct option_list client_ca;
    struct option_list client_pin;
    struct option_list crl;
    const char *core; /* the core's Unix socket */
    const char *identity;
    const char *user;
    const char *keylog;
    const char *status; /* the status socket */
    struct identity_order identity_order;
    int64_t workers; /* 0 in the options: one for two CPUs; resolved by options_parse */
    struct option_list proxy_protocol;
    struct network_list proxy_networks; /* the same, parsed */
    int64_t max_connections;
    int64_t max_per_identity; /* 0: no limit */
    int64_t max_per_address;  /* 0: no limit */
    int64_t max_handshakes;   /* of one worker */
    int64_t handshake_timeout_ms;
    int64_t idle_timeout_ms; /* 0: never */
    int64_t drain_timeout_ms;
    int64_t max_request;
    int64_t max_evict; /* percent of the live sessions that a reload may cut */
    int crl_expired;   /* enum crl_expired */
    int watch;         /* enum option_switch */
    int send_ca_names; /* enum option_switch */
    bool check;
    bool takeover;
    int key_holder; /* enum option_switch */
    int log_level;
    int log_format;
};

/* options_parse fills *out; on a bad option it has printed one line and the caller exits with 2. */
MUST_CHECK enum err options_parse(struct gateway_options *out, int argc, char **argv);

/* identity_order_parse reads "uri,dns,email,cn" or a part of it; a repeated or unknown kind is invalid. */
MUST_CHECK enum err identity_order_parse(const char *text, struct identity_order *out);

#endif
