/* WebSocket clients as a load.
 *
 *     ws_load --mode fanout --clients 1000 --in-flight 8    a publisher's messages to the clients of a group
 *     ws_load --mode fanout --groups 100 --rate 200         the same to groups in turn, so many a second
 *     ws_load --mode fanout --others 5000                   the same while others are connected and in no group
 *     ws_load --mode calls --call event --clients 200       each client one question after the other
 *     ws_load --mode connects --clients 64                  so many at a time come, get ready and go
 *     ws_load --mode idle --clients 5000                    they come and stay; prints the memory they cost
 *
 * All take --port, --pids, --seconds, --protocol and --targets FILE: paths and queries to connect with, one a
 * line, in turn. Every byte that a server sends is checked; the first wrong one ends the run.
 */
#include "ws_calls.h"
#include "ws_connects.h"
#include "ws_fanout.h"

typedef void mode_runner(const struct load_options *, struct measuring *);

static const struct {
    const char *name;
    mode_runner *run;
} MODES[] = {{"fanout", fanout_run}, {"calls", calls_run}, {"connects", connects_run}, {"idle", idle_run}};

static mode_runner *mode_named(const char *name) {
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
        if (!strcmp(MODES[i].name, name)) return MODES[i].run;
    die("there is no mode '%s'", name);
}

int main(int argc, char **argv) {
    static struct measuring measuring = {.pids = "", .seconds = 1};
    struct load_options options = {.protocol = "json", .call = "send", .clients = 1000, .groups = 1, .publishers = 1,
                                   .in_flight = 8, .size = 40, .warm_up = 0.2, .settle = 0.2};
    const char *mode = "fanout", *targets_path = NULL;
    options_parse(argc, argv, (struct option_rule[]){
        {"port", OPTION_NUMBER, &clients.port},
        {"pids", OPTION_TEXT, &measuring.pids},
        {"seconds", OPTION_SECONDS, &measuring.seconds},
        {"warm-up", OPTION_SECONDS, &options.warm_up},
        {"settle", OPTION_SECONDS, &options.settle},
        {"patience", OPTION_SECONDS, &clients.patience},
        {"mode", OPTION_TEXT, &mode},
        {"protocol", OPTION_TEXT, &options.protocol},
        {"targets", OPTION_TEXT, &targets_path},
        {"clients", OPTION_NUMBER, &options.clients},
        {"groups", OPTION_NUMBER, &options.groups},
        {"publishers", OPTION_NUMBER, &options.publishers},
        {"publisher-protocol", OPTION_TEXT, &options.publisher_protocol},
        {"publisher-target", OPTION_TEXT, &options.publisher_target},
        {"others", OPTION_NUMBER, &options.others},
        {"in-flight", OPTION_NUMBER, &options.in_flight},
        {"rate", OPTION_SECONDS, &options.rate},
        {"size", OPTION_NUMBER, &options.size},
        {"call", OPTION_TEXT, &options.call},
        {NULL, 0, NULL},
    });
    if (!targets_path) die("--targets is needed");
    targets_load(targets_path);
    network.epoll = epoll_create1(EPOLL_CLOEXEC);
    mode_named(mode)(&options, &measuring);
    measuring_print(&measuring);
    return 0;
}
