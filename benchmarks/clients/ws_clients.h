/* Clients of a subprotocol: they connect, say hello, join their group, and then are ready. */
#ifndef WS_CLIENTS_H
#define WS_CLIENTS_H

#include "ws_protocols.h"

#define OPENING_AT_ONCE 64

struct load_options {
    const char *protocol;           /* a row of PROTOCOLS, and for publishers another one or NULL */
    const char *publisher_protocol;
    const char *publisher_target;   /* what publishers connect with, or NULL: what all do */
    const char *call;               /* a row of CALLS */
    long clients, groups, publishers;
    long others;                    /* clients that are in no group */
    long in_flight;                 /* messages of each group */
    long size;                      /* bytes of data in a message */
    double rate;                    /* messages or questions a second; 0: the next when the last has come */
    double warm_up, settle;         /* seconds of load, and of rest before it, that are not measured */
};

enum stage { STAGE_GREETING, STAGE_WELCOME, STAGE_JOINED, STAGE_READY };

struct client {
    struct connection connection; /* first: a connection is turned into its client by a cast */
    const struct protocol *protocol;
    const char *group;            /* what it joins, or NULL */
    enum stage stage;
    frame_taker *take_when_ready;
};

/* Paths and queries of clients, one a line of a file, or one for all. */
static struct {
    const char **lines;
    size_t count;
} targets;

static struct {
    long port;
    size_t ready;     /* how many clients are */
    uint64_t progress; /* when something came last */
    double patience;   /* after so many seconds without anything, it is lost */
} clients = {.patience = 10};

static inline void targets_load(const char *path) {
    struct bytes file = bytes_of_file(path);
    for (char *line = strtok(file.data, "\n"); line; line = strtok(NULL, "\n")) {
        targets.lines = realloc(targets.lines, (targets.count + 1) * sizeof *targets.lines);
        targets.lines[targets.count++] = line;
    }
    if (!targets.count) die("%s has no line", path);
}

static inline void client_say(struct client *client, const char *template) {
    static struct text message;
    struct values values = {.group = client->group};
    message.size = 0;
    expand(&message, template, &values);
    connection_send_frame(&client->connection, client->protocol->opcode, message.data, message.size);
}

/* Go on to the next stage that the protocol has. */
static inline void client_advance(struct client *client) {
    const struct protocol *protocol = client->protocol;
    client->stage++;
    if (client->stage == STAGE_WELCOME && !protocol->hello) client->stage++;
    if (client->stage == STAGE_JOINED && !(protocol->join && client->group)) client->stage++;
    if (client->stage == STAGE_WELCOME) client_say(client, protocol->hello);
    if (client->stage == STAGE_JOINED) client_say(client, protocol->join);
    if (client->stage != STAGE_READY) return;
    client->connection.take = client->take_when_ready;
    clients.ready++;
}

static inline void client_take_opening(struct connection *connection, const struct frame *frame) {
    struct client *client = (struct client *)connection;
    const struct protocol *protocol = client->protocol;
    const char *expected = client->stage == STAGE_GREETING  ? protocol->greeting
                           : client->stage == STAGE_WELCOME ? protocol->welcome
                                                            : protocol->joined;
    if (frame->size < strlen(expected) || memcmp(frame->body, expected, strlen(expected)))
        die("connection %d: expected %s..., found %.*s", connection->number, expected, (int)frame->size, frame->body);
    client_advance(client);
}

static inline void client_upgraded(struct connection *connection) {
    struct client *client = (struct client *)connection;
    if (!client->protocol->greeting) client_advance(client);
}

/* Connect a client whose protocol, group and `take_when_ready` are set. */
static inline void client_open(struct client *client, int number, const char *target) {
    client->stage = STAGE_GREETING;
    client->connection.number = number;
    client->connection.on_upgrade = client_upgraded;
    client->connection.take = client_take_opening;
    client->connection.subprotocol = client->protocol->subprotocol;
    connection_open(&client->connection, clients.port, target);
}

/* Let the network have a turn; end when nothing has come for too long. */
static inline void clients_turn(int milliseconds, void (*after)(struct connection *), const char *what) {
    int longest = (int)(clients.patience * 1000);
    if (network_turn(milliseconds < longest ? milliseconds : longest, after) || !clients.progress) {
        clients.progress = now_ns();
    } else if ((double)(now_ns() - clients.progress) >= clients.patience * 1e9) {
        die("nothing has come for %g seconds: %s", clients.patience, what);
    }
}

/* Wait until so many clients are ready. */
static inline void clients_await(size_t count) {
    while (clients.ready < count) clients_turn(1000, NULL, "a client is waiting to be connected");
}

/* Open one more, without asking too many at once of the server. */
static inline void clients_add(struct client *client, size_t opened_before, const char *target) {
    client_open(client, (int)opened_before, target);
    if (opened_before >= OPENING_AT_ONCE) clients_await(opened_before - OPENING_AT_ONCE);
}

/* Let what the server has still to do be done before anything is measured. */
static inline void clients_settle(double seconds) {
    for (uint64_t end = now_ns() + (uint64_t)(seconds * 1e9); now_ns() < end;) network_turn(10, NULL);
}

/* Begin to measure after the warm-up; return whether the measured time is over. */
static inline bool clients_measured(struct measuring *measuring, uint64_t warm) {
    if (!measuring->open && now_ns() >= warm) measuring_begin(measuring);
    return measuring_over(measuring, now_ns());
}

#endif
