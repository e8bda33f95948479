/* Clients that connect, and leave as soon as they are ready; and clients that stay and say nothing. */
#ifndef WS_CONNECTS_H
#define WS_CONNECTS_H

#include "ws_clients.h"

/* ---- Clients that come and go ---------------------------------------------------------------------- */

struct visitor {
    struct client client; /* first, for casts */
    uint64_t since;
};

static struct {
    struct measuring *measuring;
    size_t opened, left;
    bool is_over;
} connects;

static inline void connects_open(struct visitor *visitor) {
    visitor->since = now_ns();
    client_open(&visitor->client, (int)connects.opened, targets.lines[connects.opened % targets.count]);
    connects.opened++;
}

static inline void connects_take(struct connection *connection, const struct frame *frame) {
    die("connection %d: a message nobody sent to it: %.*s", connection->number, (int)frame->size, frame->body);
}

/* Say goodbye, go, and let the next one come. */
static inline void connects_leave(struct connection *connection) {
    struct visitor *visitor = (struct visitor *)connection;
    if (visitor->client.stage != STAGE_READY) return;
    measuring_count(connects.measuring, 1, network.now - visitor->since);
    connection_send_frame(connection, OPCODE_CLOSE, "\x03\xe8", 2);
    connection_close(connection);
    connects.left++;
    if (!connects.is_over) connects_open(visitor);
}

static inline void connects_run(const struct load_options *options, struct measuring *measuring) {
    struct visitor *visitors = calloc((size_t)options->clients, sizeof *visitors);
    struct client kind = {.protocol = protocol_named(options->protocol), .take_when_ready = connects_take};
    connects.measuring = measuring;
    for (long i = 0; i < options->clients; i++) {
        visitors[i].client = kind;
        connects_open(&visitors[i]);
    }
    uint64_t warm = now_ns() + (uint64_t)(options->warm_up * 1e9);
    while (!clients_measured(measuring, warm)) {
        clients_turn(1000, connects_leave, "a client waits to be connected");
    }
    measuring_end(measuring);
    connects.is_over = true;
    while (connects.left < connects.opened) clients_turn(1000, connects_leave, "a client waits to be connected");
}

/* ---- Clients that stay ----------------------------------------------------------------------------- */

#define IDLE_BEFORE 100 /* what the first ones cost, all share */

/* The memory that processes have in use, as in benchmarks/machine.py. */
static inline uint64_t resident_bytes_of(const char *pids) {
    uint64_t sum = 0;
    for (const char *at = pids; *at; at += *at == ',') {
        char path[64], *end;
        unsigned long pages;
        snprintf(path, sizeof path, "/proc/%ld/statm", strtol(at, &end, 10));
        FILE *file = fopen(path, "r");
        if (!file || fscanf(file, "%*u %lu", &pages) != 1) die("%s cannot be read", path);
        fclose(file);
        sum += pages * (uint64_t)sysconf(_SC_PAGESIZE);
        at = end;
    }
    return sum;
}

/* An operation is a connection; what all of them have added to the server's memory is measured, too. */
static inline void idle_run(const struct load_options *options, struct measuring *measuring) {
    size_t count = (size_t)options->clients + IDLE_BEFORE;
    struct client *idle = calloc(count, sizeof *idle);
    struct client kind = {.protocol = protocol_named(options->protocol), .take_when_ready = connects_take};
    uint64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == IDLE_BEFORE) {
            clients_await(i);
            clients_settle(options->settle);
            before = resident_bytes_of(measuring->pids);
            measuring_begin(measuring);
        }
        idle[i] = kind;
        clients_add(&idle[i], i, targets.lines[i % targets.count]);
    }
    clients_await(count);
    measuring->operations = (uint64_t)options->clients;
    measuring_end(measuring);
    clients_settle(measuring->seconds);
    measuring->server_bytes = (int64_t)(resident_bytes_of(measuring->pids) - before);
}

#endif
