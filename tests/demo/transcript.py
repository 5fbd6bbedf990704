"""The transcript of the demonstration as tests compare it: without what every run has of its own.

Which of two nodes wrote first differs from run to run. What one node wrote, in its order, does not; nor in which
scene it wrote it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

COMMITTED = Path(__file__).with_name("transcript.txt")

_MASKS = (
    (re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE), "hh:mm:ss "),
    (re.compile(r"until \d\d [A-Z][a-z]{2} \d\d:\d\d UTC"), "until dd Mon hh:mm UTC"),
    (re.compile(r"--- \d+\.\d s after"), "--- n.n s after"),
)
_LINE = re.compile(r"hh:mm:ss  (\S+) +(.*)")

Voices = dict[str, list[str]]


def masked(text: str) -> str:
    """The transcript without instants and seconds."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def scenes(text: str) -> list[Voices]:
    """Of each scene, what each node wrote in its order; the teller's own lines stand under ''."""
    found: list[Voices] = []
    for scene in masked(text).strip().split("\n\n"):
        voices: Voices = defaultdict(list)
        last = ""
        for line in scene.splitlines():
            begun = _LINE.fullmatch(line)
            if begun:
                last = begun[1]
                voices[last].append(begun[2])
            elif line.startswith("    ") and voices[last]:
                voices[last][-1] += f" | {line.strip()}"
            else:
                last = ""
                voices[""].append(line)
        found.append(dict(voices))
    return found
