"""The composition: which rooms run in this process, on which sockets, how they start, reload and end.

::

    run.py            webpubsub start: which parts live in which of its processes
    standalone.py     webpubsub service: the service alone
    options.py        the options of a start
    addresses.py      where a start listens, and which service its app uses
    process.py        the life of a process: its parts start, it is told to stop, they stop
    ending.py         the time there is for stopping, and the end of what does not

    served_app.py     the app in this process
    embedded.py       the service in this process
    in_process.py     both without HTTP between them
    child.py          the app in a child: what it inherits, and what it reports
    reload.py         one child, which each change of a file replaces
    workers.py        several children, which are started again when they end

    serving.py        sockets that listen, and their URLs
    tls.py            the certificate of a server
    overview.py       what is shown before Ready

It raises this package's own errors, and knows no command line.
"""
