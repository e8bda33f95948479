"""Runs functions: where, how long, how often."""
