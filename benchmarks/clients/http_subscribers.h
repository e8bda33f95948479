/* WebSocket clients that take messages and answer pings: each must get one frame, byte for byte, again and again. */
#ifndef HTTP_SUBSCRIBERS_H
#define HTTP_SUBSCRIBERS_H

#include "http_answers.h"
#include <poll.h>

struct subscriber {
    int fd;
    size_t received; /* bytes, of all messages together */
    bool pinged;     /* the first byte of a ping came, its second byte, the length, has not */
};

struct subscribers {
    struct bytes frame; /* a message, as it comes on the wire */
    struct subscriber *each;
    size_t count;
    uint64_t messages; /* whole frames, of all subscribers together */
};

/* Wait for the answer to an upgrade, byte by byte as frames may follow it at once. */
static inline void subscriber_upgraded(int fd) {
    char head[4096];
    struct answer answer;
    for (size_t size = 0; size + 1 < sizeof head;) {
        struct pollfd waits = {.fd = fd, .events = POLLIN};
        if (poll(&waits, 1, 10000) != 1 || read(fd, head + size, 1) != 1) die("an upgrade was not answered");
        head[++size] = '\0';
        if (!answer_read(head, size, &answer)) continue;
        if (answer.status != 101) die("expected 101 as answer to an upgrade, found:\n%s", head);
        return;
    }
    die("an answer to an upgrade does not end");
}

/* Connect one subscriber for each request of a file. */
static inline void subscribers_connect(struct subscribers *all, long port, const char *upgrades, const char *frame) {
    struct requests requests = requests_of_file(upgrades);
    all->frame = bytes_of_file(frame);
    all->count = requests.count;
    all->each = calloc(all->count, sizeof *all->each);
    if (!all->each) die("no memory for subscribers");
    for (size_t i = 0; i < all->count; i++) {
        int fd = all->each[i].fd = dial(port, (int)i);
        if (write(fd, requests.each[i].data, requests.each[i].size) < 0) die("upgrade: %s", strerror(errno));
        subscriber_upgraded(fd);
    }
}

/* Take the length of a ping, which must be 0, and answer it (RFC 6455, section 5.5.3), with a mask of zeros. */
static inline void subscriber_pong(struct subscriber *subscriber, char length) {
    if (length != 0) die("expected a ping without data, found one with %d bytes", length);
    if (write(subscriber->fd, "\x8a\x80\0\0\0", 6) != 6) die("a pong was not taken: %s", strerror(errno));
    subscriber->pinged = false;
}

/* Take bytes of a message, no more than there are of it, and return how many; it counts when it is whole. */
static inline size_t subscriber_take(struct subscribers *all, struct subscriber *subscriber, const char *at,
                                     size_t left) {
    size_t place = subscriber->received % all->frame.size;
    size_t size = all->frame.size - place < left ? all->frame.size - place : left;
    if (memcmp(at, all->frame.data + place, size))
        die("a subscriber got, instead of its message from byte %zu on, 0x%02x and\n%.*s", place,
            (unsigned char)*at, (int)size - 1, at + 1);
    subscriber->received += size;
    all->messages += place + size == all->frame.size;
    return size;
}

static inline void subscriber_read(struct subscribers *all, struct subscriber *subscriber) {
    static char buffer[1 << 18];
    ssize_t got = read(subscriber->fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) die("a subscriber was closed after %llu messages", (unsigned long long)all->messages);
    for (char *at = buffer, *end = buffer + got; at < end;) {
        if (subscriber->pinged) {
            subscriber_pong(subscriber, *at++);
        } else if (*at == (char)0x89 && subscriber->received % all->frame.size == 0) {
            subscriber->pinged = true;
            at++;
        } else {
            at += subscriber_take(all, subscriber, at, (size_t)(end - at));
        }
    }
}

#endif
