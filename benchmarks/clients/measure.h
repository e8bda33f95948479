/* What every load client has in common: options, time, CPU time, latencies, connections, the result.
 *
 * A client warms up, then calls measuring_begin(), counts answers with measuring_count() until
 * measuring_over() is true, calls measuring_end() and prints the result as one line of JSON, which is
 * benchmarks/load.py's `Load`.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* ---- Errors ---------------------------------------------------------------------------------------- */

/* Say on stderr what is wrong and end: a benchmark never goes on with an error. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* ---- Options --------------------------------------------------------------------------------------- */

enum option_kind { OPTION_TEXT, OPTION_NUMBER, OPTION_SECONDS };

/* `--NAME VALUE`; what `value` points at (const char *, long or double) keeps its default if it is absent. */
struct option_rule {
    const char *name;
    enum option_kind kind;
    void *value;
};

static inline void option_set(const struct option_rule *rule, const char *text) {
    char *end = NULL;
    switch (rule->kind) {
    case OPTION_TEXT: *(const char **)rule->value = text; return;
    case OPTION_NUMBER: *(long *)rule->value = strtol(text, &end, 10); break;
    case OPTION_SECONDS: *(double *)rule->value = strtod(text, &end); break;
    }
    if (end == text || *end != '\0') die("--%s: expected a number, found '%s'", rule->name, text);
}

/* Read all options; `rules` ends with a rule without a name. */
static inline void options_parse(int argc, char **argv, const struct option_rule *rules) {
    for (int i = 1; i < argc; i += 2) {
        const struct option_rule *rule = rules;
        while (rule->name && (strncmp(argv[i], "--", 2) || strcmp(argv[i] + 2, rule->name))) rule++;
        if (!rule->name) die("unknown option '%s'", argv[i]);
        if (i + 1 == argc) die("%s needs a value", argv[i]);
        option_set(rule, argv[i + 1]);
    }
}

/* ---- Time ------------------------------------------------------------------------------------------ */

static inline uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now)) die("clock_gettime: %s", strerror(errno));
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* Nanoseconds of a core that processes ("12,34") have had: all their threads, the ended ones too.
 * Their CPU clocks count nanoseconds, where /proc/PID/stat counts hundredths of a second. */
static inline uint64_t cpu_ns_of(const char *pids) {
    uint64_t sum = 0;
    for (const char *at = pids; *at;) {
        char *end;
        clockid_t clock;
        pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at) die("--pids: expected ids with commas between them, found '%s'", pids);
        if (clock_getcpuclockid(pid, &clock)) die("process %d is gone", (int)pid);
        sum += clock_ns(clock);
        at = *end == ',' ? end + 1 : end;
    }
    return sum;
}

/* ---- Latencies ------------------------------------------------------------------------------------- */

/* Counts of nanoseconds: 64 buckets for each power of two, so a percentile is at most 1.6 % off. */
#define LATENCY_STEPS 64

struct latencies {
    uint64_t counts[64 * LATENCY_STEPS];
    uint64_t total;
};

static inline void latencies_add(struct latencies *latencies, uint64_t ns) {
    unsigned shift = ns < LATENCY_STEPS ? 0 : 63u - 6u - (unsigned)__builtin_clzll(ns);
    latencies->counts[shift * LATENCY_STEPS + (ns >> shift)]++;
    latencies->total++;
}

/* Microseconds that `share` (0 to 1) of the latencies do not exceed. */
static inline double latencies_us(const struct latencies *latencies, double share) {
    uint64_t needed = (uint64_t)((double)latencies->total * share), seen = 0;
    for (unsigned i = 0; i < 64 * LATENCY_STEPS; i++) {
        seen += latencies->counts[i];
        if (!latencies->counts[i] || seen < needed) continue;
        /* The inverse of latencies_add: bucket i holds `low` to `low + width` nanoseconds. */
        unsigned shift = i < 2 * LATENCY_STEPS ? 0 : i / LATENCY_STEPS - 1;
        return (double)((uint64_t)(i - shift * LATENCY_STEPS + 1) << shift) / 1000.0;
    }
    return 0;
}

/* ---- The measured time ----------------------------------------------------------------------------- */

struct measuring {
    const char *pids;     /* the server's processes */
    double seconds;       /* how long to measure */
    bool open;            /* only what comes while it is counts */
    uint64_t operations;  /* answers or messages, all right */
    uint64_t wrong;       /* those that were not what they should be */
    struct latencies latencies;
    uint64_t wall, server, client; /* nanoseconds: at the beginning a reading, at the end the difference */
    int64_t server_bytes; /* by how much the server's memory grew; 0: not measured */
};

static inline void measuring_begin(struct measuring *measuring) {
    measuring->server = cpu_ns_of(measuring->pids);
    measuring->client = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    measuring->wall = now_ns();
    measuring->open = true;
}

static inline bool measuring_over(const struct measuring *measuring, uint64_t now) {
    return measuring->open && (double)(now - measuring->wall) >= measuring->seconds * 1e9;
}

/* Count operations that took so long each. */
static inline void measuring_count(struct measuring *measuring, uint64_t operations, uint64_t ns) {
    if (!measuring->open) return;
    measuring->operations += operations;
    latencies_add(&measuring->latencies, ns);
}

static inline void measuring_end(struct measuring *measuring) {
    measuring->wall = now_ns() - measuring->wall;
    measuring->server = cpu_ns_of(measuring->pids) - measuring->server;
    measuring->client = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - measuring->client;
    measuring->open = false;
}

static inline void measuring_print(const struct measuring *measuring) {
    printf("{\"operations\":%llu,\"wrong\":%llu,\"seconds\":%.6f,\"server_cpu_seconds\":%.6f,"
           "\"client_cpu_seconds\":%.6f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"server_bytes\":%lld}\n",
           (unsigned long long)measuring->operations, (unsigned long long)measuring->wrong,
           (double)measuring->wall / 1e9, (double)measuring->server / 1e9, (double)measuring->client / 1e9,
           latencies_us(&measuring->latencies, 0.5), latencies_us(&measuring->latencies, 0.99),
           (long long)measuring->server_bytes);
}

/* ---- Files and connections ------------------------------------------------------------------------- */

struct bytes {
    char *data;
    size_t size;
};

/* A whole file; a NUL follows its bytes. */
static inline struct bytes bytes_of_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die("%s: %s", path, strerror(errno));
    struct bytes bytes = {NULL, 0};
    for (size_t room = 0;;) {
        if (bytes.size + 1 >= room && !(bytes.data = realloc(bytes.data, room = 2 * room + 4096)))
            die("no memory for %s", path);
        size_t got = fread(bytes.data + bytes.size, 1, room - bytes.size - 1, file);
        bytes.size += got;
        if (!got) break;
    }
    if (ferror(file)) die("%s: cannot be read", path);
    fclose(file);
    bytes.data[bytes.size] = '\0';
    return bytes;
}

/* A connection to 127.0.0.1:PORT that does not block once it is there.
 * One address has too few ports for many connections: the `number`-th comes from 127.0.0.2 and up. */
static inline int dial(long port, int number) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket: %s", strerror(errno));
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + (unsigned)number / 20000u)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7f000001u)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) || connect(fd, (struct sockaddr *)&to, sizeof to))
        die("connection %d to port %ld: %s", number, port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

#endif
