"""Real servers in processes of their own, until a test is through with them."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

SUPPORT = Path(__file__).parent


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def serving(folder, command, workers):
    """Run a server until all its workers have answered; yield its address and its log."""
    port = free_port()
    log = folder / "log"
    environ = {
        **os.environ,
        "HOME": str(folder),
        "TRAFFICCORE_SHARE_DIR": str(folder / "shared"),
        "PYTHONPATH": f"{SUPPORT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    environ.pop("WEB_CONCURRENCY", None)
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", *(word.format(port=port) for word in command)],
            env=environ,
            stdout=out,
            stderr=out,
        )
    try:
        address = ("127.0.0.1", port)
        wait_for_workers(address, workers, server, log)
        yield address, log
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for_workers(address, count, server, log):
    """Return once so many workers have answered."""
    seen = set()
    deadline = time.monotonic() + 60
    while len(seen) < count:
        assert time.monotonic() < deadline, log.read_text()
        assert server.poll() is None, log.read_text()
        with contextlib.closing(HTTPConnection(*address, timeout=30)) as connection:
            seen.add(ask(connection, "/who")[1])
        seen.discard(0)


def ask(connection, path):
    """Return the answer's code and the worker it is from; 0 and 0: there was none."""
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return 0, 0
    return answer.status, int(answer.headers["x-worker"])
