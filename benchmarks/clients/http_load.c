/* HTTP requests over connections that stay open, the next one when the last is answered.
 *
 *     http_load --port 7071 --pids 12,34 --seconds 2 --connections 32 --requests FILE --status 200 --body ack
 *
 * The file has whole requests, head and body; with more than one they take turns. Every answer must have the
 * status, and the body or what it contains; the first one that has not ends the run.
 *
 * With --upgrades FILE (whole upgrade requests) as many WebSocket clients are connected first, to
 * --subscriber-port where it is another, and each request must give --receivers of them the frame of
 * --frame FILE, byte for byte. Then an operation is not an answer but a message that has come to all its
 * receivers, and at the end none may be missing; latencies are those of the answers all the same.
 */
#include "http_subscribers.h"
#include <signal.h>
#include <sys/epoll.h>
#ifdef TLS
#include "wire_tls.h"
#else
#include "wire.h"
#endif

#define WARM_UP_NS 100000000u
#define DRAIN_NS 10000000000u

/* A connection that has one request under way. */
struct caller {
    struct wire wire;
    uint64_t sent; /* when, in nanoseconds */
    size_t size;   /* of what came of the answer */
    char buffer[16384];
};

static struct measuring measuring;
static struct requests requests;
static struct subscribers subscribers;
static size_t next_request;
static uint64_t sent_requests, answered_requests;
static bool stopping; /* nothing more is sent */
static long status = 200, receivers = 0;
static const char *body, *contains;
static size_t body_size;

static void caller_send(struct caller *caller) {
    const struct bytes *request = &requests.each[next_request];
    if (++next_request == requests.count) next_request = 0;
    caller->size = 0;
    caller->sent = now_ns();
    wire_write(&caller->wire, request->data, request->size);
    sent_requests++;
}

static bool answer_is_right(const struct answer *answer) {
    if (answer->status != status) return false;
    if (body) return answer->body_size == body_size && !memcmp(answer->body, body, body_size);
    return !contains || memmem(answer->body, answer->body_size, contains, strlen(contains));
}

static void caller_read(struct caller *caller) {
    if (caller->size == sizeof caller->buffer - 1) die("an answer has over %zu bytes", caller->size);
    ssize_t got = wire_read(&caller->wire, caller->buffer + caller->size, sizeof caller->buffer - 1 - caller->size);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) die("the server closed a connection after %llu answers", (unsigned long long)answered_requests);
    caller->size += (size_t)got;
    caller->buffer[caller->size] = '\0';
    struct answer answer;
    if (!answer_read(caller->buffer, caller->size, &answer)) return;
    if (answer.size != caller->size || !answer_is_right(&answer))
        die("expected %ld and %s, found:\n%s", status, body ? body : contains ? contains : "any body", caller->buffer);
    answered_requests++;
    measuring_count(&measuring, receivers ? 0 : 1, now_ns() - caller->sent);
    if (!stopping) caller_send(caller);
}

/* Wait a little and take all that came; tokens below `callers` are callers, those above are subscribers. */
static void take(int events_of, struct caller *callers, size_t count) {
    static struct epoll_event events[512];
    int ready = epoll_wait(events_of, events, 512, 10);
    for (int i = 0; i < ready; i++) {
        size_t number = events[i].data.u64;
        if (number < count) caller_read(&callers[number]);
        else subscriber_read(&subscribers, &subscribers.each[number - count]);
    }
}

static void watch(int events_of, int fd, size_t number) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = number};
    if (epoll_ctl(events_of, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

/* After the measured time: every request is answered, and every message has come to everyone. */
static void drain(int events_of, struct caller *callers, size_t count) {
    uint64_t deadline = now_ns() + DRAIN_NS;
    stopping = true;
    while (answered_requests < sent_requests || subscribers.messages < sent_requests * (uint64_t)receivers) {
        if (now_ns() > deadline)
            die("%llu requests, %llu answers, %llu messages of %llu", (unsigned long long)sent_requests,
                (unsigned long long)answered_requests, (unsigned long long)subscribers.messages,
                (unsigned long long)(sent_requests * (uint64_t)receivers));
        take(events_of, callers, count);
    }
    if (subscribers.messages > sent_requests * (uint64_t)receivers) die("more messages came than were sent");
}

int main(int argc, char **argv) {
    long port = 0, subscriber_port = 0, connections = 32;
    const char *requests_file = NULL, *upgrades = NULL, *frame = NULL;
    const struct option_rule rules[] = {
        {"port", OPTION_NUMBER, &port},
        {"pids", OPTION_TEXT, &measuring.pids},
        {"seconds", OPTION_SECONDS, &measuring.seconds},
        {"connections", OPTION_NUMBER, &connections},
        {"requests", OPTION_TEXT, &requests_file},
        {"status", OPTION_NUMBER, &status},
        {"body", OPTION_TEXT, &body},
        {"contains", OPTION_TEXT, &contains},
        {"upgrades", OPTION_TEXT, &upgrades},
        {"subscriber-port", OPTION_NUMBER, &subscriber_port},
        {"frame", OPTION_TEXT, &frame},
        {"receivers", OPTION_NUMBER, &receivers},
#ifdef TLS
        {"trust", OPTION_TEXT, &wire_trust},
#endif
        {NULL, OPTION_TEXT, NULL},
    };
    options_parse(argc, argv, rules);
    signal(SIGPIPE, SIG_IGN); /* write() says it */
    if (!port || !measuring.pids || !requests_file) die("--port, --pids and --requests are needed");
    if (!upgrades != !receivers || !upgrades != !frame) die("--upgrades, --frame and --receivers go together");
    body_size = body ? strlen(body) : 0;
    requests = requests_of_file(requests_file);

    size_t count = (size_t)connections;
    int events_of = epoll_create1(EPOLL_CLOEXEC);
    struct caller *callers = calloc(count, sizeof *callers);
    if (events_of < 0 || !callers) die("no memory for connections");
    if (upgrades) subscribers_connect(&subscribers, subscriber_port ? subscriber_port : port, upgrades, frame);
    for (size_t i = 0; i < subscribers.count; i++) watch(events_of, subscribers.each[i].fd, count + i);
    for (size_t i = 0; i < count; i++) {
        wire_open(&callers[i].wire, port, (int)i);
        watch(events_of, callers[i].wire.fd, i);
    }
    for (size_t i = 0; i < count; i++) caller_send(&callers[i]);

    for (uint64_t warm = now_ns() + WARM_UP_NS; now_ns() < warm;) take(events_of, callers, count);
    uint64_t before = subscribers.messages;
    measuring_begin(&measuring);
    while (!measuring_over(&measuring, now_ns())) take(events_of, callers, count);
    measuring_end(&measuring);
    if (receivers) measuring.operations = (subscribers.messages - before) / (uint64_t)receivers;
    drain(events_of, callers, count);
    measuring_print(&measuring);
    return 0;
}
