"""The composition: which rooms run in this process, on which sockets, how they start, reload and end.

::

    run.py         the app, and the service for it, in one process
    reload.py      the same, with the app in a child that each change replaces
    workers.py     the app in several children
    standalone.py  the service alone

It raises this package's own errors, and knows no command line.
"""
