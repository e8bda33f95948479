/* Answers of HTTP/1.1 as they come out of a socket: what is complete, and what is in it. */
#ifndef HTTP_ANSWERS_H
#define HTTP_ANSWERS_H

#include "measure.h"

/* One whole answer; its parts are in the buffer it was found in. */
struct answer {
    long status;
    const char *body;
    size_t body_size;
    size_t size; /* head and body together */
};

/* Where the value of a header begins, NULL if the head has none; `name` ends with ": ". */
static inline const char *answer_header(const char *head, const char *end, const char *name) {
    size_t size = strlen(name);
    for (const char *line = head; line < end;) {
        if ((size_t)(end - line) >= size && !strncasecmp(line, name, size)) return line + size;
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (!next) return NULL;
        line = next + 1;
    }
    return NULL;
}

/* Find a whole answer at the beginning of some bytes; false while more of them must come.
 * The byte after the last must be there and be NUL. */
static inline bool answer_read(const char *bytes, size_t size, struct answer *answer) {
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end) return false;
    if (strncmp(bytes, "HTTP/1.1 ", 9)) die("expected an answer of HTTP/1.1, found:\n%.*s", (int)size, bytes);
    answer->status = strtol(bytes + 9, NULL, 10);
    const char *length = answer_header(bytes, end, "Content-Length: ");
    /* What upgrades and 204 have no body, and need not say so (RFC 9112, section 6.3). */
    if (!length && answer->status != 101 && answer->status != 204)
        die("expected Content-Length, found:\n%.*s", (int)(end - bytes), bytes);
    answer->body = end + 4;
    answer->body_size = length ? strtoul(length, NULL, 10) : 0;
    answer->size = (size_t)(answer->body - bytes) + answer->body_size;
    return answer->size <= size;
}

/* Split a file of whole requests, one after the other; each has a Content-Length unless it is a GET. */
struct requests {
    struct bytes *each;
    size_t count;
};

static inline struct requests requests_of_file(const char *path) {
    struct bytes file = bytes_of_file(path);
    struct requests requests = {NULL, 0};
    for (char *at = file.data, *last = file.data + file.size; at < last;) {
        char *end = memmem(at, (size_t)(last - at), "\r\n\r\n", 4);
        if (!end) die("%s: request %zu has no end of its head", path, requests.count);
        const char *length = answer_header(at, end, "Content-Length: ");
        size_t size = (size_t)(end - at) + 4 + (length ? strtoul(length, NULL, 10) : 0);
        if (size > (size_t)(last - at)) die("%s: request %zu is cut off", path, requests.count);
        if (!(requests.count & (requests.count - 1))) /* room doubles: 1, 2, 4, ... */
            requests.each = realloc(requests.each, (requests.count ? 2 * requests.count : 1) * sizeof *requests.each);
        if (!requests.each) die("no memory for %s", path);
        requests.each[requests.count++] = (struct bytes){at, size};
        at += size;
    }
    if (!requests.count) die("%s has no request", path);
    return requests;
}

#endif
