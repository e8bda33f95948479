/* What clients and servers say to each other, as a table: one row a subprotocol.
 *
 * Messages are templates: $g is the group, $n a number, $d the data; $( and $) enclose what protobuf puts the
 * size before. Servers must answer with exactly what the template gives, byte for byte.
 */
#ifndef WS_PROTOCOLS_H
#define WS_PROTOCOLS_H

#include "websocket.h"

struct protocol {
    const char *name;
    const char *subprotocol;  /* NULL: the client asks for none */
    enum opcode opcode;
    const char *greeting;     /* the server's first message begins so; NULL: it says nothing */
    const char *hello;        /* the client's answer to it, and how the answer to that begins; or NULL */
    const char *welcome;
    const char *join;         /* how a client joins a group; NULL: its target says it */
    const char *joined;
    const char *publish;
    const char *delivered;
    const char *number_end;   /* after `delivered` come the connection's own number of the message and this */
    const char *confirm;      /* how a client confirms all messages up to a number */
};

#define JSON_GREETING "{\"type\":\"system\",\"event\":\"connected\","
#define JSON_JOIN "{\"type\":\"joinGroup\",\"group\":\"$g\",\"ackId\":1}"
#define JSON_JOINED "{\"type\":\"ack\",\"ackId\":1,\"success\":true}"
#define JSON_PUBLISH "{\"type\":\"sendToGroup\",\"group\":\"$g\",\"dataType\":\"text\",\"data\":\"$d\"}"
#define JSON_DELIVERED "{\"type\":\"message\",\"from\":\"group\",\"group\":\"$g\",\"dataType\":\"text\",\"data\":\"$d\""

static const struct protocol PROTOCOLS[] = {
    {.name = "json", .subprotocol = "json.webpubsub.azure.v1", .opcode = OPCODE_TEXT,
     .greeting = JSON_GREETING, .join = JSON_JOIN, .joined = JSON_JOINED,
     .publish = JSON_PUBLISH, .delivered = JSON_DELIVERED "}"},
    {.name = "json-reliable", .subprotocol = "json.reliable.webpubsub.azure.v1", .opcode = OPCODE_TEXT,
     .greeting = JSON_GREETING, .join = JSON_JOIN, .joined = JSON_JOINED,
     .publish = JSON_PUBLISH, .delivered = JSON_DELIVERED ",\"sequenceId\":", .number_end = "}",
     .confirm = "{\"type\":\"sequenceAck\",\"sequenceId\":$n}"},
    {.name = "protobuf", .subprotocol = "protobuf.webpubsub.azure.v1", .opcode = OPCODE_BINARY,
     .greeting = "\x1a", .join = "\x32$(\x0a$($g$)\x10\x01$)", .joined = "\x0a\x04\x08\x01\x10\x01",
     .publish = "\x0a$(\x0a$($g$)\x1a$(\x0a$($d$)$)$)",
     .delivered = "\x12$(\x0a\x05group\x12$($g$)\x1a$(\x0a$($d$)$)$)"},
    {.name = "raw", .opcode = OPCODE_TEXT, .publish = "$d", .delivered = "$d"},
    {.name = "socket.io", .opcode = OPCODE_TEXT,
     .greeting = "0{", .hello = "40", .welcome = "40{",
     .join = "421[\"join\",\"$g\"]", .joined = "431[]",
     .publish = "42[\"send\",\"$g\",\"$d\"]", .delivered = "42[\"message\",\"$g\",\"$d\"]"},
    {.name = NULL},
};

/* A question and its answer; $n is the number of the question in its connection, $d names both. */
struct call {
    const char *name;
    const char *question;
    const char *answer;
};

static const struct call CALLS[] = {
    {"send", "{\"type\":\"sendToGroup\",\"group\":\"$g\",\"ackId\":$n,\"dataType\":\"text\",\"data\":\"$d\"}",
     "{\"type\":\"ack\",\"ackId\":$n,\"success\":true}"},
    {"event", "{\"type\":\"event\",\"event\":\"message\",\"dataType\":\"text\",\"data\":\"$d\"}",
     "{\"type\":\"message\",\"from\":\"server\",\"dataType\":\"text\",\"data\":\"$d\"}"},
    {"socket.io", "42$n[\"send\",\"$g\",\"$d\"]", "43$n[]"},
    {NULL, NULL, NULL},
};

static inline const struct protocol *protocol_named(const char *name) {
    for (const struct protocol *protocol = PROTOCOLS; protocol->name; protocol++)
        if (!strcmp(protocol->name, name)) return protocol;
    die("there is no protocol '%s'", name);
}

static inline const struct call *call_named(const char *name) {
    for (const struct call *call = CALLS; call->name; call++)
        if (!strcmp(call->name, name)) return call;
    die("there is no call '%s'", name);
}

struct values {
    const char *group;
    uint64_t number;
    const char *data;
    size_t data_size;
};

static inline void text_add_number(struct text *text, uint64_t number) {
    char digits[24];
    text_add(text, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number));
}

/* Put the size of what stands from `begin` on before it, as a varint. */
static inline void text_enclose(struct text *text, size_t begin) {
    unsigned char varint[10];
    size_t size = text->size - begin, length = 0;
    for (size_t rest = size; length == 0 || rest; rest >>= 7)
        varint[length++] = (rest & 0x7f) | (rest > 0x7f ? 0x80 : 0);
    text_room(text, length);
    memmove(text->data + begin + length, text->data + begin, size);
    memcpy(text->data + begin, varint, length);
    text->size += length;
}

/* Add a message to a text. */
static inline void expand(struct text *out, const char *template, const struct values *values) {
    size_t begins[8], depth = 0;
    for (const char *at = template; *at; at++) {
        if (*at != '$') {
            text_add(out, at, 1);
            continue;
        }
        switch (*++at) {
        case 'g': text_add(out, values->group, strlen(values->group)); break;
        case 'n': text_add_number(out, values->number); break;
        case 'd': text_add(out, values->data, values->data_size); break;
        case '(': begins[depth++] = out->size; break;
        case ')': text_enclose(out, begins[--depth]); break;
        default: die("the template '%s' has no $%c", template, *at);
        }
    }
}

static inline bool text_is(const struct text *text, const struct frame *frame) {
    return text->size == frame->size && !memcmp(text->data, frame->body, text->size);
}

#endif
