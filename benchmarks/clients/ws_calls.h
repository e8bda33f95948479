/* Each client asks one question after the other, the next when the last is answered. */
#ifndef WS_CALLS_H
#define WS_CALLS_H

#include "ws_clients.h"

struct asker {
    struct client client; /* first, for casts */
    uint64_t number;      /* of the question that is open */
    uint64_t since;
    struct text answer;   /* what it expects */
    bool is_waiting;
};

static struct {
    const struct load_options *options;
    const struct call *call;
    struct measuring *measuring;
    struct asker *askers;
    uint64_t begin, asked; /* at a rate: when it began, and how many questions were asked since */
    bool is_over;
} calls;

static inline void calls_ask(struct asker *asker, uint64_t since) {
    static struct text question;
    static char *data;
    size_t size = (size_t)calls.options->size, written = 0;
    if (!data) data = malloc(size + 64);
    asker->number++;
    while (written < size)
        written += (size_t)snprintf(data + written, 64, "%06d.%012llu-", asker->client.connection.number,
                                    (unsigned long long)asker->number);
    struct values values = {"nobody", asker->number, data, size};
    question.size = asker->answer.size = 0;
    expand(&question, calls.call->question, &values);
    expand(&asker->answer, calls.call->answer, &values);
    asker->since = since;
    asker->is_waiting = true;
    connection_send_frame(&asker->client.connection, asker->client.protocol->opcode, question.data, question.size);
}

static inline void calls_take(struct connection *connection, const struct frame *frame) {
    struct asker *asker = (struct asker *)connection;
    if (!asker->is_waiting) die("connection %d: an answer nobody asked for", connection->number);
    if (frame->opcode != asker->client.protocol->opcode || !text_is(&asker->answer, frame))
        die("connection %d: expected %.*s, found %.*s", connection->number, (int)asker->answer.size, asker->answer.data,
            (int)frame->size, frame->body);
    measuring_count(calls.measuring, 1, network.now - asker->since);
    asker->is_waiting = false;
    if (!calls.is_over && calls.options->rate <= 0) calls_ask(asker, network.now);
}

/* At a rate: ask all that is due, each client in its turn; who still waits lets all wait. */
static inline void calls_ask_due(void) {
    for (uint64_t now = now_ns(), due; ; calls.asked++) {
        struct asker *asker = &calls.askers[calls.asked % (uint64_t)calls.options->clients];
        due = calls.begin + (uint64_t)((double)calls.asked * 1e9 / calls.options->rate);
        if (due > now || asker->is_waiting) return;
        calls_ask(asker, due);
    }
}

static inline size_t calls_open(void) {
    size_t open = 0;
    for (long i = 0; i < calls.options->clients; i++) open += calls.askers[i].is_waiting;
    return open;
}

static inline void calls_connect(void) {
    const struct protocol *protocol = protocol_named(calls.options->protocol);
    calls.askers = calloc((size_t)calls.options->clients, sizeof *calls.askers);
    for (long i = 0; i < calls.options->clients; i++) {
        calls.askers[i].client = (struct client){.protocol = protocol, .take_when_ready = calls_take};
        clients_add(&calls.askers[i].client, (size_t)i, targets.lines[(size_t)i % targets.count]);
    }
    clients_await((size_t)calls.options->clients);
    clients_settle(calls.options->settle);
}

static inline void calls_begin(void) {
    calls.begin = now_ns();
    if (calls.options->rate > 0) return;
    for (long i = 0; i < calls.options->clients; i++) calls_ask(&calls.askers[i], calls.begin);
}

static inline void calls_run(const struct load_options *options, struct measuring *measuring) {
    calls.options = options;
    calls.call = call_named(options->call);
    calls.measuring = measuring;
    calls_connect();
    calls_begin();
    uint64_t warm = calls.begin + (uint64_t)(options->warm_up * 1e9);
    while (!clients_measured(measuring, warm)) {
        if (options->rate > 0) calls_ask_due();
        clients_turn(options->rate > 0 ? 1 : 1000, NULL, "a question is not answered");
    }
    measuring_end(measuring);
    for (calls.is_over = true; calls_open();) clients_turn(1000, NULL, "a question is not answered");
}

#endif
