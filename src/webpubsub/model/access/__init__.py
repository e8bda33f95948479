"""Where a service is, and the keys, tokens and signatures that open it."""
