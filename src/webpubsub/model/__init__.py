"""Values and pure functions shared by functions, host and service: no sockets, no clock, no globals."""
