"""Timers: when they run, and what they remember."""
