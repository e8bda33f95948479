/* A connection to the server: TCP, as it is. */
#ifndef WIRE_H
#define WIRE_H

#include "measure.h"

struct wire {
    int fd;
};

static inline void wire_open(struct wire *wire, long port, int number) { wire->fd = dial(port, number); }

/* As read(): -1 with EAGAIN while nothing has come, 0 at the end. */
static inline ssize_t wire_read(struct wire *wire, void *to, size_t room) { return read(wire->fd, to, room); }

static inline void wire_write(struct wire *wire, const void *from, size_t size) {
    if (write(wire->fd, from, size) != (ssize_t)size) die("a request was not taken whole: %s", strerror(errno));
}

#endif
