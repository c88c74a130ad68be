/*
 * address: the two conversions. Names are looked up once, at start; nothing here is on a data path.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void address_text(const struct sockaddr_storage *addr, char out[ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (addr->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(in->sin_port));
    } else if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, ADDRESS_TEXT, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(out, ADDRESS_TEXT, "unknown");
    }
}

/* split cuts "host:port" at the last colon and takes the brackets of an IPv6 address off. */
static enum err split(const char *text, char *host, size_t cap, const char **port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') {
        return ERR_INVALID;
    }
    size_t len = (size_t)(colon - text);
    if (text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= cap) {
        return ERR_INVALID;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    *port = colon + 1;
    return ERR_OK;
}

enum err address_parse(const char *text, struct sockaddr_storage *out, socklen_t *len)
{
    char host[256];
    const char *port;
    if (split(text, host, sizeof(host), &port) != ERR_OK ||
        strspn(port, "0123456789") != strlen(port) || strlen(port) > 5 ||
        strtoul(port, NULL, 10) > UINT16_MAX) {
        return ERR_INVALID;
    }
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found;
    const char *name = strcmp(host, "*") == 0 ? "::" : host;
    if (getaddrinfo(name, port, &hints, &found) != 0) {
        return ERR_INVALID;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}
