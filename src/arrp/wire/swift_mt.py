"""SWIFT FIN: the customer payments (MT103) of a file, one message or many.

A file is a row of messages, each in blocks {1:…}{2:…}{3:…}{4:…}{5:…}; RJE puts a `$` between them, a
copy from the network puts its acknowledgement ({1:F21…}{4:{177:…}{451:0}}) in front. What is taken:

    amount          :32A:, what was settled (a :33B: that differs is written down)
    settled_on      :32A:, the value date; years 80 to 99 are 1980 to 1999, 00 to 79 are 2000 to 2079
    instructed_at   nothing: the time in block 2 is the sender's local time, without its zone
    uetr            {121:} of block 3
    end_to_end_id   what follows /ROC/ in :70:
    references      :20:, {108:} of block 3, then :70: in one piece
    debtor          :50A:, :50F:, :50K:; its agent is :52A: or, where there is no :52a:, the sender
    creditor        :59:, :59A:, :59F:; its agent is :57A: or, where there is no :57a:, the receiver
                    (the standard says so for both); :52C/D: and :57C/D: by a US routing number (//FW)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.core.report import Evidence, Party, Payment, Place
from arrp.wire.reading import Reading

_TYPES = {
    "190": "an advice of charges",
    "192": "a recall request",
    "195": "a query",
    "196": "an answer",
    "199": "a free text",
    "202": "a transfer between banks",
    "205": "a transfer between banks",
    "292": "a recall request",
    "296": "an answer",
    "299": "a free text",
    "900": "a notice of a debit",
    "910": "a notice of a credit",
    "940": "an account statement",
}
_OPTIONS = {"50": "AFK", "52": "ACD", "57": "ABCD", "59": "AF"}  # the letters a party may come with
_TAKEN = {"20", "32A", "33B", "59", "70", *(tag + letter for tag, letters in _OPTIONS.items() for letter in letters)}
_LEFT = re.compile(r"13C|23[BE]|26T|36|51A|53[ABD]|54[ABD]|55[ABD]|56[ACD]|71[AFG]|72|77[BT]")
_MANY = {"13C", "23E", "71F"}
_TRAILERS = {"TNG": "a training message, not a payment", "PDE": "perhaps sent twice", "PDM": "perhaps delivered twice"}

_TAGGED = r"(?:\{[^{}]*\})*"  # a row of {nnn:…}
_BLOCK_1 = re.compile(r"\{1:[A-Z]..([^{}]*)\}")
_ACKNOWLEDGED = re.compile(rf"\s*\{{4:({_TAGGED})\}}")
_HEADERS = re.compile(rf"\{{2:([IO])([0-9]{{3}})([^{{}}]*)\}}(?:\{{3:({_TAGGED})\}})?")
_BODY = re.compile(r"\{4:\n(.*?)-\}", re.DOTALL)
_TRAILER = re.compile(rf"(?:\{{[5S]:{_TAGGED}\}})*")
_BETWEEN = " \n$\x00\x01\x03"  # RJE writes $; files of the DOS age pad with control characters
_FIELD = re.compile(r":([0-9]{2}[A-Z]?):(.*)")
_DATED = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(.*)", re.DOTALL)
_MONEY = re.compile(r"([A-Z]{3})([0-9]{1,15}),([0-9]*)")
_FEDWIRE = re.compile(r"//FW([0-9]{9})")


@dataclass(frozen=True, slots=True)
class _Field:
    tag: str
    lines: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class _Message:
    """One MT103. `codes` are those of block 3; `fields` are known by tag, a party's by its number alone."""

    place: str
    sender: str
    receiver: str
    codes: dict[str, str]
    fields: dict[str, _Field]
    unused: list[str]


def read_fin(file: str, data: bytes) -> Evidence:
    """The MT103 payments of a FIN or RJE file. Raises Malformed naming what it is instead."""
    reading = Reading(file)
    refused = ""
    number = 1
    for line, text in _pieces(reading, _decoded(data)):
        place = f"message {number} (line {line})"
        if text.startswith("{1:F21"):
            refused = _refusal(reading, place, text)
            continue
        number += 1
        if refused:
            reading.miss(f"{place}, left out", f"the network refused it ({refused}), so it was never sent")
        else:
            reading.attempt(f"{place}, left out", partial(_read, reading, place, line), text, None)
        refused = ""
    if refused or number == 1:
        reading.miss("end of file", f"no message stands behind the last acknowledgement {refused}".rstrip())
    return reading.evidence()


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as why:
        raise Malformed(f"byte {why.start} is no text in UTF-8: FIN has plain ASCII only") from None


def _pieces(reading: Reading, text: str) -> Iterator[tuple[int, str]]:
    """Each message with the line it begins on: from one block 1 to the next."""
    before, *pieces = re.split(r"(?=\{1:)", text)
    if before.strip(_BETWEEN):
        reading.miss("line 1", f"{before.strip(_BETWEEN)[:40]!r} stands before the first block {{1:…}}")
    line = 1 + before.count("\n")
    for piece in pieces:
        yield line, piece
        line += piece.count("\n")


def _refusal(reading: Reading, place: str, text: str) -> str:
    """What an acknowledgement says about the message behind it: empty, or why it was refused."""
    one = _BLOCK_1.match(text)
    found = _ACKNOWLEDGED.match(text, one.end()) if one else None
    if not found:
        reading.miss(place, "an acknowledgement that is cut off")
        return ""
    return found[1] if "{451:1}" in found[1] else ""


def _read(reading: Reading, place: str, line: int, text: str) -> None:
    """Add the payment of one message. Raises Malformed when there is none in it."""
    one = _BLOCK_1.match(text)
    headers = _HEADERS.match(text, one.end()) if one else None
    if not one or not headers:
        raise Malformed(f"block {2 if one else 1} is missing or cut off: is the file whole?")
    if headers[2] != "103":
        raise Malformed(f"MT{headers[2]} is {_TYPES.get(headers[2], 'another message')}: payments are read from MT103")
    body = _BODY.match(text, headers.end())
    if not body:
        raise Malformed("block 4 is missing or does not end with -}: is the file whole?")
    own, peer = one[1][:12], headers[3][10:22] if headers[1] == "O" else headers[3][:12]
    sender, receiver = (peer, own) if headers[1] == "O" else (own, peer)
    message = _Message(place, _bic(sender), _bic(receiver), _codes(headers[4]), {}, [])
    if headers[1] == "O":
        message.unused.append("the time in block 2 (it has no zone)")
    _read_fields(reading, message, body[1], line + text.count("\n", 0, body.start(1)))
    reading.payments.append(_payment(reading, message))
    trailer = _TRAILER.match(text, body.end())
    assert trailer is not None, "the pattern matches nothing, too"
    for code in re.findall(r"\{([A-Z]{3}):", trailer[0]):
        if code in _TRAILERS:
            reading.miss(place, f"block 5 says {code}: {_TRAILERS[code]}")
    if rest := text[trailer.end() :].strip(_BETWEEN):
        reading.miss(place, f"{rest[:40]!r} stands behind the message")


def _codes(block: str | None) -> dict[str, str]:
    return dict(re.findall(r"\{([0-9]{3}):([^{}]*)\}", block or ""))


def _bic(terminal: str) -> str:
    """A logical terminal is a BIC with one more letter in its ninth place."""
    return terminal[:8] + terminal[9:12]


def _read_fields(reading: Reading, message: _Message, body: str, line: int) -> None:
    """Fill `fields` and `unused`; what is unknown is written down at its place."""
    number = message.place.partition(" (")[0]
    for field in _fields(number, body, line):
        key = field.tag[:2] if field.tag[:2] in _OPTIONS else field.tag
        if field.tag not in _TAKEN and not _LEFT.fullmatch(field.tag):
            reading.miss(field.place, f"unknown field in MT103: {' '.join(field.lines)!r}")
        elif key in message.fields and field.tag not in _MANY:
            raise Malformed(f":{field.tag}: stands twice")
        else:
            message.fields[key] = field
            if field.tag not in _TAKEN or _has_more(field):
                message.unused.append(f":{field.tag}:" if field.tag not in _TAKEN else f"other lines of :{field.tag}:")


def _fields(number: str, body: str, first: int) -> Iterator[_Field]:
    tag, lines, at = "", [""], first
    for line, text in enumerate(body.rstrip("\n").split("\n"), start=first):
        if found := _FIELD.fullmatch(text):
            if tag:
                yield _Field(tag, tuple(lines), f"{number} :{tag}: (line {at})")
            tag, lines, at = found[1], [found[2].rstrip()], line
        elif not tag:
            raise Malformed(f"block 4 begins with {text[:40]!r}, not with a field such as :20:")
        else:
            lines.append(text.rstrip())
    if tag:
        yield _Field(tag, tuple(lines), f"{number} :{tag}: (line {at})")


def _has_more(field: _Field) -> bool:
    """Whether a party's field has lines besides account and name, or bank: addresses, mostly."""
    named = [line for line in field.lines if not line.startswith("/")]
    if field.tag.endswith("F"):
        return any(not line.startswith("1/") for line in named)
    return field.tag[:2] in _OPTIONS and len(named) > 1


def _payment(reading: Reading, message: _Message) -> Payment:
    amount, settled_on = _settled(reading, message)
    debtor_agent = _agent(reading, message, "52", message.sender)
    creditor_agent = _agent(reading, message, "57", message.receiver)
    end_to_end_id = _end_to_end_id(reading, message.fields.get("70"))
    names = [_joined(message, "20"), message.codes.get("108", ""), _joined(message, "70")]
    payment = Payment(
        amount=amount,
        settled_on=settled_on,
        debtor=_party(reading, message, "50", debtor_agent),
        creditor=_party(reading, message, "59", creditor_agent),
        uetr=reading.uetr(f"{message.place} {{121:}}", message.codes.get("121", "")),
        end_to_end_id=end_to_end_id,
        references=tuple(dict.fromkeys(name for name in names if name not in ("", f"/ROC/{end_to_end_id}"))),
        source=Place(reading.file, message.place),
    )
    if message.unused:
        reading.miss(message.place, f"not carried over: {', '.join(dict.fromkeys(message.unused))}")
    about = _joined(message, "72")
    if "/RETN/" in about or "/REJT/" in about:
        reading.miss(message.fields["72"].place, f"this gives an earlier payment back, so it is no loss: {about}")
    return payment


def _joined(message: _Message, tag: str) -> str:
    return " ".join(message.fields[tag].lines) if tag in message.fields else ""


def _settled(reading: Reading, message: _Message) -> tuple[Amount, date | None]:
    """Amount and value date of :32A:. Raises Malformed: no payment without an amount."""
    field = message.fields.get("32A")
    found = _DATED.fullmatch("".join(field.lines)) if field else None
    if not field or not found:
        raise Malformed("no :32A: with date, currency and amount")
    amount = _money("32A", found[4])
    instructed = message.fields.get("33B")
    if instructed:
        parse = partial(_money, "33B")
        said = reading.attempt(instructed.place, parse, "".join(instructed.lines), amount)
        if said != amount:
            reading.miss(instructed.place, f"{said} was instructed, {amount} was settled: the settled one is used")
    year = int(found[1]) + (1900 if int(found[1]) >= 80 else 2000)
    return amount, reading.day(field.place, f"{year}-{found[2]}-{found[3]}")


def _money(tag: str, text: str) -> Amount:
    found = _MONEY.fullmatch(text)
    if not found:
        raise Malformed(f":{tag}: {text!r} is not a currency and an amount with its comma, such as EUR62000,00")
    whole = found[2].lstrip("0") or "0"
    try:
        return Amount.parse(f"{whole}.{found[3]}" if found[3] else whole, found[1])
    except Malformed as why:
        raise Malformed(f":{tag}: {why}") from None


def _agent(reading: Reading, message: _Message, number: str, otherwise: str) -> str:
    """The bank of a party; `otherwise` where the field is absent, as the standard says."""
    field = message.fields.get(number)
    if field is None:
        return reading.agent(f"{message.place} {'sender' if number == '52' else 'receiver'}", otherwise)
    named = [line for line in field.lines if not line.startswith("/")]
    if field.tag.endswith("A") and named:
        return reading.agent(field.place, named[0])
    if clearing := _FEDWIRE.match(field.lines[0]):
        return reading.agent(field.place, clearing[1])
    reading.miss(field.place, f"left empty: {' '.join(field.lines)!r} is neither a BIC nor a US routing number")
    return ""


def _party(reading: Reading, message: _Message, number: str, agent: str) -> Party:
    field = message.fields.get(number)
    if field is None:
        reading.miss(message.place, f"no :{number}: field: {'debtor' if number == '50' else 'creditor'} not known")
        return Party(agent=agent)
    account, *rest = field.lines if field.lines[0].startswith("/") else ("", *field.lines)
    if field.tag.endswith("F"):
        if not account and rest and not rest[0].startswith("1/"):
            reading.miss(field.place, f"{rest[0]!r} stands in place of an account: account left empty")
        name = " ".join(line[2:].strip() for line in rest if line.startswith("1/"))
    else:
        name = rest[0].strip() if rest else ""
    return Party(name, reading.account(f"{field.place}, account left empty", agent, account[1:]), agent)


def _end_to_end_id(reading: Reading, field: _Field | None) -> str:
    """What follows /ROC/, unless a full line leaves open where it ends."""
    if field is None:
        return ""
    for line, after in zip(field.lines, (*field.lines[1:], ""), strict=True):
        said, ends, _ = line.partition("/ROC/")[2].partition("//")
        if said and not ends and len(line) >= 35 and after and not after.startswith("/"):
            reading.miss(field.place, f"{said + after!r}: where /ROC/ ends is not clear, so it is left empty")
            return ""
        if said:
            return said
    return ""
