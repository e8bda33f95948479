"""Parsers fed with input that nobody wrote: mutations of good input, cut anywhere, compared with others."""
