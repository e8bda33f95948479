"""The command line.

::

    commands.py  the commands and their options, and what is told of those that are wrong

A command's work is done elsewhere, mostly by `webpubsub.server`.
"""
