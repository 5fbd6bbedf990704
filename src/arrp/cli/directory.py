"""`arrp directory`: what its keepers do (keeper, add, sign), what nodes do with it (publish,
fetch, show, changes)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, Desk, Home
from arrp.cli.passphrase import PassphraseFile, ask_passphrase
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.core.errors import Malformed, NotFound, Refused
from arrp.core.policy import Participant
from arrp.node.calling import HttpTransport
from arrp.node.clock import Clock
from arrp.node.config import load_config
from arrp.node.directory import put_in_force, read_edition, read_entry, read_signed_entry, trusted_directory
from arrp.node.fetching import first_of, take_newer
from arrp.node.files import read_file, replace_file
from arrp.node.keys import keep_officer_key, load_node_keys, load_officer_key, new_officer_key
from arrp.wire.announced import changes
from arrp.wire.codec import dumps, loads, parse_json
from arrp.wire.directory import (
    Keeper,
    Keepers,
    Opened,
    Wanted,
    check_follows,
    edition_text,
    next_edition,
    open_edition,
)
from arrp.wire.entry import check_address
from arrp.wire.signed_text import SignedText, Signer

DirectoryFile = Annotated[Path, typer.Argument(metavar="DIRECTORY", help="A version of the directory.")]
Draft = Annotated[Path, typer.Argument(metavar="DRAFT", help="The next version; made where there is none.")]
Entries = Annotated[list[Path], typer.Argument(metavar="ENTRY", help="Files entry.json, as participants hand them in.")]
Digest = Annotated[str, typer.Option(help="For the first one: the digest of its keepers, as you were told over the "
                                          "telephone.")]
After = Annotated[Path | None, typer.Option("--after", help="The version in force, which it follows.")]


@dataclass(frozen=True, slots=True)
class NewKeeper:
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File to make; it belongs on the keeper's own machine.")]
    name: Annotated[str, typer.Option(help="The keeper's name, for people.")]
    passphrase_file: PassphraseFile = None


@command
def keeper(asked: NewKeeper) -> None:
    """Make a keeper's key under a passphrase, and print what the directory needs to know of it, as JSON."""
    made = new_officer_key()
    keep_officer_key(asked.path, made, ask_passphrase(asked.passphrase_file, again=True))
    show_json(parse_json(dumps(Keeper(asked.name, made.key_id, made.public))))
    say(f"{asked.path} is the key: keep it. What was printed goes into the directory: arrp directory add --keeper FILE")


@dataclass(frozen=True, slots=True)
class Add:
    draft: Draft
    entries: Entries = field(default_factory=list)
    after: After = None
    reissue: Annotated[bool, typer.Option("--reissue", help="No key of the old entry signed it; its people were called."
                                          )] = False
    suspend: Annotated[list[str], typer.Option(help="Participant of which nothing is applied any more.")] = field(
        default_factory=list
    )
    readmit: Annotated[list[str], typer.Option(help="Participant that is suspended no more.")] = field(
        default_factory=list
    )
    remove: Annotated[list[str], typer.Option(help="Participant that leaves.")] = field(default_factory=list)
    keeper: Annotated[list[Path], typer.Option(help="Keeper from here on, as arrp directory keeper printed: each.")] = (
        field(default_factory=list)
    )
    threshold: Annotated[int, typer.Option(help="How many of them sign.", min=1, max=32)] = 2
    valid_days: Annotated[int, typer.Option(help="Days until it ends, if nobody renews it.", min=1, max=400)] = 90
    as_json: AsJson = False


@command
def add(asked: Add) -> None:
    """Draft the next version: entries put in, participants suspended or removed, keepers changed. All, or none.

    With nothing but --after it renews the version in force. Signatures of an earlier draft go: it is another text."""
    before = read_edition(asked.after) if asked.after else None
    base = read_edition(asked.draft) if asked.draft.exists() else before
    if before is None and base is not None and base.edition.version > 1:
        raise Malformed(f"{asked.draft} follows another version: say which with --after")
    now = Clock().now()
    edition = next_edition(before, base, _wanted(asked), (now, now + timedelta(days=asked.valid_days)))
    drafted = open_edition(SignedText(edition_text(edition)))
    if before is not None:
        check_follows(before, drafted)
    replace_file(asked.draft, drafted.signed.file())
    _tell(before, drafted)
    if asked.as_json:
        show_json(_tree(drafted))
    else:
        show(str(asked.draft))
    say(f"next: {edition.keepers.threshold} keepers look at it and run arrp directory sign {asked.draft} --key KEY")


def _wanted(asked: Add) -> Wanted:
    named = tuple(loads(Keeper, read_file(path)) for path in asked.keeper)
    keepers = Keepers(asked.threshold, named) if named else None
    entries = tuple(read_signed_entry(path)[0] for path in asked.entries)
    return Wanted(entries, asked.reissue, tuple(asked.suspend), tuple(asked.readmit), tuple(asked.remove), keepers)


@dataclass(frozen=True, slots=True)
class Signing:
    draft: Draft
    key: Annotated[Path, typer.Option(help="The keeper's key file.")]
    after: After = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def sign(asked: Signing) -> None:
    """Sign a version as one of its keepers, or of the version it follows. What it changes is shown first."""
    drafted = read_edition(asked.draft)
    before = read_edition(asked.after) if asked.after else None
    if before is None and drafted.edition.version > 1:
        raise Refused(f"{asked.draft} follows another version: say which with --after, to see what you sign")
    if before is not None:
        check_follows(before, drafted)
    _tell(before, drafted)
    key = load_officer_key(asked.key, ask_passphrase(asked.passphrase_file))
    groups = [opened.edition.keepers for opened in (before, drafted) if opened is not None]
    if key.key_id not in {one.key_id for group in groups for one in group.named}:
        raise Refused(f"key {key.key_id} is not that of a keeper named here", rule="R-34")
    signed = drafted.signed.signed(Signer.KEEPER, key.signing, key.key_id)
    replace_file(asked.draft, signed.file())
    names = _signed_by(Opened(drafted.edition, signed, drafted.listed), groups)
    if asked.as_json:
        show_json({"digest": signed.digest, "signed_by": names})
    else:
        show(f"signed by {', '.join(names)}")


@dataclass(frozen=True, slots=True)
class Publishing:
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Home of a node; it may be running.")]
    directory: DirectoryFile
    keepers_digest: Digest = ""
    as_json: AsJson = False


@command
def publish(asked: Publishing) -> None:
    """Check a version against the one in force in this home, and put it in its place. A running node takes it up
    within a minute; kill -HUP makes it look at once."""
    after = read_edition(asked.directory)
    if not (asked.home / "directory.json").exists():
        _check_told(asked.home, asked.keepers_digest, after)
    before = put_in_force(asked.home, load_node_keys(asked.home), after, asked.keepers_digest, Clock().now())
    _tell(before, after)
    if asked.as_json:
        show_json({"version": after.edition.version, "digest": after.signed.digest})
    else:
        show(f"version {after.edition.version} counts in {asked.home}")


@dataclass(frozen=True, slots=True)
class Fetching:
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Home of a node; it may be running.")]
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it lies, such as https://arrp.example/directory of "
                                                           "any node.")]
    keepers_digest: Digest = ""
    as_json: AsJson = False


@command
def fetch(asked: Fetching) -> None:
    """Fetch newer versions, and put them in their place one after another, each checked as publish checks it. A
    running node does that by itself; nothing is believed because of where it came from."""
    check_address("URL", asked.url)
    config, clock = load_config(asked.home), Clock()
    address = read_entry(asked.home / "entry.json").address
    before = _in_force(asked.home)
    with closing(HttpTransport(clock, config.reach.from_(address))) as transport:
        if before is None:
            first = first_of(transport, asked.url)
            _check_told(asked.home, asked.keepers_digest, first)
            put_in_force(asked.home, load_node_keys(asked.home), first, asked.keepers_digest, clock.now())
        while take_newer(asked.home, transport, asked.url, clock.now()) is not None:
            pass
    after = _counting(asked.home)
    if before is None or before.signed.digest != after.signed.digest:
        _tell(before, after)
    if asked.as_json:
        show_json({"version": after.edition.version, "digest": after.signed.digest})
    else:
        show(f"version {after.edition.version} counts in {asked.home}")


def _in_force(home: Path) -> Opened | None:
    return _counting(home) if (home / "directory.json").exists() else None


def _counting(home: Path) -> Opened:
    found = trusted_directory(home, load_node_keys(home)).opened
    assert found is not None, "what was put in force is an edition"
    return found


def _check_told(home: Path, keepers_digest: str, first: Opened) -> None:
    """R-34: nobody trusts a first directory by its own word. Raises Refused, with what to compare."""
    if not keepers_digest:
        raise Refused(f"{home} trusts no directory yet. Ask one of its keepers on a number you know for the "
                      f"digest, and say it with --keepers-digest. The file: {grouped(first.edition.keepers.digest)}")


@dataclass(frozen=True, slots=True)
class Showing:
    directory: DirectoryFile
    id: Annotated[str, typer.Argument(metavar="[ID]", help="One participant, with all that is known of it.")] = ""
    as_json: AsJson = False


@command
def show_directory(asked: Showing) -> None:
    """Check a version, and show who is in it, who keeps it and who signed it; or one participant."""
    opened = read_edition(asked.directory)
    members = {who.id: who for who in opened.participants}
    if asked.id:
        if asked.id not in members:
            raise NotFound(f"{asked.id} is not in {asked.directory}: there are {', '.join(members)}")
        show_json(parse_json(dumps(members[asked.id])))
        return
    if asked.as_json:
        show_json(_tree(opened))
        return
    _show_members(opened.participants)
    edition = opened.edition
    names = _signed_by(opened, [edition.keepers])
    keepers = ", ".join(one.name for one in edition.keepers.named)
    say(f"version {edition.version}, until {edition.valid_until:%Y-%m-%dT%H:%MZ}, kept by "
        f"{edition.keepers.threshold} of {keepers}; signed by {', '.join(names) or 'nobody yet'}")
    say(f"digest of its keepers, to be read over the telephone: {grouped(edition.keepers.digest)}")
    _say_what_is_odd(opened)


@dataclass(frozen=True, slots=True)
class Changes:
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIRECTORY]", help="A version; else what a running node took up last.")
    ] = None
    after: After = None
    home: Home = ELSEWHERE
    as_json: AsJson = False


@command
def show_changes(asked: Changes) -> None:
    """What a version changes: who joins and leaves, keys, officers. Of a file, or as announced on a running node."""
    if asked.directory is not None:
        before = read_edition(asked.after) if asked.after else None
        told: Any = [{"about": one.about, "said": one.said, "revoked": one.revoked and one.revoked.id}
                for one in changes(before, read_edition(asked.directory))]
    else:
        told = Desk(asked.home).get("/directory")["changes"]
    if asked.as_json:
        show_json(told)
        return
    for change in told:
        show(change["said"])


def grouped(digest: str) -> str:
    """In groups of four, as people read it to each other."""
    return " ".join(digest[place:place + 4] for place in range(0, len(digest), 4))


def _tell(before: Opened | None, after: Opened) -> None:
    for change in changes(before, after):
        say(change.said)


def _signed_by(opened: Opened, groups: list[Keepers]) -> list[str]:
    """Names of the keepers whose signatures fit. Raises Refused for one that does not."""
    keys = {kid: key for group in groups for kid, key in group.keys().items()}
    known = [one for one in opened.signed.signatures if one.by is Signer.KEEPER and one.key in keys]
    signed = SignedText(opened.signed.text, tuple(known)).signers(Signer.KEEPER, keys)
    return sorted({one.name for group in groups for one in group.named if one.key_id in signed})


def _tree(opened: Opened) -> dict[str, Any]:
    edition = opened.edition
    return {
        "version": edition.version, "digest": opened.signed.digest, "issued_at": edition.issued_at.isoformat(),
        "valid_until": edition.valid_until.isoformat(), "keepers": parse_json(dumps(edition.keepers)),
        "keepers_digest": edition.keepers.digest, "signed_by": _signed_by(opened, [edition.keepers]),
        "participants": [parse_json(dumps(who)) for who in opened.participants],
    }


def _show_members(members: tuple[Participant, ...]) -> None:
    show_table(
        ("id", "kind", "country", "address", "answers for", "instructs", "officers", "name"),
        (
            (
                who.id + (" (suspended)" if who.suspended else ""), who.kind, who.country,
                who.address if who.channel == "node" else "on paper", " ".join(who.answers_for),
                " ".join(who.instructs), str(len(who.officers)), who.name,
            )
            for who in members
        ),
    )  # fmt: skip


def _say_what_is_odd(opened: Opened) -> None:
    members = {who.id: who for who in opened.participants}
    for who in members.values():
        if missing := [id for id in who.instructs if id not in members]:
            say(f"{who.id} instructs {', '.join(missing)}, which the directory does not have")
        if not who.officers:
            say(f"{who.id} has no officers: nobody can approve anything there")
        if not who.contacts:
            say(f"{who.id} names nobody to telephone: a first contact cannot be called back")
