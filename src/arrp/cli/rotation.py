"""`arrp node rotate-key`, `arrp node revoke-key`: new keys for a node, and a new entry to hand in (R-36, R-37)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.speaking import say, show, show_json
from arrp.core.errors import Malformed, NotFound
from arrp.core.policy import Key, Participant
from arrp.node.clock import Clock
from arrp.node.directory import read_entry, write_entry
from arrp.node.keys import fresh_keys, keep_other_keys, load_node_keys, new_node_keys
from arrp.wire.codec import dumps, parse_json

_LEAD = timedelta(hours=24)  # for the keepers to publish, and for every peer to take it up
_OVERLAP = timedelta(days=7)

HomeArgument = Annotated[Path, typer.Argument(metavar="HOME", help="Home of the node; it may be running.")]


@dataclass(frozen=True, slots=True)
class Rotation:
    home: HomeArgument
    begins: Annotated[str, typer.Option("--from", help="Instant from which the new keys count; in 24 h, if not said.")
                      ] = ""
    ends: Annotated[str, typer.Option("--until", help="Instant at which the old ones end; 7 days later, if not said.")
                    ] = ""
    as_json: AsJson = False


@command
def rotate(asked: Rotation) -> None:
    """Make new keys beside the old ones, and a new entry.json to hand in. The node changes over by itself when the
    directory that names them counts, and they begin; what waits for a receipt is then signed again."""
    now = Clock().now()
    begins = instant(asked.begins) if asked.begins else now + _LEAD
    ends = instant(asked.ends) if asked.ends else begins + _OVERLAP
    if ends <= begins:
        raise Malformed("--until: the old keys would end before the new ones begin, and nobody would believe this node")
    entry = read_entry(asked.home / "entry.json")
    old = [key for key in (*entry.signing, *entry.sealing) if key.until is None and key.revoked_at is None]

    def ended(key: Key) -> Key:
        return replace(key, until=ends) if key in old else key

    _with_new_keys(asked.home, _each_key(entry, ended), begins)
    _show(asked.home, asked.as_json)
    say(f"next: hand in {asked.home / 'entry.json'}; the new keys count from {begins:%Y-%m-%dT%H:%MZ}, the old ones "
        f"end on {ends:%Y-%m-%dT%H:%MZ}")


@dataclass(frozen=True, slots=True)
class Revocation:
    home: HomeArgument
    kid: Annotated[str, typer.Argument(metavar="KID", help="Id of the key: of the node, or of one of its officers.")]
    compromised: Annotated[str, typer.Option("--from", help="Instant from which somebody else may have had it.")]
    as_json: AsJson = False


@command
def revoke(asked: Revocation) -> None:
    """Emergency: a key counts no more. For a key of the node itself new ones are made, which count at once."""
    now, since = Clock().now(), instant(asked.compromised)
    if since > now:
        raise Malformed(f"--from: {asked.compromised} is still to come")
    entry = read_entry(asked.home / "entry.json")
    if asked.kid not in {key.id for key in entry.all_keys()}:
        known = ", ".join(key.id for key in entry.all_keys())
        raise NotFound(f"there is no key {asked.kid} in {asked.home / 'entry.json'}; there are {known}")

    def revoked(key: Key) -> Key:
        if key.id != asked.kid:
            return key
        earliest = min(since, key.compromised_from or since)
        return replace(key, revoked_at=key.revoked_at or now, compromised_from=earliest)

    entry = _each_key(entry, revoked)
    own = any(key.id == asked.kid for key in (*entry.signing, *entry.sealing))
    if own and not (_usable(entry.signing, now) and _usable(entry.sealing, now)):
        _with_new_keys(asked.home, entry, now)
    else:
        write_entry(asked.home / "entry.json", entry, load_node_keys(asked.home), now)
    _show(asked.home, asked.as_json)
    say("next: telephone the keepers now, and hand in entry.json"
        + ("; no key of the old entry may be left to sign it: they re-issue it" if own else ""))
    say(f"what that key signed: arrp audit signed-by {asked.kid} --since {since.isoformat()}")


def _each_key(entry: Participant, change: Callable[[Key], Key]) -> Participant:
    officers = tuple(replace(officer, keys=tuple(map(change, officer.keys))) for officer in entry.officers)
    signing, sealing = (tuple(map(change, keys)) for keys in (entry.signing, entry.sealing))
    return replace(entry, signing=signing, sealing=sealing, officers=officers)


def _usable(keys: tuple[Key, ...], at: datetime) -> bool:
    return any(key.is_usable(at) for key in keys)


def _with_new_keys(home: Path, entry: Participant, begins: datetime) -> None:
    """The keys first: an entry that names keys nobody has is worse than keys nobody names."""
    held, fresh = load_node_keys(home), new_node_keys()
    keep_other_keys(home, fresh)
    signing, sealing = fresh_keys(fresh, begins)
    entry = replace(entry, signing=(*entry.signing, signing), sealing=(*entry.sealing, sealing))
    every = replace(held, other_signing=(*held.other_signing, fresh.signing))
    write_entry(home / "entry.json", entry, every, Clock().now())


def _show(home: Path, as_json: bool) -> None:
    if as_json:
        show_json(parse_json(dumps(read_entry(home / "entry.json"))))
    else:
        show(str(home / "entry.json"))
