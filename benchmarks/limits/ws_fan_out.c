/* What a C program reaches: a group whose messages are written to each member's socket as they are.
 *
 *     ws_fan_out PORT each     one write() for each message and member: the limit without batching
 *     ws_fan_out PORT batch    one write() for all messages that one read() brought, and member
 *
 * It is no server: it takes well-formed clients only, and looks for no more of a message than the next part
 * of it. A request that has "joinGroup" in it is answered and makes a member; of all others "data" is sent on.
 */
#include "websocket.h"

#define UPGRADED                                                                                        \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                 \
    "Sec-WebSocket-Accept: " UPGRADE_ACCEPT "\r\nSec-WebSocket-Protocol: json.webpubsub.azure.v1\r\n\r\n"
#define CONNECTED "{\"type\":\"system\",\"event\":\"connected\",\"userId\":null,\"connectionId\":\"c\"}"
#define JOINED "{\"type\":\"ack\",\"ackId\":1,\"success\":true}"
#define MESSAGE "{\"type\":\"message\",\"from\":\"group\",\"group\":\"g0\",\"dataType\":\"text\",\"data\":"

struct member {
    int fd;
    bool is_upgraded;
    struct text kept;
};

static int *group;
static size_t group_size;
static bool writes_batches;
static struct text out; /* frames for all members */

static void write_all(int fd, const char *data, size_t size) {
    if (write(fd, data, size) != (ssize_t)size) die("a client does not read: %s", strerror(errno));
}

static void write_to_group(void) {
    for (size_t i = 0; i < group_size; i++) write_all(group[i], out.data, out.size);
    out.size = 0;
}

static void add_server_frame(const char *head, const char *rest, size_t rest_size) {
    size_t size = strlen(head) + rest_size;
    if (size > 65535) die("a message of %zu bytes", size);
    bool is_short = size < 126;
    char start[4] = {'\x81', is_short ? (char)size : 126, (char)(size >> 8), (char)size};
    text_add(&out, start, is_short ? 2 : 4);
    text_add(&out, head, strlen(head));
    text_add(&out, rest, rest_size);
}

static void join(struct member *member) {
    group = realloc(group, (group_size + 1) * sizeof *group);
    group[group_size++] = member->fd;
    add_server_frame(JOINED, "", 0);
    write_all(member->fd, out.data, out.size);
    out.size = 0;
}

static void take(struct member *member, const char *body, size_t size) {
    if (memmem(body, size, "\"joinGroup\"", 11)) {
        join(member);
        return;
    }
    const char *data = memmem(body, size, "\"data\":", 7);
    if (!data) die("expected a message with data");
    add_server_frame(MESSAGE, data + 7, (size_t)(body + size - data) - 7);
    if (!writes_batches) write_to_group();
}

/* Take one masked frame; return how many bytes it has, or 0 when not all of it is there. */
static size_t take_frame(struct member *member, char *bytes, size_t available) {
    if (available < 8) return 0;
    size_t size = (unsigned char)bytes[1] & 0x7f, head = size < 126 ? 2 : 4;
    if (size == 127) die("a message of more than 65535 bytes");
    if (size == 126) size = (size_t)(unsigned char)bytes[2] << 8 | (unsigned char)bytes[3];
    if (available < head + 4 + size) return 0;
    const char *mask = bytes + head;
    char *body = bytes + head + 4;
    for (size_t i = 0; i < size; i++) body[i] ^= mask[i & 3];
    take(member, body, size);
    return head + 4 + size;
}

static void upgrade(struct member *member) {
    member->is_upgraded = true;
    member->kept.size = 0;
    write_all(member->fd, UPGRADED, strlen(UPGRADED));
    add_server_frame(CONNECTED, "", 0);
    write_all(member->fd, out.data, out.size);
    out.size = 0;
}

static void leave(struct member *member) {
    for (size_t i = 0; i < group_size; i++)
        if (group[i] == member->fd) group[i--] = group[--group_size];
    close(member->fd);
    free(member->kept.data);
    free(member);
}

static void receive(struct member *member) {
    struct text *kept = &member->kept;
    ssize_t got = read(member->fd, text_room(kept, 1 << 16), 1 << 16);
    if (got <= 0) {
        leave(member);
        return;
    }
    kept->size += (size_t)got;
    if (!member->is_upgraded) {
        if (memmem(kept->data, kept->size, "\r\n\r\n", 4)) upgrade(member);
        return;
    }
    size_t at = 0, taken;
    while ((taken = take_frame(member, kept->data + at, kept->size - at))) at += taken;
    text_drop(kept, at);
    if (out.size) write_to_group();
}

static void add_member(int listener, int epoll) {
    int one = 1;
    struct member *member = calloc(1, sizeof *member);
    member->fd = accept(listener, NULL, NULL);
    if (member->fd < 0) die("accept: %s", strerror(errno));
    setsockopt(member->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(epoll, EPOLL_CTL_ADD, member->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = member});
}

int main(int argc, char **argv) {
    int one = 1, epoll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 3) die("ws_fan_out PORT each|batch");
    writes_batches = !strcmp(argv[2], "batch");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        die("port %s: %s", argv[1], strerror(errno));
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN});
    for (;;) {
        struct epoll_event events[512];
        int count = epoll_wait(epoll, events, 512, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) receive(events[i].data.ptr);
            else add_member(listener, epoll);
        }
    }
}
