"""Side-by-side measurements: our real commands, their peers and C limit programs, in one run.

::

    make bench                          # everything, in less than ten minutes
    make bench WHAT=fanout              # one part; WHAT="webhook rest" for several
    python -m benchmarks --list         # what there is

    __main__.py    the command
    parts/         what is measured: one module a part, its rows as a table
    rounds.py      how: interleaved rounds, medians
    goals.py       what must hold
    ours.py        our commands        others.py    peers and limits
    servers.py     processes under test, pinned to the first core
    load.py        the load clients, pinned to the second
    http.py        HTTP load           realtime.py  WebSocket load
    programs.py    what is compiled and installed before
    machine.py     cores, CPU time, memory
    curves.py      the other way to measure: how a cost grows
    report.py      the table on screen, the JSON, the page in docs/
    charts.py      the charts in docs/

    clients/       load clients: in C, and callers in Python where the caller is what is measured
    limits/        what a C program reaches
    peers/         the others, in node and Python
"""
