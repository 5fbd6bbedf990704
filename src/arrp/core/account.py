"""An account is one string, in one normal form, so that the same account is always the same text (R-04).

    payto://iban/PT50000201231234567890154   an IBAN (RFC 8905)
    payto://bic/HNBAUS51/254178963           a local account number at a bank known by its BIC
    payto://ach/021000021/254178963          a local account number at a US routing number (RFC 8905)
    payto://upi/alice@oksbi                  a proxy: upi, pix, paynow
    eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa96045   a wallet (CAIP-10)

RFC 8905 lets `payto://bic/` name a bank only; the second segment, the account number there, is ours.
The BIC has eight characters (a branch code is dropped: institutions are compared on eight); the
number has capitals and digits only (spaces, points, dashes and slashes are dropped, leading zeros
are kept). Wallets on eip155 are lower case; tron and bitcoin-like addresses must pass their checksum.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import unquote

from arrp.core.errors import Malformed

# Country, structure after the check digits (n digits, a capitals, c either), place of the bank code
# there (ISO 13616 registry): `4` = the first four characters, `1+5` = five after the first.
_IBAN_TABLE = """
AD 8n12c 4    AE 19n 3      AL 8n16c 3    AT 16n 5      AZ 4a20c 4    BA 16n 3      BE 12n 3      BG 4a6n8c 4
BH 4a14c 4    BI 23n 5      BR 23n1a1c 8  BY 4c4n16c 4  CH 5n12c 5    CR 18n 4      CY 8n16c 3    CZ 20n 4
DE 18n 8      DJ 23n 5      DK 14n 4      DO 4c20n 4    EE 16n 2      EG 25n 4      ES 20n 4      FI 14n 3
FK 2a12n 2    FO 14n 4      FR 10n11c2n 5 GB 4a14n 4    GE 2a16n 2    GI 4a15c 4    GL 14n 4      GR 7n16c 3
GT 24c 4      HN 4a20n 4    HR 17n 7      HU 24n 3      IE 4a14n 4    IL 19n 3      IQ 4a15n 4    IS 22n 4
IT 1a10n12c 1+5 JO 4a4n18c 4 KW 4a22c 4   KZ 3n13c 3    LB 4n20c 4    LC 4a24c 4    LI 5n12c 5    LT 16n 5
LU 3n13c 3    LV 4a13c 4    LY 21n 3      MC 10n11c2n 5 MD 20c 2      ME 18n 3      MK 3n10c2n 3  MN 16n 4
MR 23n 5      MT 4a5n18c 4  MU 4a19n3a 6  NI 4a20n 4    NL 4a10n 4    NO 11n 4      OM 3n16c 3    PK 4a16c 4
PL 24n 8      PS 4a21c 4    PT 21n 4      QA 4a21c 4    RO 4a16c 4    RS 18n 3      RU 14n15c 9   SA 2n18c 2
SC 4a20n3a 6  SD 14n 2      SE 20n 3      SI 15n 5      SK 20n 4      SM 1a10n12c 1+5 SO 19n 4    ST 21n 4
SV 4a20n 4    TL 19n 3      TN 20n 2      TR 6n16c 5    UA 6n19c 6    VA 18n 3      VG 4a16n 4    XK 16n 2
YE 4a4n18c 4
"""
_KINDS = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}


def _iban_row(structure: str, bank: str) -> tuple[int, re.Pattern[str], slice]:
    parts = re.findall(r"([0-9]+)([nac])", structure)
    start, _, count = bank.rpartition("+")
    first = 4 + int(start or 0)
    pattern = re.compile("".join(f"{_KINDS[kind]}{{{size}}}" for size, kind in parts))
    return 4 + sum(int(size) for size, _ in parts), pattern, slice(first, first + int(count))


_ROWS = _IBAN_TABLE.split()
_IBANS = {country: _iban_row(*row) for country, *row in zip(_ROWS[::3], _ROWS[1::3], _ROWS[2::3], strict=True)}

_PROXIES = {"upi": "IN", "pix": "BR", "paynow": "SG"}

_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")  # what copying from a page brings along
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_ROUTING = re.compile(r"[0-9]{9}")
_LOCAL = re.compile(r"(?=.*[0-9])[A-Z0-9]{1,34}")  # one digit at least, or any words would be an account
_AT_BANK = re.compile(rf"({_BIC.pattern})[\s/:,+]+(.+)")
_IBAN_START = re.compile(r"[A-Z]{2}[0-9]{2}")
_CAIP10 = re.compile(r"([-a-z0-9]{3,8}):([-_a-zA-Z0-9]{1,32}):([-.%a-zA-Z0-9]{1,128})")
_PROXY = re.compile(r"[a-z0-9.+@_-]{3,77}")
_WAYS = "an IBAN, a BIC and a number (HNBAUS51 254178963), a payto:// address or a CAIP-10 wallet (eip155:1:0x…)"


def parse_account(text: str) -> str:
    """What people paste, in normal form. Raises Malformed saying what is wrong with it."""
    pasted = _UNSEEN.sub("", text).strip()
    if pasted[:8].lower() == "payto://":
        return _payto(pasted)
    if found := _CAIP10.fullmatch(pasted):
        return _wallet(found[1], found[2], found[3])
    plain = re.sub(r"^IBAN[\s:]*", "", pasted.upper())
    if _IBAN_START.match(plain):
        return f"payto://iban/{_iban(plain)}"
    if found := _AT_BANK.fullmatch(plain):
        return account_at(found[1], found[2])
    if plain[:2] in _IBANS and len(plain) >= 15:  # a letter among the check digits: say that, it is one
        return f"payto://iban/{_iban(plain)}"
    raise Malformed(f"{text!r} is not an account by itself: write {_WAYS}")


def account_at(agent: str, text: str) -> str:
    """The account `text` at the bank `agent` (a BIC or a US routing number), in normal form.

    An IBAN or a full account stands by itself; a local number needs the bank. What is built like an
    IBAN of a country that has them is read as one, and refused when its check digits are wrong.
    """
    number = re.sub(r"[\s./-]", "", _UNSEEN.sub("", text).upper())
    if ":" in text or not agent:
        return parse_account(text)
    if number[:2] in _IBANS and _IBAN_START.match(number) and len(number) >= 15:
        return parse_account(number)
    if not _LOCAL.fullmatch(number):
        raise Malformed(f"account number {text!r} is not 1 to 34 letters and digits, with a digit among them")
    bank = parse_agent(agent)
    return f"payto://ach/{bank}/{number}" if _ROUTING.fullmatch(bank) else f"payto://bic/{bank[:8]}/{number}"


def parse_agent(text: str) -> str:
    """A bank as payments name it: its BIC (ISO 9362, 8 or 11 characters) or its US routing number."""
    agent = _UNSEEN.sub("", text).strip().upper()
    if _ROUTING.fullmatch(agent):
        if sum(int(digit) * weight for digit, weight in zip(agent, (3, 7, 1) * 3, strict=True)) % 10:
            raise Malformed(f"check digit of routing number {agent} is wrong: a digit was mistyped")
    elif not _BIC.fullmatch(agent):
        raise Malformed(f"{text!r} is not a BIC: 4 characters, 2 letters of the country, 2 characters, 3 or no more")
    return agent


def institution_of(account: str) -> str:
    """What the directory is searched by: country and bank code of an IBAN (`PT0002`), the BIC8, `US`
    and the routing number, the proxy scheme (`pix`; `upi/oksbi`), the CAIP-2 chain of a wallet."""
    kind, rest = _taken_apart(account)
    if kind == "iban":
        return rest[:2] + rest[_IBANS[rest[:2]][2]]
    if kind in _PROXIES:
        return f"{kind}/{rest.rpartition('@')[2]}" if kind == "upi" else kind
    return ("US" if kind == "ach" else "") + rest.rpartition("/" if kind else ":")[0]


def country_of(account: str) -> str:
    """The ISO 3166 country of the institution; empty for a wallet, which has none."""
    kind, rest = _taken_apart(account)
    return {"": "", "iban": rest[:2], "bic": rest[4:6], "ach": "US", **_PROXIES}[kind]


def short_account(account: str) -> str:
    """For lists and transcripts: `PT50…0154`, `HNBAUS51 …8963`, `0xd8da…6045`; empty when erased.
    Never refuses: of a text that is no account the last four characters are shown."""
    try:
        kind, rest = _taken_apart(account)
    except Malformed:
        return f"…{account[-4:]}" if account else ""
    if kind in ("bic", "ach"):
        bank, _, number = rest.partition("/")
        return f"{bank} …{number[-4:]}"
    if kind in _PROXIES:
        return f"{kind} …{rest[-4:]}"
    name = rest.rpartition(":")[2]
    return f"{name[:4] if kind else name[:6]}…{name[-4:]}"


def _taken_apart(account: str) -> tuple[str, str]:
    """The payto kind and what follows it; no kind and all of it for a wallet."""
    normal = parse_account(account)
    if not normal.startswith("payto://"):
        return "", normal
    kind, _, rest = normal.removeprefix("payto://").partition("/")
    return kind, rest


def _payto(text: str) -> str:
    kind, _, rest = re.split(r"[?#]", text[8:])[0].partition("/")
    parts = [unquote(part) for part in rest.strip("/").split("/")]
    match kind.lower(), parts:
        case "iban", [number] | [_, number]:
            return f"payto://iban/{_iban(number.upper())}"
        case "bic" | "ach", [agent, number] if bool(_ROUTING.fullmatch(agent)) == (kind.lower() == "ach"):
            return account_at(agent, number)
        case proxy, [name] if proxy in _PROXIES:
            if not _PROXY.fullmatch(name.lower()) or (proxy == "upi" and name[1:-1].count("@") != 1):
                raise Malformed(f"{name!r} is not a name of the {proxy} scheme")
            return f"payto://{proxy}/{name.lower()}"
    forms = "iban/IBAN, bic/BIC/NUMBER, ach/ROUTING/NUMBER, upi/NAME, pix/KEY, paynow/NAME"
    raise Malformed(f"{text!r} names no account we know how to find: after payto:// write {forms}")


def _iban(text: str) -> str:
    iban = re.sub(r"[\s-]", "", text)
    if iban[:2] not in _IBANS:
        raise Malformed(f"IBAN {iban}: {iban[:2]!r} is no country with IBANs: write {_WAYS}")
    length, pattern, _ = _IBANS[iban[:2]]
    if len(iban) != length:
        raise Malformed(f"IBAN {iban} has {len(iban)} characters, one of {iban[:2]} has {length}: count them again")
    if not re.fullmatch("[0-9]{2}", iban[2:4]) or not pattern.fullmatch(iban[4:]):
        raise Malformed(f"IBAN {iban} has a letter or a sign where {iban[:2]} has a digit, or the other way round")
    number = int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4]))
    if number % 97 != 1 or not 2 <= int(iban[2:4]) <= 98:
        raise Malformed(f"check digits of IBAN {iban} are wrong: a digit was mistyped or two were swapped")
    return iban


def _wallet(namespace: str, reference: str, address: str) -> str:
    normal = _ADDRESSES.get(namespace, str)(address)
    if normal is None:
        raise Malformed(f"address {address} is not one of {namespace}:{reference}: a character was mistyped or lost")
    return f"{namespace}:{reference}:{normal}"


def _eip155_address(address: str) -> str | None:
    return address.lower() if re.fullmatch(r"0[xX][0-9a-fA-F]{40}", address) else None


def _tron_address(address: str) -> str | None:
    return address if _checked(address)[:1] == b"\x41" else None


def _solana_address(address: str) -> str | None:
    return address if len(_base58(address)) == 32 else None


def _bip122_address(address: str) -> str | None:
    """Bitcoin and its like: bech32 or base58check; the unprefixed form of bitcoin cash has only its shape."""
    lower = address.lower()
    if re.match(r"(bc|tb|ltc)1", lower):
        return lower if address in (lower, address.upper()) and _bech32(lower) else None
    return address if re.fullmatch(r"[qp][02-9ac-hj-np-z]{41}", address) or _checked(address) else None


_ADDRESSES: dict[str, Callable[[str], str | None]] = {
    "eip155": _eip155_address,
    "tron": _tron_address,
    "bip122": _bip122_address,
    "solana": _solana_address,
}

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _base58(text: str) -> bytes:
    """The bytes a base58 text stands for; nothing where it is not base58."""
    if not set(text) <= set(_BASE58):
        return b""
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _checked(text: str) -> bytes:
    """The 21 bytes of a base58check address; nothing when its checksum is wrong."""
    data = _base58(text)
    checksum = sha256(sha256(data[:-4]).digest()).digest()[:4]
    return data[:-4] if len(data) == 25 and data[-4:] == checksum else b""


def _bech32(address: str) -> bool:
    """Whether the checksum of BIP 173 (witness version 0) or BIP 350 (later ones) is right."""
    prefix, _, rest = address.rpartition("1")
    if not set(rest) <= set(_BECH32) or len(rest) < 7:
        return False
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + [_BECH32.index(c) for c in rest]
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check == (1 if rest[0] == "q" else 0x2BC830A3)
