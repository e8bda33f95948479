"""A run in which everything goes wrong at once, and every message is checked."""
