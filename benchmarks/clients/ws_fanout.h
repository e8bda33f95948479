/* Publishers send to groups, each subscriber must get every message of its group once, whole and in order.
 *
 * Closed loop: so many messages of each group are in flight; the next is sent when all its subscribers have
 * the oldest. Open loop: messages are sent at a rate, to one group after the other; their latency counts from
 * when they were due.
 */
#ifndef WS_FANOUT_H
#define WS_FANOUT_H

#include "ws_clients.h"

/* A message that not all subscribers have yet. */
struct flight {
    struct text delivered; /* the message as they get it; without their own number of it */
    uint64_t since;
    size_t missing;        /* how many do not have it */
};

struct group {
    char name[24];
    size_t subscribers;
    uint64_t sent, complete;
    struct flight *flights; /* message n is in n % in_flight */
};

struct subscriber {
    struct client client; /* first, for casts */
    struct group *group;
    uint64_t next;        /* the message of the group that must come */
    uint64_t received;    /* all of this connection, which reliable protocols number */
    uint64_t confirmed, confirmed_at;
};

static const struct load_options *fanout;
static struct measuring *fanout_measuring;

/* Clients of reliable protocols confirm when that many messages are not confirmed, or some for a second. */
#define CONFIRM_AFTER 300
#define CONFIRM_NS 1000000000u

/* Return where a connection's own number of the message stands, after the message of the group. */
static inline const char *fanout_check(const struct subscriber *subscriber, const struct flight *flight,
                                       const struct frame *frame) {
    const struct text *expected = &flight->delivered;
    if (frame->opcode == subscriber->client.protocol->opcode && frame->size >= expected->size &&
        !memcmp(frame->body, expected->data, expected->size))
        return frame->body + expected->size;
    die("connection %d: expected message %llu of %s with opcode %d:\n%.*s\nfound one with opcode %d:\n%.*s",
        subscriber->client.connection.number, (unsigned long long)subscriber->next, subscriber->group->name,
        subscriber->client.protocol->opcode, (int)expected->size, expected->data, frame->opcode, (int)frame->size,
        frame->body);
}

/* Check what comes after the message: nothing, or the connection's own number of it. */
static inline void fanout_check_number(struct subscriber *subscriber, const char *at, const char *end) {
    const char *number_end = subscriber->client.protocol->number_end;
    uint64_t number = 0;
    subscriber->received++;
    if (number_end) {
        for (; at < end && *at >= '0' && *at <= '9'; at++) number = number * 10 + (uint64_t)(*at - '0');
        size_t size = strlen(number_end);
        if (number == subscriber->received && (size_t)(end - at) == size && !memcmp(at, number_end, size)) return;
    } else if (at == end) {
        return;
    }
    die("connection %d: expected its message %llu, found %llu and %d bytes: %.*s", subscriber->client.connection.number,
        (unsigned long long)subscriber->received, (unsigned long long)number, (int)(end - at), (int)(end - at), at);
}

static inline void fanout_take(struct connection *connection, const struct frame *frame) {
    struct subscriber *subscriber = (struct subscriber *)connection;
    struct group *group = subscriber->group;
    if (subscriber->next == group->sent)
        die("connection %d: got a message that nobody sent to it: %.*s", connection->number, (int)frame->size,
            frame->body);
    struct flight *flight = &group->flights[subscriber->next % (uint64_t)fanout->in_flight];
    fanout_check_number(subscriber, fanout_check(subscriber, flight, frame), frame->body + frame->size);
    subscriber->next++;
    if (!--flight->missing) group->complete++;
    measuring_count(fanout_measuring, 1, network.now - flight->since);
}

static inline void fanout_confirm(struct connection *connection) {
    struct client *client = (struct client *)connection;
    struct subscriber *subscriber = (struct subscriber *)connection;
    if (!client->protocol->confirm || connection->take != fanout_take) return;
    uint64_t open = subscriber->received - subscriber->confirmed;
    if (open < CONFIRM_AFTER && (!open || network.now - subscriber->confirmed_at < CONFIRM_NS)) return;
    static struct text message;
    message.size = 0;
    expand(&message, client->protocol->confirm, &(struct values){.number = subscriber->received});
    connection_send_frame(connection, client->protocol->opcode, message.data, message.size);
    subscriber->confirmed = subscriber->received;
    subscriber->confirmed_at = network.now;
}

/* Others are in no group and get nothing. */
static inline void fanout_take_unexpected(struct connection *connection, const struct frame *frame) {
    die("connection %d: got a message and is in no group: %.*s", connection->number, (int)frame->size, frame->body);
}

/* What servers say to publishers (that a message is queued, say) is of no interest here. */
static inline void fanout_take_nothing(struct connection *connection, const struct frame *frame) {
    (void)connection, (void)frame;
}

static inline bool fanout_has_room(const struct group *group) {
    return group->sent - group->complete < (uint64_t)fanout->in_flight;
}

/* The data of a message: which one it is, over and over until it is long enough. */
static inline const char *fanout_data(const struct group *group) {
    static char *data;
    size_t size = (size_t)fanout->size, written = 0;
    if (!data) data = malloc(size + 64);
    while (written < size)
        written += (size_t)snprintf(data + written, 64, "%s.%012llu-", group->name, (unsigned long long)group->sent);
    return data;
}

/* Send the next message of a group, for now into the queue of its publisher only. */
static inline void fanout_publish(struct group *group, struct client *publisher, const struct protocol *protocol,
                                  uint64_t since) {
    static struct text published;
    struct flight *flight = &group->flights[group->sent % (uint64_t)fanout->in_flight];
    struct values values = {group->name, group->sent, fanout_data(group), (size_t)fanout->size};
    flight->since = since;
    flight->missing = group->subscribers;
    flight->delivered.size = published.size = 0;
    expand(&flight->delivered, protocol->delivered, &values);
    expand(&published, publisher->protocol->publish, &values);
    frame_write(&publisher->connection.queued, publisher->protocol->opcode, published.data, published.size);
    group->sent++;
}

struct fanout_state {
    const struct protocol *protocol;
    struct group *groups;
    struct subscriber *subscribers;
    struct client *publishers;
    uint64_t begin, published; /* open loop: when it began, and how many were published since */
};

static inline void fanout_publish_to(struct fanout_state *state, long group, uint64_t since) {
    fanout_publish(&state->groups[group], &state->publishers[group % fanout->publishers], state->protocol, since);
}

static inline void fanout_fill(struct fanout_state *state) {
    uint64_t now = now_ns();
    for (long i = 0; i < fanout->groups; i++)
        while (fanout_has_room(&state->groups[i])) fanout_publish_to(state, i, now);
}

static inline uint64_t fanout_due(const struct fanout_state *state) {
    return state->begin + (uint64_t)((double)state->published * 1e9 / fanout->rate);
}

/* Publish all that is due. A group without room stops all: its messages stay due, and get late. */
static inline void fanout_publish_due(struct fanout_state *state) {
    for (uint64_t now = now_ns(), due; (due = fanout_due(state)) <= now; state->published++) {
        long group = (long)(state->published % (uint64_t)fanout->groups);
        if (!fanout_has_room(&state->groups[group])) return;
        fanout_publish_to(state, group, due);
    }
}

static inline int fanout_pause(const struct fanout_state *state) {
    if (fanout->rate <= 0) return 1000;
    uint64_t now = now_ns(), due = fanout_due(state);
    return due <= now ? 1 : (int)((due - now) / 1000000);
}

static inline void fanout_turn(struct fanout_state *state, bool publishes) {
    if (publishes) (fanout->rate > 0 ? fanout_publish_due : fanout_fill)(state);
    for (long i = 0; i < fanout->publishers; i++) connection_flush(&state->publishers[i].connection);
    clients_turn(publishes ? fanout_pause(state) : 1000, fanout_confirm, "a message is lost");
}

static inline const char *fanout_target(long number) {
    return targets.lines[(size_t)number % targets.count];
}

static inline void fanout_connect_subscribers(struct fanout_state *state) {
    state->groups = calloc((size_t)fanout->groups, sizeof *state->groups);
    state->subscribers = calloc((size_t)fanout->clients, sizeof *state->subscribers);
    for (long i = 0; i < fanout->groups; i++) {
        snprintf(state->groups[i].name, sizeof state->groups[i].name, "g%ld", i);
        state->groups[i].flights = calloc((size_t)fanout->in_flight, sizeof(struct flight));
    }
    struct client kind = {.protocol = state->protocol, .take_when_ready = fanout_take};
    for (long i = 0; i < fanout->clients; i++) {
        struct subscriber *subscriber = &state->subscribers[i];
        subscriber->group = &state->groups[i % fanout->groups];
        subscriber->group->subscribers++;
        subscriber->client = kind;
        subscriber->client.group = subscriber->group->name;
        clients_add(&subscriber->client, (size_t)i, fanout_target(i));
    }
}

static inline struct client *fanout_connect_more(size_t before, long count, struct client kind, const char *target) {
    struct client *more = calloc((size_t)count + 1, sizeof *more);
    for (long i = 0; i < count; i++) {
        more[i] = kind;
        clients_add(&more[i], before + (size_t)i, target ? target : fanout_target(i));
    }
    return more;
}

static inline void fanout_connect(struct fanout_state *state) {
    const char *published = fanout->publisher_protocol ? fanout->publisher_protocol : fanout->protocol;
    struct client publisher = {.protocol = protocol_named(published), .take_when_ready = fanout_take_nothing};
    struct client other = {.protocol = protocol_named(fanout->protocol), .take_when_ready = fanout_take_unexpected};
    size_t connected = (size_t)fanout->clients;
    state->protocol = other.protocol;
    fanout_connect_subscribers(state);
    state->publishers = fanout_connect_more(connected, fanout->publishers, publisher, fanout->publisher_target);
    connected += (size_t)fanout->publishers;
    fanout_connect_more(connected, fanout->others, other, NULL);
    clients_await(connected + (size_t)fanout->others);
    clients_settle(fanout->settle);
}

static inline bool fanout_is_complete(const struct fanout_state *state) {
    for (long i = 0; i < fanout->groups; i++)
        if (state->groups[i].complete < state->groups[i].sent) return false;
    return true;
}

/* After the measured time all messages must still come, and no others. */
static inline void fanout_run(const struct load_options *options, struct measuring *measuring) {
    struct fanout_state state = {0};
    fanout = options;
    fanout_measuring = measuring;
    fanout_connect(&state);
    state.begin = now_ns();
    uint64_t warm = state.begin + (uint64_t)(options->warm_up * 1e9);
    while (!clients_measured(measuring, warm)) {
        fanout_turn(&state, true);
    }
    measuring_end(measuring);
    while (!fanout_is_complete(&state)) fanout_turn(&state, false);
    clients_settle(0.05);
}

#endif
