"""A hub: its connections, what they may do, what they asked for, and what goes out to them."""
