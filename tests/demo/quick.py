"""Commands as processes of their own, without each of them importing everything again.

A shell that runs a hundred commands would spend its time on imports. So one process imports them and forks: the child
takes over the caller's directory, standard streams and words, and runs `arrp` as if it had just been started.
`arrp node serve` is not quickened: it is started, and killed, as people do.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name

from arrp.cli import COMMANDS, main

_CALLER = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect({door!r})
    socket.send_fds(door, [json.dumps([os.getcwd(), sys.argv[1:]]).encode()], [0, 1, 2])
    sys.exit(int(door.recv(16) or b"70"))
"""


@contextmanager
def quick_command(folder: Path) -> Iterator[Path]:
    """A folder with the command `arrp` in it, which works for as long as the block lasts."""
    folder.mkdir()
    door, caller, command = folder / "door", folder / "caller.py", folder / "arrp"
    caller.write_text(_CALLER.format(door=str(door)))
    python = shlex.quote(sys.executable)
    command.write_text(f'#!/bin/sh\n[ "$1 $2" = "node serve" ] && exec {python} -m arrp "$@"\n'
                       f'exec {python} -I -S {shlex.quote(str(caller))} "$@"\n')  # fmt: skip
    command.chmod(0o755)
    path = os.pathsep.join(filter(None, [str(Path(__file__).resolve().parents[2]), *sys.path]))
    forking = subprocess.Popen([sys.executable, "-m", "tests.demo.quick", str(door)], stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    assert forking.stdout is not None
    assert forking.stdout.readline() == b"ready\n"
    yield folder
    forking.kill()
    forking.communicate()


def serve(door: str) -> None:
    """One caller after another, until killed."""
    for where in COMMANDS.values():
        resolve_name(where)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(door)
        listening.listen(16)
        print("ready", flush=True)
        while True:
            calling, _ = listening.accept()
            with calling:
                _answer(calling)


def _answer(calling: socket.socket) -> None:
    told, streams, _, _ = socket.recv_fds(calling, 1 << 16, 3)
    if (child := os.fork()) == 0:
        folder, words = json.loads(told)
        _run(folder, words, streams)
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(child, 0)
    calling.sendall(str(os.waitstatus_to_exitcode(status) & 0xFF).encode())


def _run(folder: str, words: list[str], streams: list[int]) -> None:
    """Never returns."""
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
    os.chdir(folder)
    sys.argv = ["arrp", *words]
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1 if code else 0)


if __name__ == "__main__":
    serve(sys.argv[1])
