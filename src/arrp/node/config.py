"""A node's home directory, and the two files of settings in it. A key nobody knows is refused by its name.

HOME/               0700
    node.toml       where the node listens, what it writes to, which core it speaks to
    rules.toml      its policy, its clocks, the powers that the law gives it
    directory.json  who takes part (node/directory)
    entry.json      this node's own entry, to be handed to the keepers of the directory
    mandates/*.json standing mandates signed by two officers (node/standing)
    keys/           node/keys

node.toml           default
id                  needed              this participant, as the directory names it
listen              127.0.0.1:8443      host:port where peers reach it, behind a proxy if there is one
api                 none                host:port where officers' systems reach /v1 with a key, behind a proxy with TLS
networks            []                  where peers may be beside the public internet: ["10.8.0.0/16"]; loopback for a
                                        node that is itself at a loopback address in the directory
exchange_seconds    20                  seconds, 1 to 25: how long one exchange with a peer may take
store               sqlite:///HOME/node.db   or postgresql+psycopg://…
log_level           info                debug | info | warning | error
log_format          text                text | json: one object per line
[directory]
from                []                  where newer versions are asked for: ["https://…/directory"]; none = our peers
[core]
kind                none                none | simulated | manual: tasks for a clerk (R-99) | ledger: read, clerks hold
path                core.db             the file of a simulated core, or of the clerks' tasks, below HOME
ledger, query, opening, accounts        of kind ledger: node/ledger_settings

rules.toml          default   unit, limits
[policy]                      what the node does before an officer looked (R-17); by default nothing
instant_from        []        participants by id, or all of a kind: @authority, @institution …
crimes              []        crime codes; none named = all
asset               EUR       what the four amounts count; a claim in another asset goes to an officer
per_request         0         amount as text, such as "50000.00": most that one request holds at once
per_hour, per_day   0         amount as text, per peer
per_account         0         amount as text
mandate_issued      true      false: a request under a mandate, which no officer signed, needs one of ours
power               none      id of the [[power]] on which the node acts; none = no automatic act
seen_within_minutes 30        minutes, 1 to 1440: then the second contact is called
first_contact       call-back call-back | at-once: what a request of an officer we never spoke to waits for (R-91)
call_back_within_minutes 5    minutes, 1 to 60: then the second contact is called; mule accounts are emptied in 3 to 10
questions_per_day   100       requests of one peer, 0 to 1000000: beyond that an officer decides, the core is not asked
introduced          []        PEER or PEER/OFFICER: called back before this node was set up
[clocks]
surplus_minutes     60        minutes, 1 to 60: how long nobody need keep what is held
keep_before_minutes 10        minutes, 0 to less than surplus: the node keeps by itself then
patience_seconds    120       seconds, 1 to 3600: an unreceipted request is somebody's business after it
look_every_seconds  60        seconds, 1 to 3600: how often an account under hold is read again
request_hours_max   72        hours, 1 to 720: a request of ours may be applied no later
[retention]                   how long a closed case keeps what is private (R-65)
unfounded_days      90        days, 0 to 36500: of a case that turned out unfounded
others_days         1825      days, 1 to 36500
[[power]]                     one for each power, with its source (core/deadline.Power)
id, country, article          needed
holders             needed    kinds of participants that have it: ["institution"]
provisional_hours_max needed  hours, 0 to 8760: undecided; 0 = no hold before an officer decided
hold_hours_max      needed    hours, 1 to 87600: one decision
chain_hours_max     needed    hours, hold_hours_max to 87600: with all extensions
reach               amount    amount | value
protected           0         amount as text in protected_asset: stays with the account holder
protected_asset     EUR
notice              free      required | forbidden | free: whether the account holder is told of a hold (R-72)
notice_hours        72        hours, 0 to 8760: until the account holder is told, where that is required
objection_hours     120       hours, 1 to 8760: to object, and then to decide the objection
objection_silence   escalate  escalate | release
return_notice_hours 24        hours, 0 to 8760: between announcing and sending
review_days         180       days, 1 to 3650: of a secured hold
onward              ask       free | ask | we_do: whether an authority may be told where money went (R-53)
source, checked_on  needed    where the law is, and the day somebody read it: 2026-11-22
[[adopted]], [[day]]          node/powers
"""

from __future__ import annotations

import ipaddress
import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from arrp.core.calendar import Calendar
from arrp.core.crime import Crime
from arrp.core.deadline import Power
from arrp.core.errors import ArrpError, Malformed
from arrp.core.law import TOLD
from arrp.core.money import Amount, decimals
from arrp.core.period import Period
from arrp.core.policy import Participant, Policy, Rules
from arrp.law.telling import untold
from arrp.node.calling import EXCHANGE_SECONDS, PUBLIC, Network, Reach
from arrp.node.directory import Directory
from arrp.node.files import read_file
from arrp.node.ledger_settings import LedgerSettings, ledger_settings
from arrp.node.powers import Adopted, adopted_power, own_days
from arrp.node.standing import load_standing
from arrp.wire.entry import KINDS, check_address

T = TypeVar("T")

_BYTES_MAX = 1 << 20
_YEAR = 8760


@dataclass(frozen=True, slots=True)
class Config:
    """What node.toml says. `store` may hold a password, so it is not printed."""

    home: Path
    id: str
    host: str
    port: int
    store: str = field(repr=False)
    log_level: str
    log_format: str
    core: str
    core_path: Path
    api: tuple[str, int] | None = None
    reach: Reach = PUBLIC
    sources: tuple[str, ...] = ()
    ledger: LedgerSettings | None = None

    @property
    def directory(self) -> Path:
        return self.home / "directory.json"

    @property
    def mandates(self) -> Path:
        return self.home / "mandates"


def load_config(home: Path) -> Config:
    """The settings of the node at `home`. Raises NotFound, Malformed."""
    home = home.absolute()
    tree = _toml(home / "node.toml")
    node = _take("node.toml", tree, _NODE)
    core = _take("node.toml: [core]", node["core"], _CORE)
    directory = _take("node.toml: [directory]", node["directory"], _DIRECTORY)
    host, port = parse_listen(node["listen"])
    store = node["store"] or f"sqlite:///{home / 'node.db'}"
    return Config(home, node["id"], host, port, store, node["log_level"], node["log_format"], core["kind"],
                  home / core["path"], parse_listen(node["api"]) if node["api"] else None,
                  Reach(node["networks"], node["exchange_seconds"]), directory["from"], ledger_settings(home, core))


def load_rules(config: Config, directory: Directory) -> Rules:
    """The rules of the node: rules.toml, the directory and the standing mandates, with their digest.

    Raises NotFound when the directory does not name this node, Malformed, Refused."""
    me = directory.participant(config.id)
    tree = _take("rules.toml", _toml(config.home / "rules.toml"), _RULES)
    powers = [*(_power(number, item) for number, item in enumerate(tree["power"], 1)), *_adopted(tree, me)]
    policy = _policy(_take("rules.toml: [policy]", tree["policy"], _POLICY))
    clocks = _clocks(_take("rules.toml: [clocks]", tree["clocks"], _CLOCKS))
    kept = _take("rules.toml: [retention]", tree["retention"], _RETENTION)
    _check_policy(policy, powers, me, directory)
    standing = load_standing(config.mandates, me.id, directory)
    values: dict[str, Any] = {
        "me": me,
        "participants": dict(directory.participants),
        "powers": {power.id: power for power in powers},
        "policy": policy,
        "standing": tuple((one.act_hash, one.mandate) for one in standing),
        "keep_unfounded": timedelta(days=kept["unfounded_days"]),
        "keep_closed": timedelta(days=kept["others_days"]), "untold": untold(),
        **clocks,
    }
    return Rules(**values, digest=rules_digest(Rules(**values)))


def rules_digest(rules: Rules) -> str:
    """The same values, the same digest, whatever order they came in; another value, another digest."""
    tree = asdict(replace(rules, powers={}, digest=""))
    tree["powers"] = {id: {one.name: getattr(power, one.name) for one in fields(power)}
                      for id, power in rules.powers.items()}
    text = json.dumps(tree, sort_keys=True, default=_canonical, separators=(",", ":"))
    return sha256(b"arrp rules v1\0" + text.encode()).hexdigest()


def _canonical(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)} us"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Calendar):
        return value.digest
    if isinstance(value, Period):
        return str(value)
    raise TypeError(f"{value!r} has no place in a digest of rules")


def parse_listen(text: str) -> tuple[str, int]:
    """(host, port) of `127.0.0.1:8443` or `[::1]:8443`. Raises Malformed."""
    host, _, digits = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    if not bare or (":" in bare) == (bare == host) or not 0 < port < 65536:
        raise Malformed(f"listen: {text!r} is not host:port, such as 127.0.0.1:8443 or [::1]:8443")
    return bare, port


# --- reading tables -------------------------------------------------------------------------------


class _Needed:
    """Stands where a default would."""


@dataclass(frozen=True, slots=True)
class _Key:
    """How one key is read; what it is when it is absent."""

    read: Callable[[Any], Any]
    default: Any = _Needed


def _toml(path: Path) -> dict[str, Any]:
    data = read_file(path, _BYTES_MAX)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as why:
        raise Malformed(f"{path} is not TOML: {why}") from None


def _take(where: str, tree: Any, keys: Mapping[str, _Key]) -> dict[str, Any]:
    """The values of a table. Raises Malformed naming the table, the key, and what may stand there."""
    if not isinstance(tree, dict):
        raise Malformed(f"{where} is a table of keys, not {tree!r}")
    for name in tree.keys() - keys.keys():
        near = get_close_matches(name, keys, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise Malformed(f"{where}: there is no key {name!r}; {meant}It may have: {', '.join(keys)}")
    return {name: _value(f"{where}: {name}", key, tree.get(name, _Needed)) for name, key in keys.items()}


def _value(where: str, key: _Key, found: Any) -> Any:
    if found is _Needed:
        if key.default is _Needed:
            raise Malformed(f"{where} is missing, and has no default")
        return key.default
    try:
        return key.read(found)
    except ArrpError as why:
        raise Malformed(f"{where}: {why}") from None


def _typed(cls: type[T], wanted: str, value: Any) -> T:
    if type(value) is not cls:
        raise Malformed(f"{value!r} is not {wanted}")
    return value


_table = partial(_typed, dict, "a table")
_tables = partial(_typed, list, "a list of tables")
_flag = partial(_typed, bool, "true or false")


def _text(value: Any) -> str:
    if not _typed(str, "a text", value).strip():
        raise Malformed("is empty")
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _typed(list, "a list of texts", value))


def _one_of(words: Collection[str], value: Any) -> str:
    if value not in words:
        raise Malformed(f"{value!r} is not one of {', '.join(words)}")
    return str(value)


def _some_of(words: Collection[str], value: Any) -> tuple[str, ...]:
    return tuple(_one_of(words, item) for item in _texts(value))


def _whole(low: int, high: int, value: Any) -> int:
    if not low <= _typed(int, "a whole number", value) <= high:
        raise Malformed(f"{value} is not between {low} and {high}")
    return int(value)


def _asset(value: Any) -> str:
    decimals(_text(value))
    return str(value)


def _amount(value: Any) -> str:
    return _typed(str, 'an amount as text, such as "50000.00"', value)


def _day(value: Any) -> str:
    return _typed(date, "a day, such as 2026-11-22 without quotes", value).isoformat()


def _addresses(value: Any) -> tuple[str, ...]:
    found = _texts(value)
    for address in found:
        check_address("from", address)
    return found


def _store(value: Any) -> str:
    text = _text(value)
    if not text.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise Malformed("a store is sqlite:///… or postgresql+psycopg://…")  # not printed: it may hold a password
    return text


def _networks(value: Any) -> tuple[Network, ...]:
    return tuple(_network(text) for text in _texts(value))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as why:
        raise Malformed(f"{text!r} is no network, such as 10.8.0.0/16 or fd00::/8: {why}") from None


def _within(low: int, high: int) -> Callable[[Any], int]:
    return partial(_whole, low, high)


_NODE = {
    "id": _Key(_text),
    "listen": _Key(_text, "127.0.0.1:8443"),
    "store": _Key(_store, ""),
    "api": _Key(_text, ""),
    "networks": _Key(_networks, ()),
    "exchange_seconds": _Key(_within(1, 25), EXCHANGE_SECONDS),
    "log_level": _Key(partial(_one_of, ("debug", "info", "warning", "error")), "info"),
    "log_format": _Key(partial(_one_of, ("text", "json")), "text"),
    "core": _Key(_table, {}),
    "directory": _Key(_table, {}),
}
_DIRECTORY = {"from": _Key(_addresses, ())}
_CORE = {"kind": _Key(partial(_one_of, ("none", "simulated", "manual", "ledger")), "none"),
         "path": _Key(_text, "core.db"), "ledger": _Key(_text, ""), "query": _Key(_text, ""),
         "opening": _Key(_text, ""), "accounts": _Key(_texts, ())}
_RULES = {"policy": _Key(_table, {}), "clocks": _Key(_table, {}), "retention": _Key(_table, {}),
          "power": _Key(_tables, []), "adopted": _Key(_tables, []), "day": _Key(_tables, [])}
_RETENTION = {"unfounded_days": _Key(_within(0, 36500), 90), "others_days": _Key(_within(1, 36500), 1825)}
_AMOUNTS = ("per_request", "per_hour", "per_day", "per_account")
_POLICY = {
    "instant_from": _Key(_texts, ()),
    "crimes": _Key(partial(_some_of, tuple(map(str, Crime))), ()),
    "asset": _Key(_asset, "EUR"),
    **{name: _Key(_amount, "0") for name in _AMOUNTS},
    "mandate_issued": _Key(_flag, True),
    "power": _Key(_text, None),
    "seen_within_minutes": _Key(_within(1, 1440), 30),
    "first_contact": _Key(partial(_one_of, ("call-back", "at-once")), "call-back"),
    "call_back_within_minutes": _Key(_within(1, 60), 5),
    "questions_per_day": _Key(_within(0, 1_000_000), 100),
    "introduced": _Key(_texts, ()),
}
_CLOCKS = {
    "surplus_minutes": _Key(_within(1, 60), 60),
    "keep_before_minutes": _Key(_within(0, 59), 10),
    "patience_seconds": _Key(_within(1, 3600), 120),
    "look_every_seconds": _Key(_within(1, 3600), 60),
    "request_hours_max": _Key(_within(1, 720), 72),
}
_POWER = {
    "id": _Key(_text),
    "country": _Key(_text),
    "article": _Key(_text),
    "holders": _Key(partial(_some_of, KINDS)),
    "provisional_hours_max": _Key(_within(0, _YEAR)),
    "hold_hours_max": _Key(_within(1, 10 * _YEAR)),
    "chain_hours_max": _Key(_within(1, 10 * _YEAR)),
    "reach": _Key(partial(_one_of, ("amount", "value")), "amount"),
    "protected": _Key(_amount, "0"),
    "protected_asset": _Key(_asset, "EUR"),
    "notice": _Key(partial(_one_of, ("required", "forbidden", "free")), "free"),
    "notice_hours": _Key(_within(0, _YEAR), 72),
    "objection_hours": _Key(_within(1, _YEAR), 120),
    "objection_silence": _Key(partial(_one_of, ("escalate", "release")), "escalate"),
    "return_notice_hours": _Key(_within(0, _YEAR), 24),
    "review_days": _Key(_within(1, 3650), 180),
    "onward": _Key(partial(_one_of, ("free", "ask", "we_do")), "ask"),
    "source": _Key(_text),
    "checked_on": _Key(_day),
}


_ADOPTED = {"law": _Key(_text), "power": _Key(_text), "by": _Key(_text), "on": _Key(_day),
            "onward": _Key(partial(_one_of, ("free", "ask", "we_do")), "ask"), "calendar": _Key(_text, "")}
_DAY = {"on": _Key(_day), "why": _Key(_text), "working": _Key(_flag, False)}


# --- values -> rules ------------------------------------------------------------------------------


def _policy(found: dict[str, Any]) -> Policy:
    seen_within, call_within = (timedelta(minutes=found.pop(f"{name}_minutes"))
                                for name in ("seen_within", "call_back_within"))
    for name in _AMOUNTS:
        found[name] = _minor(f"rules.toml: [policy]: {name}", found[name], found["asset"])
    calls_back = found.pop("first_contact") == "call-back"
    return Policy(**found, seen_within=seen_within, call_back_within=call_within, call_back_first=calls_back)


def _clocks(found: dict[str, Any]) -> dict[str, Any]:
    if found["keep_before_minutes"] >= found["surplus_minutes"]:
        raise Malformed("rules.toml: [clocks]: keep_before_minutes is not less than surplus_minutes")
    return {
        "surplus": timedelta(minutes=found["surplus_minutes"]),
        "keep_before": timedelta(minutes=found["keep_before_minutes"]),
        "patience": timedelta(seconds=found["patience_seconds"]),
        "look_every": timedelta(seconds=found["look_every_seconds"]),
        "request_hours_max": found["request_hours_max"],
    }


def _power(number: int, tree: Any) -> Power:
    name = tree.get("id", number) if isinstance(tree, dict) else number
    where = f"rules.toml: [[power]] {name}"
    found = _take(where, tree, _POWER)
    if found["chain_hours_max"] < found["hold_hours_max"]:
        raise Malformed(f"{where}: chain_hours_max is less than hold_hours_max, of which it is the sum")
    if found["provisional_hours_max"] > found["hold_hours_max"]:
        raise Malformed(f"{where}: provisional_hours_max is more than hold_hours_max")
    protected = _minor(f"{where}: protected", found.pop("protected"), found["protected_asset"])
    provisional, longest, chain = (found.pop(f"{name}_hours_max") for name in ("provisional", "hold", "chain"))
    found["notice_within"], found["return_notice"], found["objection_within"] = (Period(hours, "hours") for hours in (
        found.pop("notice_hours"), found.pop("return_notice_hours"), found["objection_hours"]))
    tells = TOLD if found["onward"] == "free" else ()  # whoever types a power answers for what may be told under it
    return Power(**found, tells=tells, protected_minor=protected, longest=Period(longest, "hours"),
                 provisional=Period(provisional, "hours") if provisional else None, chain=Period(chain, "hours"))


def _adopted(tree: dict[str, Any], me: Participant) -> Iterator[Power]:
    """The powers of law files that somebody here adopted. Raises Malformed naming the table."""
    days = own_days([_take(f"rules.toml: [[day]] {number}", item, _DAY) for number, item in enumerate(tree["day"], 1)])
    for number, item in enumerate(tree["adopted"], 1):
        where = f"rules.toml: [[adopted]] {number}"
        found = Adopted(**_take(where, item, _ADOPTED))
        try:
            yield adopted_power(found, me, days)
        except ArrpError as why:
            raise Malformed(f"{where}: {why}") from None


def _minor(where: str, number: str, asset: str) -> int:
    try:
        return Amount.parse(number, asset).minor
    except Malformed as why:
        raise Malformed(f"{where}: {why}") from None


def _check_policy(policy: Policy, powers: list[Power], me: Participant, directory: Directory) -> None:
    """What names something must name something that is there: a typo here is money not held."""
    ids = [power.id for power in powers]
    if len(set(ids)) < len(ids):
        raise Malformed(f"rules.toml: two [[power]] have one id among {', '.join(ids)}")
    named = {*directory.participants, *(f"@{kind}" for kind in KINDS)}
    for name in policy.instant_from:
        if name not in named:
            raise Malformed(f"rules.toml: [policy]: instant_from: {name!r} is neither in the directory nor an @kind")
    for name in policy.introduced:
        peer, _, officer = name.partition("/")
        if peer not in directory.participants or (officer and not directory.participants[peer].has_officer(officer)):
            raise Malformed(f"rules.toml: [policy]: introduced: {name!r} is not in the directory")
    if policy.power is None:
        return
    power = next((power for power in powers if power.id == policy.power), None)
    if power is None:
        raise Malformed(
            f"rules.toml: [policy]: power: there is no [[power]] {policy.power!r}, only {', '.join(ids) or 'none'}"
        )
    if me.kind not in power.holders or power.country != me.country:
        holders = ", ".join(power.holders)
        raise Malformed(
            f"rules.toml: [policy]: power: {power.id} is of {holders} in {power.country}; "
            f"{me.id} is of kind {me.kind} in {me.country}"
        )
