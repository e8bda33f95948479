/* A connection to the server: TLS over TCP, with a certificate that is checked. Stands in for wire.h. */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include "measure.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

struct wire {
    int fd;
    SSL *tls;
};

static const char *wire_trust; /* a file with the one certificate that the server may show, for localhost */

__attribute__((noreturn)) static inline void tls_die(const char *what) {
    char why[256];
    ERR_error_string_n(ERR_get_error(), why, sizeof why);
    die("%s: %s", what, why);
}

static inline SSL_CTX *tls_context(void) {
    static SSL_CTX *context;
    if (context) return context;
    if (!wire_trust) die("--trust is needed");
    context = SSL_CTX_new(TLS_client_method());
    if (!context || SSL_CTX_load_verify_locations(context, wire_trust, NULL) != 1) tls_die(wire_trust);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(context, 1); /* else two calls of read() for each answer */
    return context;
}

/* Connect and shake hands; nothing else happens meanwhile. */
static inline void wire_open(struct wire *wire, long port, int number) {
    wire->fd = dial(port, number);
    wire->tls = SSL_new(tls_context());
    if (!wire->tls || !SSL_set1_host(wire->tls, "localhost") || !SSL_set_fd(wire->tls, wire->fd)) tls_die("SSL_new");
    for (int done; (done = SSL_connect(wire->tls)) != 1;) {
        int reason = SSL_get_error(wire->tls, done);
        if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) tls_die("the handshake failed");
        struct pollfd waits = {.fd = wire->fd, .events = reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT};
        if (poll(&waits, 1, 10000) != 1) die("a handshake was not answered");
    }
}

/* As read(), and all that came so far: epoll does not tell of what OpenSSL holds. */
static inline ssize_t wire_read(struct wire *wire, void *to, size_t room) {
    size_t size = 0;
    do {
        int got = SSL_read(wire->tls, (char *)to + size, (int)(room - size));
        if (got > 0) {
            size += (size_t)got;
            continue;
        }
        int reason = SSL_get_error(wire->tls, got);
        if (reason == SSL_ERROR_ZERO_RETURN) return (ssize_t)size;
        if (reason != SSL_ERROR_WANT_READ) tls_die("SSL_read");
        break; /* half a record, or a ticket to resume a session */
    } while (size < room && SSL_has_pending(wire->tls));
    if (size) return (ssize_t)size;
    errno = EAGAIN;
    return -1;
}

static inline void wire_write(struct wire *wire, const void *from, size_t size) {
    if (SSL_write(wire->tls, from, (int)size) != (int)size) tls_die("a request was not taken whole");
}

#endif
