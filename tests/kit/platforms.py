"""Where source text uses what only some systems have, and what stands around such a place.

Type checks for other systems (``scripts/check``) know every name that a system lacks. They do not know of
options that are taken everywhere and work only somewhere, and they do not say that there is another way.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Windows has none of these. What it has under the name of SO_REUSEADDR is something else.
NAMES: Final = frozenset(
    {
        *("AF_UNIX", "O_CLOEXEC", "SO_REUSEADDR", "SO_REUSEPORT"),
        *("chmod", "chown", "fchmod", "lchmod", "mkfifo", "umask"),
        *("fork", "forkpty", "getpgid", "killpg", "setpgid", "setsid", "posix_spawn", "waitpid"),
        *("getegid", "geteuid", "getgid", "getgroups", "getuid", "setegid", "seteuid", "setgid", "setuid"),
        *("add_signal_handler", "remove_signal_handler", "alarm", "pause", "setitimer", "sigwait"),
        *("create_unix_connection", "create_unix_server", "open_unix_connection", "start_unix_server"),
        *("add_reader", "add_writer", "remove_reader", "remove_writer"),
        *("sched_getaffinity", "sched_setaffinity", "getloadavg", "uname", "tzset"),
    }
)
MODULES: Final = frozenset(
    {
        *("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "uvloop"),
        *("msvcrt", "winreg", "_winapi"),  # and these only Windows
    }
)
# Of calls that start processes, open sockets by number, or share an address.
KEYWORDS: Final = frozenset(
    {"pass_fds", "preexec_fn", "process_group", "start_new_session", "fileno", "reuse_port"}
)
_SIGNAL: Final = re.compile(r"SIG(?!INT$|TERM$)[A-Z0-9]+")
_PATH: Final = re.compile(r"/(proc|dev|tmp|etc|var|usr|run|sys)/")


@dataclass(frozen=True)
class Place:
    """One use of something that not every system has.

    Attributes:
        what: Its name; a file mode as it is written.
        line: Where it is.
        around: The nodes around it, the module first, and the node itself at the end.
    """

    what: str
    line: int
    around: tuple[ast.AST, ...]

    @property
    def asks_the_platform(self) -> bool:
        """Whether an ``if`` around it asks for the system, or for a name of it."""
        tests = [ast.unparse(node.test) for node in self.around if isinstance(node, ast.If | ast.IfExp)]
        return any("sys.platform" in test or "hasattr(" in test for test in tests)

    def is_tried(self, error: str) -> bool:
        """Whether it stands in a ``try`` that goes on after this error."""
        return any(
            isinstance(node, ast.Try)
            and inner in node.body
            and any(
                handler.type is not None and ast.unparse(handler.type) == error for handler in node.handlers
            )
            for node, inner in zip(self.around, self.around[1:], strict=False)
        )

    @property
    def has_default(self) -> bool:
        """Whether it is asked for by name with a value for where it is missing."""
        call = self.around[-2]
        return isinstance(call, ast.Call) and _is_getattr(call) and len(call.args) == 3

    @property
    def is_a_mode(self) -> bool:
        """Whether it is the mode of a new file or folder, which Windows overlooks."""
        call = next(node for node in reversed(self.around) if isinstance(node, ast.Call))
        return ast.unparse(call.func).rpartition(".")[2] in {"open", "mkdir"}

    @property
    def function(self) -> str:
        """The class and function it is in."""
        kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        return ".".join(node.name for node in self.around if isinstance(node, kinds))


def places(text: str) -> Iterator[Place]:
    """Yield each place of source text."""
    for around in _walk((ast.parse(text),)):
        for what in _whats(around[-2], around[-1], text):
            yield Place(what, getattr(around[-1], "lineno", 0), around)


def _walk(around: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, ...]]:
    for child in ast.iter_child_nodes(around[-1]):
        yield (*around, child)
        yield from _walk((*around, child))


def _whats(parent: ast.AST, node: ast.AST, text: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (root for alias in names if (root := alias.name.partition(".")[0]) in MODULES)
        case ast.ImportFrom(module=str(module), names=names, level=0):
            yield from {module.partition(".")[0]} & MODULES
            yield from (alias.name for alias in names if _is_name(alias.name))
        case ast.Attribute(attr=name) if _is_name(name):
            yield name
        case ast.keyword(arg=str(name)) if name in KEYWORDS:
            yield name
        case ast.Constant(value=str(name)) if _PATH.match(name) or (_is_name(name) and _is_getattr(parent)):
            yield name
        case ast.Constant(value=int()) if "0o" in text:
            if (mode := ast.get_source_segment(text, node) or "").startswith("0o"):
                yield mode


def _is_name(name: str) -> bool:
    return name in NAMES or _SIGNAL.fullmatch(name) is not None


def _is_getattr(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr"
