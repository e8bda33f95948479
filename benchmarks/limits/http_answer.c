/* What a server on this machine can reach at all: it looks for the end of the head, waits for the body that
 * Content-Length promises, and answers every request with the same bytes. No routes, no checks, no errors.
 *
 *     http_answer PORT "200 OK" ack
 */
#include "http_answers.h"
#include <signal.h>
#include <sys/epoll.h>

struct connection {
    int fd;
    size_t size;
    char buffer[65536];
};

static char answer[4096];
static size_t answer_size;

static void make_answer(const char *status, const char *body) {
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s",
                        status, strlen(body), body);
    if (size < 0 || (size_t)size >= sizeof answer) die("the answer is too long");
    answer_size = (size_t)size;
}

static int listen_on(long port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) die("port %ld: %s", port, strerror(errno));
    return fd;
}

static void watch(int events_of, int fd, void *pointer) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = pointer};
    if (epoll_ctl(events_of, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

static void take_connection(int listener, int events_of) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = malloc(sizeof *connection);
    if (!connection) die("no memory for a connection");
    connection->fd = fd;
    connection->size = 0;
    watch(events_of, fd, connection);
}

static void end_connection(struct connection *connection) {
    close(connection->fd);
    free(connection);
}

/* Bytes of the first request in the buffer; 0 while it is not whole. */
static size_t whole_request(const struct connection *connection) {
    const char *end = memmem(connection->buffer, connection->size, "\r\n\r\n", 4);
    if (!end) return 0;
    const char *length = answer_header(connection->buffer, end, "Content-Length: ");
    size_t size = (size_t)(end + 4 - connection->buffer) + (length ? strtoul(length, NULL, 10) : 0);
    return size <= connection->size ? size : 0;
}

static void take_bytes(struct connection *connection) {
    ssize_t got = read(connection->fd, connection->buffer + connection->size,
                       sizeof connection->buffer - connection->size);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        end_connection(connection);
        return;
    }
    connection->size += (size_t)got;
    for (size_t size; (size = whole_request(connection)) != 0;) {
        connection->size -= size;
        memmove(connection->buffer, connection->buffer + size, connection->size);
        if (write(connection->fd, answer, answer_size) != (ssize_t)answer_size) {
            end_connection(connection);
            return;
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 4) die("usage: %s PORT STATUS BODY", argv[0]);
    signal(SIGPIPE, SIG_IGN); /* write() says it */
    make_answer(argv[2], argv[3]);
    int listener = listen_on(strtol(argv[1], NULL, 10));
    int events_of = epoll_create1(EPOLL_CLOEXEC);
    watch(events_of, listener, NULL);
    for (struct epoll_event events[256];;) {
        int ready = epoll_wait(events_of, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr) take_bytes(events[i].data.ptr);
            else take_connection(listener, events_of);
        }
    }
}
