"""Run a script in a fork of a process that has already imported what scripts import.

    python workflow/launch.py scripts/NAME.py ARGUMENTS

does what ``python scripts/NAME.py ARGUMENTS`` does, with the same streams, signals and exit status,
but for the 2 seconds of importing torch, pandas and their like. The first call starts a server
(``launch_server.py``), which forks for every script. Inside a job of a cluster, where it would
count on the job that happened to start it, and wherever there can be none, the script is run as it
is.

Each job starts this file. So it is called by ``python -ES``, which finds only the standard library,
of which it imports little but what is written in C; what it starts has the environment whole.
"""

from __future__ import annotations

import _signal
import _socket
import fcntl
import marshal
import os
import sys
import time
from _blake2 import blake2b

# Read when a package is imported: jobs that differ in these do not share a server.
READ_AT_IMPORT = ("OMP", "MKL", "KMP", "GOMP", "OPENBLAS", "CUDA", "NVIDIA", "TORCH", "MPL")
PASSED_ON = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INT = 4  # bytes of a file descriptor in a message


def main() -> None:
    """Run the script of the command line, by the server if there is one."""
    if len(sys.argv) < 2:
        sys.exit("usage: python workflow/launch.py SCRIPT [ARGUMENTS]")
    # The package is that of this checkout, whatever the folder and what is installed.
    given = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part and part != ROOT]
    os.environ["PYTHONPATH"] = ":".join([ROOT, *given])
    alone = "SLURM_JOB_ID" in os.environ and "GENERALIZATION_TOGETHER" not in os.environ
    connection = None if alone else _connect()
    _take_gpu()
    if connection is None:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    os._exit(_follow(connection))  # Nothing is left to be written.


def _connect() -> _socket.socket | None:
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
    places = [sys.executable, ROOT, os.environ["PYTHONPATH"], os.environ.get("SLURM_JOB_ID")]
    identity = repr([places, sys.version, installed, chosen])
    return f"{folder}/{blake2b(identity.encode(), digest_size=8).hexdigest()}"


def _take_gpu() -> None:
    """Let a job that wants a GPU see only one that no other job has."""
    from gpus import VISIBLE, own_gpu, visible_gpus, wanted_gpus

    found = visible_gpus() if wanted_gpus(sys.argv) else []
    if found:
        # Its lock ends with this process. Slurm numbers the GPUs of every job from 0.
        try:
            folder = f"{_folder()}/{os.environ.get('SLURM_JOB_ID', 'gpus')}"
            os.makedirs(folder, exist_ok=True)
            os.environ[VISIBLE], _ = own_gpu(found, folder)
        except OSError:
            pass


def _connected(address: str) -> _socket.socket | None:
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
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
        [sys.executable, f"{ROOT}/workflow/launch_server.py", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    limit = time.monotonic() + 10
    while not os.path.exists(address) and time.monotonic() < limit:
        time.sleep(0.01)


def _follow(connection: _socket.socket) -> int:
    """Hand over the script, pass signals on, and return its exit status."""
    umask = os.umask(0)
    os.umask(umask)
    asked = marshal.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), umask])
    streams = b"".join(number.to_bytes(INT, sys.byteorder) for number in (0, 1, 2))
    header = len(asked).to_bytes(8, "big")
    connection.sendmsg([header], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    connection.sendall(asked)
    for number in PASSED_ON:
        _signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
    answer = b""
    while len(answer) < 4:
        part = connection.recv(4 - len(answer))
        if not part:
            sys.exit("The process that ran the script has vanished.")
        answer += part
    status = int.from_bytes(answer, "big", signed=True)
    if status < 0:
        # Ended by a signal: end by the same, so that whoever waits sees it.
        _signal.signal(-status, _signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    main()
