"""Side-by-side measurements: our real commands, their peers and C limit programs, in one run.

::

    make bench                          # everything, in less than fifteen minutes
    make bench WHAT=fanout              # one part; WHAT="webhook rest" for several
    make bench ARGS="--against FOLDER"  # beside another checkout
    python -m benchmarks --list         # what there is

    __main__.py    the command
    parts/         what is measured: one module a part, its rows as a table
    rows.py        what a row is, and who is measured at it
    rounds.py      how: interleaved rounds, repeated when they are not steady
    standings.py   what comes of them: medians, spreads, ratios
    goals.py       what must hold
    ours.py        our commands, of this checkout or another
    others.py      peers and limits
    servers.py     processes under test, pinned to the first core
    load.py        the load clients, pinned to the second
    http.py        HTTP load           realtime.py  WebSocket load
    programs.py    what is compiled and installed before
    machine.py     cores, CPU time, memory
    curves.py      the other way to measure: how a cost grows
    report.py      the table on screen, the JSON, the page in docs/
    charts.py      the charts in docs/
    progress.py    how long a run still takes

    clients/       load clients: in C, and callers in Python where the caller is what is measured
    limits/        what a C program reaches
    peers/         the others, in node and Python
"""
