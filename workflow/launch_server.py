"""The server of ``launch.py``, which runs scripts in forks that have imported what it has.

    python workflow/launch_server.py SOCKET

Before it forks for a script it imports what the script imports, of packages and of the project, and
what its arguments name; what is imported later, the server then imports for those that follow. An
edit of the project is always seen: once a file has changed, the server runs a script as it is, and
leaves the next one to another server. It ends when it was idle for ``IDLE`` seconds.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from launch import INT, PASSED_ON, ROOT

IDLE = 30.0
PROJECT = "generalization"
MANY = 300  # new modules that moving memory is worth; what was written since then moves again
HUGE = 2 << 20
MADV_COLLAPSE = 25
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class _Child:
    """A script that runs in a fork.

    Attributes:
        connection: Socket of its client.
        imported: Read end of a pipe, into which it writes what it has imported of the project.
    """

    connection: socket.socket
    imported: int

    def end(self, code: int) -> None:
        """Import what the script has imported, and send the client its exit status."""
        with suppress(BlockingIOError):  # It was ended before it could say.
            _import(os.read(self.imported, 1 << 16).decode().split())
        with suppress(OSError):  # Maybe nobody waits for it any more.
            self.connection.sendall(code.to_bytes(4, "big", signed=True))
        self.connection.close()
        os.close(self.imported)


def serve(address: str) -> None:
    """Fork for every script, until none was asked for in a while, or the project has changed."""
    listener = _listener(address)
    project = _project_files()
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, _Child] = {}
    last, listening = time.monotonic(), True
    while running or listening:
        waiting = {child.connection: pid for pid, child in running.items()}
        ready, _, _ = select.select([woken, *waiting, *[listener] * listening], [], [], 1.0)
        if woken in ready:
            os.read(woken, 4096)
        for connection in waiting.keys() & set(ready):
            if not _pass_on(connection, waiting[connection]):
                os.kill(waiting[connection], signal.SIGKILL)
        last = _reap(running) or last
        if listening:
            arrived = _arrived(listener)
            # Whoever edits a file and then starts a script has its new contents.
            current = not arrived or _project_files() == project
            idle = not arrived and not running and time.monotonic() - last > IDLE
            if idle or not current:
                # Who has connected before is waited on, who comes later starts another server.
                with suppress(FileNotFoundError):  # Old files of a folder may be removed.
                    os.unlink(address)
                listening = current = False
                arrived += _arrived(listener)
            for connection in arrived:
                _accept(connection, listener, running, current=current)


def _listener(address: str) -> socket.socket:
    """Return a socket to which clients connect as soon as it is there."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    beside = f"{address}.{os.getpid()}"
    listener.bind(beside)
    listener.listen(512)
    listener.setblocking(False)
    os.rename(beside, address)
    return listener


def _project_files() -> dict[str, tuple[int, int]]:
    """Return when each file of the project was changed, and how long it is."""
    found, folders = {}, [f"{ROOT}/{PROJECT}"]
    for folder in folders:
        for entry in os.scandir(folder):
            if entry.name != "__pycache__" and entry.is_dir():
                folders.append(entry.path)
            elif entry.name.endswith(".py"):
                about = entry.stat()
                found[entry.path] = about.st_mtime_ns, about.st_size
    return found


def _import(names: Iterable[str]) -> None:
    """Import modules, and make forks of this process cheap."""
    before = len(sys.modules)
    for name in names:
        with suppress(Exception):  # The script says it better.
            import_module(name)
    added = len(sys.modules) - before
    if added:
        gc.collect()
        gc.freeze()  # Else the collector of a fork would write to all objects, and so copy them.
    if added >= MANY:
        with suppress(OSError, AttributeError):
            _use_huge_pages()


@cache
def _import_for(script: str) -> None:
    """Import what a script imports at its beginning, but for what lies beside it."""
    with suppress(OSError, SyntaxError, ValueError):
        _import(_kept(_imported_by(ast.parse(Path(script).read_bytes()))))


def _imported_by(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a script names in its imports, and what may be one."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _named_by(arguments: list[str]) -> Iterator[str]:
    """Yield the modules of the project that arguments name, as ``MODULE:FUNCTION``."""
    for argument in arguments:
        name, *_ = argument.split(":")
        if name.startswith(f"{PROJECT}.") and name not in sys.modules:
            yield name


def _kept(names: Iterable[str]) -> Iterator[str]:
    """Yield those of packages that are installed, or of the project."""
    places = sys.prefix, sys.base_prefix, f"{ROOT}/{PROJECT}"
    for name in names:
        about = find_spec(name.split(".")[0])
        if about is not None and (about.origin or "").startswith(places):
            yield name


def _use_huge_pages() -> None:
    """Put memory into pages of 2 MB where Linux can, since a fork copies an entry for each page."""
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, *_, inode = line.split(maxsplit=5)[:5]
        if rights.startswith("rw-p") and inode == "0":
            low, high = (int(end, 16) for end in place.split("-"))
            low, high = -(-low // HUGE) * HUGE, high // HUGE * HUGE
            if high > low:
                libc.madvise(low, high - low, MADV_COLLAPSE)


def _pass_on(connection: socket.socket, pid: int) -> bool:
    """Pass signals that a client received to its script; return false if the client is gone."""
    try:
        numbers = connection.recv(64)
    except OSError:
        return False
    for number in numbers:
        os.kill(pid, number)
    return bool(numbers)


def _reap(running: dict[int, _Child]) -> float | None:
    """Send clients the exit status of their scripts; return the time if any has ended."""
    ended = None
    for pid in list(running):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            child, ended = running.pop(pid), time.monotonic()
            child.end(os.waitstatus_to_exitcode(status))
    return ended


def _arrived(listener: socket.socket) -> list[socket.socket]:
    """Return the connections of clients that have come since."""
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(listener.accept()[0])
    return found


def _accept(
    connection: socket.socket,
    listener: socket.socket,
    running: dict[int, _Child],
    *,
    current: bool,
) -> None:
    """Fork a process that runs the script of a client.

    Args:
        connection: That of the client.
        listener: Where clients connect.
        running: The scripts that run, to which it is added.
        current: Whether the project is as it was when this process imported it.
    """
    asked, streams = _received(connection)
    if asked is None:
        connection.close()
        return
    request = marshal.loads(asked)
    if current:
        (script, *arguments), folder, *_ = request
        _import_for(os.path.join(folder, script))
        _import(_named_by(arguments))
    imported, say = os.pipe()
    os.set_blocking(imported, False)
    server, pid = os.getpid(), os.fork()
    if pid == 0:
        listener.close()
        for other in (connection, *(child.connection for child in running.values())):
            other.close()
        _run(request, streams, server, say, current=current)
    for stream in (say, *streams):
        os.close(stream)
    running[pid] = _Child(connection, imported)


def _received(connection: socket.socket) -> tuple[bytes | None, list[int]]:
    """Return what a client asks for, None if it is gone, and its three streams."""
    header, rights, _, _ = connection.recvmsg(8, socket.CMSG_LEN(3 * INT))
    streams = [
        int.from_bytes(sent[place : place + INT], sys.byteorder)
        for _, _, sent in rights
        for place in range(0, len(sent), INT)
    ]
    size, asked = int.from_bytes(header, "big"), b""
    while len(header) == 8 and len(asked) < size:
        part = connection.recv(size - len(asked))
        if not part:
            break
        asked += part
    if streams and asked and len(asked) == size:
        return asked, streams
    for stream in streams:
        os.close(stream)
    return None, []


def _end_with(server: int) -> None:
    """Let Linux tell this process to end when its server does, of which its client then knows."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != server:
        os._exit(1)


def _run(asked: list, streams: list[int], server: int, say: int, *, current: bool) -> None:
    """Run a script in this forked process and exit with its status."""
    arguments, folder, environment, umask = asked
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, *PASSED_ON):
        signal.signal(number, signal.SIG_DFL)
    _end_with(server)
    os.umask(umask)
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(folder)
    if not current:
        os.execve(sys.executable, [sys.executable, *arguments], environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    path = [part for part in environment.get("PYTHONPATH", "").split(":") if part]
    sys.path[:] = [os.path.dirname(os.path.abspath(arguments[0])), *path, *sys.path[1:]]
    known = len(sys.modules)
    code = _status(arguments[0])
    # The latest, since counting references to all names would copy the memory that they are in.
    added = islice(reversed(sys.modules), max(0, len(sys.modules) - known))
    imported = [name for name in added if name.split(".")[0] == PROJECT]
    os.write(say, " ".join(sorted(imported)).encode())
    os._exit(code)


def _status(script: str) -> int:
    """Run a script, and return the exit status that it would have by itself."""
    code = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return (code or 0) & 0xFF


if __name__ == "__main__":
    serve(sys.argv[1])
