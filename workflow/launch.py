"""Run a script in a fork of a process that has already imported the third-party packages.

    python workflow/launch.py scripts/NAME.py ARGUMENTS

does what ``python scripts/NAME.py ARGUMENTS`` does, with the same streams, signals and exit status,
but for the 2 seconds of importing torch, pandas and their like. The first call starts a server,
which imports third-party packages only, so that an edit of the project is always seen; it forks for
every script and ends when it was idle for ``IDLE`` seconds. Inside a job of a cluster, where a
server would count on the job that happened to start it, and wherever no server can be had, the
script is run as it is.

Each job starts this file. So it imports little, and the workflow calls it by ``python -ES``, which
finds only the standard library; what it starts has the environment whole.
"""

from __future__ import annotations

import array
import fcntl
import marshal
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from hashlib import blake2b

IDLE = 30.0
PACKAGES = (
    "numpy",
    "torch",
    "pandas",
    "scipy.stats",
    "statsmodels.api",
    "h5py",
    "hdf5plugin",
    "safetensors.torch",
    "torch.utils.flop_counter",
    "jaxtyping",
    "rich.progress",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
)
# Read when a package is imported: jobs that differ in these do not share a server.
READ_AT_IMPORT = ("OMP", "MKL", "KMP", "GOMP", "OPENBLAS", "CUDA", "NVIDIA", "TORCH", "MPL")
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the script of the command line, by the server if there is one."""
    if len(sys.argv) < 2:
        sys.exit("usage: python workflow/launch.py SCRIPT [ARGUMENTS]")
    # The package is that of this checkout, whatever the folder and what is installed.
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    given = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part and part != root]
    os.environ["PYTHONPATH"] = ":".join([root, *given])
    alone = "SLURM_JOB_ID" in os.environ and "GENERALIZATION_TOGETHER" not in os.environ
    connection = None if alone else _connect()
    _take_gpu()
    if connection is None:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    sys.exit(_follow(connection))


# The client.


def _connect() -> socket.socket | None:
    """Connect to a server, starting one if necessary; return None if that is impossible."""
    try:
        address = _address()
        with open(f"{address}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = _connected(address)
            if found is None:
                _start(address)
                found = _connected(address)
        return found
    except OSError:
        return None


def _folder() -> str:
    """Return the folder of sockets and locks of this user.

    Raises:
        OSError: If somebody else could reach it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    folder = f"{runtime}/generalization-{os.getuid()}"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    about = os.stat(folder)
    if about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise OSError(f"{folder} must belong to its user alone")
    return folder


def _address() -> str:
    """Return the socket path of a server that imports the same packages as this process."""
    folder = _folder()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = os.path.dirname(os.path.dirname(sys.executable))
    packages = f"{prefix}/lib/{version}/site-packages"
    installed = os.stat(packages).st_mtime_ns if os.path.isdir(packages) else 0
    chosen = sorted(item for item in os.environ.items() if item[0].startswith(READ_AT_IMPORT))
    submission = os.environ.get("SLURM_JOB_ID")
    identity = repr([sys.executable, sys.version, installed, PACKAGES, chosen, submission])
    return f"{folder}/{blake2b(identity.encode(), digest_size=8).hexdigest()}"


def _take_gpu() -> None:
    """Let a job that wants a GPU see only one that no other job has."""
    from gpus import VISIBLE, own_gpu, visible_gpus, wanted_gpus

    found = visible_gpus() if wanted_gpus(sys.argv) else []
    if found:
        with suppress(OSError):
            # Its lock ends with this process. Slurm numbers the GPUs of every job from 0.
            folder = f"{_folder()}/{os.environ.get('SLURM_JOB_ID', 'gpus')}"
            os.makedirs(folder, exist_ok=True)
            os.environ[VISIBLE], _ = own_gpu(found, folder)


def _connected(address: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        return None
    return connection


def _start(address: str) -> None:
    """Start a server, in a session of its own, and wait until it listens."""
    import subprocess

    if os.path.exists(address):
        os.unlink(address)
    subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "--serve", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    limit = time.monotonic() + 10
    while not os.path.exists(address) and time.monotonic() < limit:
        time.sleep(0.01)


def _follow(connection: socket.socket) -> int:
    """Hand over the script, pass signals on, and return its exit status."""
    asked = marshal.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)])
    streams = array.array("i", [0, 1, 2])
    header = len(asked).to_bytes(8, "big")
    connection.sendmsg([header], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    connection.sendall(asked)
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
    answer = b""
    while len(answer) < 4:
        part = connection.recv(4 - len(answer))
        if not part:
            sys.exit("The process that ran the script has vanished.")
        answer += part
    status = int.from_bytes(answer, "big", signed=True)
    if status < 0:
        # Ended by a signal: end by the same, so that whoever waits sees it.
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


# The server.


def _serve(address: str) -> None:
    """Fork for every requested script until none was requested for a while."""
    import select

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    beside = f"{address}.{os.getpid()}"
    listener.bind(beside)
    listener.listen(512)
    os.rename(beside, address)
    for package in PACKAGES:
        with suppress(ImportError):  # The script says it better.
            __import__(package)
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    last = time.monotonic()
    while running or time.monotonic() - last < IDLE:
        ready, _, _ = select.select([listener, woken, *running.values()], [], [], 1.0)
        if woken in ready:
            os.read(woken, 4096)
        for pid, connection in list(running.items()):
            if connection in ready and not _pass_on(connection, pid):
                os.kill(pid, signal.SIGKILL)
        last = _reap(running) or last
        if listener in ready:
            connection, _ = listener.accept()
            pid = _fork(connection, listener, running)
            if pid:
                running[pid] = connection
    os.unlink(address)


def _pass_on(connection: socket.socket, pid: int) -> bool:
    """Pass signals that a client received to its script; return false if the client is gone."""
    try:
        numbers = connection.recv(64)
    except OSError:
        return False
    for number in numbers:
        os.kill(pid, number)
    return bool(numbers)


def _reap(running: dict[int, socket.socket]) -> float | None:
    """Send clients the exit status of their scripts; return the time if any has ended."""
    ended = None
    for pid in list(running):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            connection, ended = running.pop(pid), time.monotonic()
            code = os.waitstatus_to_exitcode(status)
            with suppress(OSError):  # Maybe nobody waits for it any more.
                connection.sendall(code.to_bytes(4, "big", signed=True))
            connection.close()
    return ended


def _fork(
    connection: socket.socket, listener: socket.socket, running: dict[int, socket.socket]
) -> int:
    """Fork a process that runs the script of a client; return 0 if it requests none."""
    header, rights, _, _ = connection.recvmsg(8, socket.CMSG_LEN(12))
    if len(header) < 8 or not rights:
        connection.close()
        return 0
    streams = array.array("i", rights[0][2])
    size, asked = int.from_bytes(header, "big"), b""
    while len(asked) < size:
        part = connection.recv(size - len(asked))
        if not part:
            connection.close()
            return 0
        asked += part
    pid = os.fork()
    if pid == 0:
        listener.close()
        for other in (connection, *running.values()):
            other.close()
        _run(marshal.loads(asked), streams)
    for stream in streams:
        os.close(stream)
    return pid


def _run(asked: list, streams: array.array) -> None:
    """Run a script in this forked process and exit with its status."""
    import runpy
    import traceback

    arguments, folder, environment = asked
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, *PASSED_ON):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    path = [part for part in environment.get("PYTHONPATH", "").split(":") if part]
    sys.path[:] = [os.path.dirname(os.path.abspath(arguments[0])), *path, *sys.path[1:]]
    code = 0
    try:
        runpy.run_path(arguments[0], run_name="__main__")
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
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(sys.argv[2])
    else:
        main()
