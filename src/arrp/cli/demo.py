"""`arrp demo`: the main job between real processes on this machine."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import command
from arrp.cli.speaking import say, show
from arrp.demo.story import Story

Once = Annotated[bool, typer.Option("--once", help="Stop after the story.")]
Keep = Annotated[Path | None, typer.Option(help="Directory to make and keep; a passing one, if not said.")]


@command
def demo(once: Once = False, keep: Keep = None) -> None:
    """Watch a payment become a hold in another country, what moved on being held in a third, and the money come back.

    Everybody in it is invented."""
    root = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="arrp-demo-"))
    root.mkdir(exist_ok=True)
    story = Story(root)
    try:
        story.play()
        if not once:
            _linger(root)
    finally:
        story.nodes.stop()
        if keep is None:
            shutil.rmtree(root, ignore_errors=True)


def _linger(root: Path) -> None:
    show("")
    show("The four nodes go on running. In another terminal:")
    for words in ("case list", "hold list", "log"):
        show(f"    arrp {words} --home {root / 'NCB-ES'}")
    say("Ctrl-C stops them.")
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
