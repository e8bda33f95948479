/* WebSocket connections of a load client: text that grows, frames, the upgrade, reading and writing without
 * blocking.
 *
 * Frames are checked as RFC 6455 asks a client to: no mask, no reserved bit, the shortest form of a length.
 * Whatever is wrong ends the program with a message; a benchmark that loses a connection says so.
 */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <sys/epoll.h>

#include "measure.h"

/* ---- Text ------------------------------------------------------------------------------------------ */

struct text {
    char *data;
    size_t size, room;
};

/* Return the end of a text, with room for `size` bytes more. */
static inline char *text_room(struct text *text, size_t size) {
    if (text->size + size > text->room) {
        text->room = 2 * (text->size + size);
        text->data = realloc(text->data, text->room);
        if (!text->data) die("no memory for %zu bytes", text->room);
    }
    return text->data + text->size;
}

static inline void text_add(struct text *text, const void *bytes, size_t size) {
    if (!size) return;
    memcpy(text_room(text, size), bytes, size);
    text->size += size;
}

static inline void text_drop(struct text *text, size_t size) {
    if (!size) return;
    text->size -= size;
    memmove(text->data, text->data + size, text->size);
}

/* ---- Frames ---------------------------------------------------------------------------------------- */

enum opcode { OPCODE_TEXT = 1, OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };

struct frame {
    enum opcode opcode;
    const char *body;
    size_t size;
};

/* Add a client's frame. The mask is not zero, so that servers must undo it as they must for real clients. */
static inline void frame_write(struct text *out, enum opcode opcode, const char *body, size_t size) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char head[10] = {0x80 | (unsigned char)opcode};
    size_t length = size < 126 ? 0 : size < 65536 ? 2 : 8;
    head[1] = 0x80 | (length == 0 ? (unsigned char)size : length == 2 ? 126 : 127);
    for (size_t i = 0; i < length; i++) head[2 + i] = (unsigned char)(size >> 8 * (length - 1 - i));
    text_add(out, head, 2 + length);
    text_add(out, mask, sizeof mask);
    char *to = text_room(out, size);
    for (size_t i = 0; i < size; i++) to[i] = (char)(body[i] ^ mask[i & 3]);
    out->size += size;
}

/* Read a server's frame; return how many bytes it has, or 0 when not all of it is there. */
static inline size_t frame_read(struct frame *frame, const char *bytes, size_t available) {
    const unsigned char *at = (const unsigned char *)bytes;
    if (available < 2) return 0;
    size_t size = at[1], head = size < 126 ? 2 : size == 126 ? 4 : 10;
    if ((at[0] & 0xf0) != 0x80) die("expected a frame that is whole and without reserved bits, found 0x%02x", at[0]);
    if (size & 0x80) die("expected a frame without mask from a server");
    if (available < head) return 0;
    if (head > 2) {
        size = 0;
        for (size_t i = 2; i < head; i++) size = size << 8 | at[i];
        if (size < (head == 4 ? 126u : 65536u)) die("expected the shortest form of the length %zu", size);
    }
    if (available < head + size) return 0;
    *frame = (struct frame){at[0] & 0x0f, bytes + head, size};
    return head + size;
}

/* ---- Connections ----------------------------------------------------------------------------------- */

struct connection;
typedef void frame_taker(struct connection *, const struct frame *);

struct connection {
    int fd;
    int number;
    bool is_upgraded;
    void (*on_upgrade)(struct connection *);
    frame_taker *take;     /* gets its text and binary frames */
    const char *subprotocol; /* what it asked for, or NULL */
    struct text kept;      /* the begin of a frame */
    struct text queued;    /* what the socket has not taken yet */
    bool waits_to_write;   /* whether the network says when the socket takes more */
};

/* What all connections of a program share. */
static struct {
    int epoll;
    uint64_t now; /* when the last read returned */
} network;

static inline void network_watch(struct connection *connection, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(network.epoll, operation, connection->fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

/* Write what is queued, as far as the socket takes it. */
static inline void connection_flush(struct connection *connection) {
    struct text *queued = &connection->queued;
    if (!queued->size) return;
    ssize_t wrote = send(connection->fd, queued->data, queued->size, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) die("connection %d: write: %s", connection->number, strerror(errno));
    if (wrote > 0) text_drop(queued, (size_t)wrote);
    if (connection->waits_to_write == (queued->size > 0)) return;
    connection->waits_to_write = queued->size > 0;
    network_watch(connection, EPOLL_CTL_MOD, queued->size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Write as much as the socket takes, the rest when it takes more. */
static inline void connection_send(struct connection *connection, const char *bytes, size_t size) {
    text_add(&connection->queued, bytes, size);
    if (!connection->waits_to_write) connection_flush(connection);
}

static inline void connection_send_frame(struct connection *connection, enum opcode opcode, const char *body,
                                         size_t size) {
    frame_write(&connection->queued, opcode, body, size);
    if (!connection->waits_to_write) connection_flush(connection);
}

/* The key of RFC 6455's example, and the answer to it. */
#define UPGRADE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* Connect and ask for the upgrade; its answer and all frames after it come to connection_receive(). */
static inline void connection_open(struct connection *connection, long port, const char *target) {
    char request[8192];
    connection->fd = dial(port, connection->number);
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: localhost:%ld\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: " UPGRADE_KEY "\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                        target, port, connection->subprotocol ? "Sec-WebSocket-Protocol: " : "",
                        connection->subprotocol ? connection->subprotocol : "",
                        connection->subprotocol ? "\r\n" : "");
    if (size >= (int)sizeof request) die("the target has more than %zu bytes", sizeof request);
    network_watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    connection_send(connection, request, (size_t)size);
}

/* Forget everything but what memory it has, to open it again. */
static inline void connection_close(struct connection *connection) {
    close(connection->fd);
    connection->kept.size = connection->queued.size = 0;
    connection->is_upgraded = connection->waits_to_write = false;
}

/* Check the answer to the upgrade; return how many bytes it has, or 0 when not all of it is there. */
static inline size_t connection_upgraded(struct connection *connection, const char *bytes, size_t size) {
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - bytes) + 4;
    const char *chosen = connection->subprotocol, *accept = UPGRADE_ACCEPT "\r\n";
    if (strncmp(bytes, "HTTP/1.1 101 ", 13) || !memmem(bytes, head, accept, strlen(accept)) ||
        (chosen && !memmem(bytes, head, chosen, strlen(chosen))))
        die("connection %d: expected an upgrade%s%s, found:\n%.*s", connection->number, chosen ? " to " : "",
            chosen ? chosen : "", (int)size, bytes);
    connection->is_upgraded = true;
    connection->on_upgrade(connection);
    return head;
}

static inline void connection_take(struct connection *connection, const struct frame *frame) {
    if (frame->opcode == OPCODE_PING)
        connection_send_frame(connection, OPCODE_PONG, frame->body, frame->size);
    else if (frame->opcode == OPCODE_TEXT || frame->opcode == OPCODE_BINARY)
        connection->take(connection, frame);
    else if (frame->opcode != OPCODE_PONG)
        die("connection %d: the server sent a frame with opcode %d: %.*s", connection->number, frame->opcode,
            (int)frame->size, frame->body);
}

/* Hand on all whole frames; return how many bytes they have. */
static inline size_t connection_parse(struct connection *connection, const char *bytes, size_t size) {
    size_t at = connection->is_upgraded ? 0 : connection_upgraded(connection, bytes, size);
    struct frame frame;
    while (connection->is_upgraded) {
        size_t taken = frame_read(&frame, bytes + at, size - at);
        if (!taken) break;
        connection_take(connection, &frame);
        at += taken;
    }
    return at;
}

/* Read once and hand on what came. Most reads end with a whole frame, so they share one buffer. */
static inline void connection_receive(struct connection *connection) {
    static char shared[1 << 18];
    struct text *kept = &connection->kept;
    char *into = kept->size ? text_room(kept, sizeof shared) : shared;
    ssize_t got = recv(connection->fd, into, sizeof shared, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0)
        die("connection %d: the server closed it: %s", connection->number, got ? strerror(errno) : "end of stream");
    network.now = now_ns();
    if (kept->size) {
        kept->size += (size_t)got;
        text_drop(kept, connection_parse(connection, kept->data, kept->size));
        return;
    }
    size_t parsed = connection_parse(connection, shared, (size_t)got);
    text_add(kept, shared + parsed, (size_t)got - parsed);
}

/* Wait at most so long, then let all connections with news read and write; return how many there were.
 * `after` is called for each one that has read, if it is not NULL. */
static inline int network_turn(int milliseconds, void (*after)(struct connection *)) {
    struct epoll_event events[512];
    int count = epoll_wait(network.epoll, events, 512, milliseconds);
    if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) connection_flush(connection);
        if (!(events[i].events & ~(uint32_t)EPOLLOUT)) continue;
        connection_receive(connection);
        if (after) after(connection);
    }
    return count;
}

#endif
