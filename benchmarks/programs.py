"""What must be there before anything is measured: compiled C programs, installed peers. Done once.

Everything lands in ``benchmarks/.built/``, which may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

__all__ = [
    "BUILT",
    "HERE",
    "PYTHON",
    "compiled",
    "debian",
    "node_peer",
    "python_of_peers",
    "python_peer",
    "run",
    "sdk_client",
]

HERE: Final = Path(__file__).parent
BUILT: Final = HERE / ".built"
NODE: Final = HERE / "peers" / "node"
PYTHON: Final = HERE / "peers" / "python"
CFLAGS: Final = ("-D_GNU_SOURCE=", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{HERE / 'clients'}")


class Library(NamedTuple):
    """What a C program is linked with.

    Attributes:
        header: Is there when the library is.
        package: Brings it, on Debian.
        options: Of the linker.
    """

    header: Path
    package: str
    options: tuple[str, ...]


LIBRARIES: Final = {
    "https_load": Library(Path("/usr/include/openssl/ssl.h"), "libssl-dev", ("-lssl", "-lcrypto")),
}


@cache
def compiled(name: str) -> str:
    """Return the program of ``clients/NAME.c`` or ``limits/NAME.c``.

    Raises:
        RuntimeError: There is no C compiler, or the program is wrong.
    """
    source = next(
        path for path in (HERE / "clients" / f"{name}.c", HERE / "limits" / f"{name}.c") if path.exists()
    )
    includes = sorted((HERE / "clients").glob("*.[ch]"))
    digest = _digest(source, *includes)
    program = BUILT / f"{name}-{digest}"
    if not program.exists():
        BUILT.mkdir(exist_ok=True)
        run("cc", *CFLAGS, "-o", str(program), str(source), "-lm", *_linked(name))
    return str(program)


def _linked(name: str) -> tuple[str, ...]:
    """Return the linker's options for a program; its library is installed if it is not there."""
    library = LIBRARIES.get(name)
    if library is None:
        return ()
    if not library.header.exists():
        _install(library.package)
    return library.options


@cache
def node_peer(script: str) -> tuple[str, ...]:
    """Return the command that runs ``peers/node/SCRIPT`` with its packages from npm."""
    lock = NODE / "package-lock.json"
    marker = NODE / "node_modules" / f".installed-{_digest(lock)}"
    if not marker.exists():
        run("npm", "ci", "--no-audit", "--no-fund", cwd=NODE)
        marker.touch()
    return ("node", str(NODE / script))


@cache
def python_peer(script: str) -> tuple[str, ...]:
    """Return the command that runs ``peers/python/SCRIPT`` with its packages from PyPI."""
    return (python_of_peers(), str(PYTHON / script))


@cache
def sdk_client(script: str) -> tuple[str, ...]:
    """Return the command that runs ``clients/SCRIPT``, which uses the official SDK."""
    return (python_of_peers(), str(HERE / "clients" / script))


@cache
def python_of_peers() -> str:
    """Return the interpreter that has the packages of the peers in Python."""
    requirements = PYTHON / "requirements.txt"
    environment = BUILT / f"python-{_digest(requirements)}"
    if not environment.exists():
        BUILT.mkdir(exist_ok=True)
        unfinished = environment.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        run(sys.executable, "-m", "venv", str(unfinished))
        run(str(unfinished / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(requirements))
        unfinished.rename(environment)
    return str(environment / "bin" / "python")


@cache
def debian(program: str, *packages: str) -> str:
    """Return a program of Debian packages, installed if it is not there.

    Raises:
        RuntimeError: It cannot be installed.
    """
    found = _find(program)
    if found is None:
        _install(*packages)
        found = _find(program)
    if found is None:
        raise RuntimeError(f"Debian's {' '.join(packages)} has no program {program}")
    return found


def _install(*packages: str) -> None:
    run("apt-get", "install", "--yes", "--no-install-recommends", *packages)


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a command to its end.

    Raises:
        RuntimeError: It is not there, or it fails.
    """
    print("benchmarks:", *command, file=sys.stderr)
    try:
        done = subprocess.run(
            command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError as error:
        raise RuntimeError(
            f"{command[0]} is needed to prepare the benchmarks and is not installed"
        ) from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
