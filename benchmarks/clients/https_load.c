/* http_load over TLS: with --trust FILE, the certificate that the server must show. */
#define TLS
#include "http_load.c"
