"""Newer versions of the directory over the network: what a node gives to whoever asks, and how it asks others (R-34).

Nothing is believed because of where it came from: a version that was fetched is put in force exactly as one that
somebody carried there, and what is served is signed by the keepers and secret to nobody. In the folder
ADDRESS/directory lie `newest` and each version under its number, so that files on any web server will do as well.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from arrp.core.errors import ArrpError, Conflict, Malformed, NotFound, Refused, Unreachable
from arrp.core.policy import Participant
from arrp.node.calling import Getting
from arrp.node.directory import FILE_MAX, Directory, put_between, put_in_force, trusted_directory
from arrp.node.files import replace_file
from arrp.node.keys import load_node_keys
from arrp.node.store import directories
from arrp.node.store.engine import Store
from arrp.wire.directory import Opened, check_signed, open_edition
from arrp.wire.signed_text import SignedText, Signer, read_signed

log = logging.getLogger("arrp.fetching")

PATH, NEWEST = "/directory", "newest"
PEERS_AT_ONCE = 3  # each node asks a few of them by turns: a version is everywhere after a few rounds


def given(store: Store, version: int | None) -> SignedText:
    """The newest version that counts here, or that one of those which counted, as its keepers signed it.
    Raises NotFound."""
    with store.reading() as connection:
        found = directories.file_of(connection, version)
    if found is None:
        raise NotFound(f"there is no version {version or 'of the directory'} here: ask the keepers, or another node")
    signed = read_signed(found)
    return SignedText(signed.text, tuple(one for one in signed.signatures if one.by is Signer.KEEPER))


def tag_of(digest: str) -> str:
    """The entity tag of a version (RFC 9110): the same bytes are not sent twice."""
    return f'"{digest}"'


def sources(configured: Sequence[str], directory: Directory, me: str, turn: int) -> tuple[str, ...]:
    """Whom to ask now: the configured addresses; else whose key we missed, and a few peers by turns."""
    if configured:
        return tuple(configured)
    peers = [who for id, who in sorted(directory.participants.items()) if id != me and _may_be_asked(who)]
    start = turn * PEERS_AT_ONCE % len(peers) if peers else 0
    some = (peers[start:] + peers[:start])[:PEERS_AT_ONCE]
    missed = [who for who in peers if who.id == directory.missed]
    return tuple(dict.fromkeys(f"{who.address}{PATH}" for who in (*missed, *some)))


def _may_be_asked(who: Participant) -> bool:
    return who.channel == "node" and not who.suspended


def first_of(transport: Getting, url: str) -> Opened:
    """What an address has, for a node that trusts no directory yet: nothing is checked but that it holds together.
    Raises Unreachable, Malformed, Refused."""
    found = _got(transport, f"{url}/{NEWEST}", "")
    assert found is not None, "who sent no entity tag is not told that nothing has changed"
    return found


def newer(transport: Getting, url: str, have: Opened) -> tuple[Opened, bool] | None:
    """The version to put in force after `have`, as that address has it, and whether it has a later one still; None
    when it has nothing newer. Raises Unreachable, Malformed, Refused. Another text of the number that we have is
    returned too, if our keepers signed it: `put_in_force` refuses it with an alarm."""
    found = _got(transport, f"{url}/{NEWEST}", tag_of(have.signed.digest))
    if found is None or found.edition.version < have.edition.version:
        return None
    if found.edition.version == have.edition.version:
        if found.signed.digest == have.signed.digest:
            return None
        check_signed(found, [have.edition.keepers])
    if found.edition.version <= have.edition.version + 1:
        return found, False
    following = _got(transport, f"{url}/{have.edition.version + 1}", "")
    assert following is not None, "who sent no entity tag is not told that nothing has changed"
    if following.edition.version != have.edition.version + 1:
        raise Malformed(f"{url}/{have.edition.version + 1} holds version {following.edition.version} of the directory")
    return following, True


def _got(transport: Getting, url: str, tag: str) -> Opened | None:
    status, data = transport.get(url, tag, FILE_MAX)
    if status == 304 and tag:
        return None
    if status != 200:
        raise Unreachable(f"{url} answers {status}: it has no such version of the directory")
    try:
        return open_edition(read_signed(data))
    except (Malformed, Refused) as why:
        raise type(why)(f"{url}: {why}", code=why.code) from None


def take_newer(home: Path, transport: Getting, url: str, now: datetime) -> int | None:
    """Ask one address, and put in force in `home` the version that follows what counts there, which a running node may
    not have taken up; its number, None when there is none. Raises Unreachable, Malformed, Refused, and Conflict for
    two texts of one number: the other one is kept beside."""
    keys = load_node_keys(home)
    have = trusted_directory(home, keys).opened
    assert have is not None, "what was put in force is an edition"
    answer = newer(transport, url, have)
    if answer is None:
        return None
    found, has_later = answer
    try:
        if has_later:
            put_between(home, keys, found, now)
        else:
            put_in_force(home, keys, found, "", now)
    except Conflict as why:
        beside = home / f"directory-{found.edition.version}-{found.signed.digest[:16]}.json"
        replace_file(beside, found.signed.file())
        raise Conflict(f"{url}: {why}. The other one is {beside}", rule=why.rule) from None
    return found.edition.version


def ask_in_turn(home: Path, transport: Getting, urls: Sequence[str], now: datetime) -> bool:
    """The first of them that has a newer version which counts; whether there was one. Who fails is passed over."""
    for url in urls:
        try:
            version = take_newer(home, transport, url, now)
        except Unreachable as error:
            log.info("directory: %s", error)
        except ArrpError as error:
            log.error("directory: what %s has does not count: %s", url, error)
        else:
            if version is not None:
                log.warning("version %d of the directory came from %s", version, url)
                return True
    return False
