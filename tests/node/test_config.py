"""A node's settings: what each key becomes, which are refused and how, and that the digest tells rules apart."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.cli.templates import NO_LEDGER, NODE, RULES
from arrp.core.deadline import Power
from arrp.core.errors import ArrpError, Malformed, NotFound, Refused
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.core.period import Period
from arrp.core.policy import Policy, Rules
from arrp.law.telling import untold
from arrp.node.config import load_config, load_rules, parse_listen, rules_digest
from arrp.node.directory import Directory
from arrp.node.ledger_settings import LedgerSettings
from arrp.node.standing import Standing, draft_standing, load_standing, read_standing
from arrp.wire.approvals import approve
from arrp.wire.codec import dumps
from tests.node.entries import BANK, NCB, signing_key

DIRECTORY = Directory([BANK, NCB])
T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
POWER = """
[[power]]
id = "pt-1"
country = "PT"
article = "art. 1"
holders = ["institution"]
provisional_hours_max = 24
hold_hours_max = 72
chain_hours_max = 720
source = "https://law.example/1"
checked_on = 2026-11-22
"""


def home_of(folder: Path, rules: str = "", node: str = 'id = "BANK-PT"\n') -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "node.toml").write_text(node)
    (folder / "rules.toml").write_text(rules)
    return folder


def rules_of(folder: Path, text: str) -> Rules:
    return load_rules(load_config(home_of(folder, text)), DIRECTORY)


# --- node.toml ---


def test_a_node_with_nothing_but_its_id(tmp_path: Path) -> None:
    config = load_config(home_of(tmp_path))
    assert (config.id, config.host, config.port, config.log_level, config.core) == (
        "BANK-PT",
        "127.0.0.1",
        8443,
        "info",
        "none",
    )
    assert config.store == f"sqlite:///{tmp_path}/node.db"
    assert config.directory == tmp_path / "directory.json"


def test_every_key_of_node_toml_counts(tmp_path: Path) -> None:
    text = (
        'id = "BANK-PT"\nlisten = "[::1]:9000"\nstore = "postgresql+psycopg://u:secret@db/arrp"\nlog_level = "debug"\n'
        '[core]\nkind = "simulated"\npath = "bank.db"\n'
    )
    config = load_config(home_of(tmp_path, node=text))
    assert (config.host, config.port, config.log_level) == ("::1", 9000, "debug")
    assert (config.core, config.core_path) == ("simulated", tmp_path / "bank.db")
    assert config.store.endswith("@db/arrp")
    assert "secret" not in repr(config)


def test_a_ledger_that_is_read(tmp_path: Path) -> None:
    """Paths are below the home; an address with a password is not printed."""
    text = ('id = "BANK-PT"\n[core]\nkind = "ledger"\npath = "tasks.db"\nledger = "csv:export"\n'
            'opening = "opening.csv"\naccounts = ["PT0002"]\n')
    config = load_config(home_of(tmp_path, node=text))
    assert config.ledger == LedgerSettings("csv", str(tmp_path / "export"), "", tmp_path / "opening.csv", ("PT0002",))
    text = ('id = "BANK-PT"\n[core]\nkind = "ledger"\nledger = "sql:postgresql+psycopg://u:secret@db/core"\n'
            'query = "SELECT 1"\n')
    config = load_config(home_of(tmp_path, node=text))
    assert config.ledger is not None
    assert (config.ledger.form, config.ledger.place.endswith("secret@db/core"), config.ledger.query) == (
        "sql", True, "SELECT 1")
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('kind = "ledger"', "ledger is csv:PATH, sql:URL or chain:PATH"),
        ('kind = "ledger"\nledger = "xls:secret"', "ledger is csv:PATH, sql:URL or chain:PATH"),
        ('kind = "ledger"\nledger = "sql:postgresql://u:secret@h/x"', 'query goes with ledger = "sql:URL"'),
        ('kind = "ledger"\nledger = "csv:x"\nquery = "SELECT 1"', 'query goes with ledger = "sql:URL"'),
        ('kind = "ledger"\nledger = "chain:x"', r'accounts names the chain of these exports, such as \["eip155:1"\]'),
        ('kind = "manual"\nledger = "csv:x"', 'ledger is of kind = "ledger", and this one is "manual"'),
    ],
)
def test_a_ledger_that_is_half_described(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Malformed, match=fault) as found:
        load_config(home_of(tmp_path, node=f'id = "A"\n[core]\n{text}\n'))
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "node.toml: id is missing, and has no default"),
        ('id = "A"\nlisen = "x:1"', "node.toml: there is no key 'lisen'; did you mean listen?.*log_level"),
        ('id = "A"\nlisten = "8443"', "listen: '8443' is not host:port"),
        ('id = "A"\nlisten = "host:0"', "not host:port"),
        ('id = "A"\nlisten = "::1:80"', "not host:port"),
        ('id = "A"\nstore = "mysql://u:secret@h/x"', "node.toml: store: a store is sqlite"),
        ('id = "A"\nlog_level = "loud"', "'loud' is not one of debug, info"),
        ('id = "A"\ncore = "simulated"', "node.toml: core: 'simulated' is not a table"),
        ('id = "A"\n[core]\nkind = "real"', r"node.toml: \[core\]: kind: 'real' is not one of none, simulated"),
        ("id = 5", "node.toml: id: 5 is not a text"),
        ("id = ", "node.toml is not TOML"),
        ('id = "\xff"', "node.toml is not TOML"),
        ("a = " + "[" * 5000, "node.toml is not TOML"),
    ],
)
def test_a_wrong_node_toml_is_refused_by_its_key(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "node.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(Malformed, match=fault) as found:
        load_config(tmp_path)
    assert "secret" not in str(found.value)


def test_no_home(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_config(tmp_path / "nowhere")


@given(st.text())
def test_any_text_is_an_address_to_listen_on_or_refused(text: str) -> None:
    try:
        host, port = parse_listen(text)
    except Malformed:
        return
    assert host
    assert 0 < port < 65536


# --- rules.toml ---


def test_empty_rules_let_nothing_happen_by_itself(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, "")
    assert rules.policy == Policy()
    assert rules.own_power() is None
    plain = Rules(BANK, DIRECTORY.participants, {}, Policy(), untold=untold())
    assert replace(rules, digest="") == plain, "the defaults of a file are those of the rules"


def test_every_value_of_rules_toml_counts(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path,
        '[policy]\ninstant_from = ["@authority", "NCB-PT"]\ncrimes = ["BEC"]\nasset = "JPY"\nper_request = "5"\n'
        'per_hour = "6"\nper_day = "7"\nper_account = "8"\nmandate_issued = false\npower = "pt-1"\n'
        'seen_within_minutes = 5\nfirst_contact = "at-once"\nintroduced = ["NCB-PT"]\n'
        "call_back_within_minutes = 3\nquestions_per_day = 9\n[retention]\nunfounded_days = 7\n"
        "others_days = 70\n[clocks]\nsurplus_minutes = 30\nkeep_before_minutes = 5\npatience_seconds = 10\n"
        "look_every_seconds = 20\nrequest_hours_max = 48\n" + POWER + 'protected = "700.00"\nreach = "value"\n'
        'onward = "we_do"\nnotice = "required"\nnotice_hours = 1\nobjection_hours = 2\nobjection_silence = "release"\n'
        "return_notice_hours = 3\nreview_days = 4\n",
    )
    assert rules.policy == Policy(
        ("@authority", "NCB-PT"), ("BEC",), "JPY", 5, 6, 7, 8, False, "pt-1", timedelta(minutes=5), False, ("NCB-PT",),
        timedelta(minutes=3), 9
    )
    assert (rules.keep_unfounded, rules.keep_closed) == (timedelta(days=7), timedelta(days=70))
    assert rules.own_power() == Power(
        "pt-1", "PT", "art. 1", ("institution",), Period(24, "hours"), Period(72, "hours"), Period(720, "hours"),
        reach="value", protected_minor=70000, protected_asset="EUR", notice="required",
        notice_within=Period(1, "hours"), objection_within=Period(2, "hours"), objection_hours=2,
        objection_silence="release", return_notice=Period(3, "hours"), review_days=4, onward="we_do",
        source="https://law.example/1", checked_on="2026-11-22",
    )  # fmt: skip
    assert (rules.surplus, rules.keep_before) == (timedelta(minutes=30), timedelta(minutes=5))
    assert (rules.patience, rules.look_every) == (timedelta(seconds=10), timedelta(seconds=20))
    assert rules.request_hours_max == 48


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[policy]\nintroduced = ['NCB-XX/rui']", "introduced: 'NCB-XX/rui' is not in the directory"),
        ("[policy]\nintroduced = ['NCB-PT/nobody']", "introduced: 'NCB-PT/nobody' is not in the directory"),
        ("[policy]\nfirst_contact = 'never'", "first_contact: 'never' is not one of call-back, at-once"),
        ("[policy]\ncall_back_within_minutes = 0", "call_back_within_minutes: 0 is not between 1 and 60"),
        ("[retention]\nothers_days = 0", "others_days: 0"),
        ("[polcy]", "rules.toml: there is no key 'polcy'; did you mean policy?"),
        ("[policy]\nper_requests = '1'", r"\[policy\]: there is no key 'per_requests'; did you mean per_request\?"),
        ("[policy]\nper_request = 5", r"\[policy\]: per_request: 5 is not an amount as text"),
        ("[policy]\nper_request = '5.001'", "per_request: 5.001 EUR has more than the 2 decimals"),
        ("[policy]\nper_request = '-5'", "per_request: '-5' is not a plain decimal"),
        ("[policy]\nasset = 'euro'", "asset: asset 'euro' is neither"),
        ("[policy]\ncrimes = ['THEFT']", "crimes: 'THEFT' is not one of BEC"),
        ("[policy]\ninstant_from = ['NCB-XX']", "instant_from: 'NCB-XX' is neither in the directory nor an @kind"),
        ("[policy]\ninstant_from = ['@police']", "instant_from: '@police'"),
        ("[policy]\nmandate_issued = 1", "mandate_issued: 1 is not true or false"),
        ("[policy]\npower = 'pt-1'", "there is no \\[\\[power\\]\\] 'pt-1', only none"),
        ("[clocks]\nsurplus_minutes = 61", "surplus_minutes: 61 is not between 1 and 60"),
        ("[clocks]\nsurplus_minutes = true", "surplus_minutes: True is not a whole number"),
        ("[clocks]\nsurplus_minutes = 10", "keep_before_minutes is not less than surplus_minutes"),
        ("[clocks]\nsurplus = 10", "there is no key 'surplus'; did you mean surplus_minutes?"),
        ("[policy]\npower = 'pt-1'" + POWER.replace('"PT"', '"ES"'), "pt-1 is of institution in ES; BANK-PT is of"),
        ("[policy]\npower = 'pt-1'" + POWER.replace('["inst', '["authority", "iss').replace("issitution", "issuer"),
         "pt-1 is of authority, issuer in PT"),
        (POWER + POWER, "two \\[\\[power\\]\\] have one id"),
        (POWER.replace("checked_on = 2026-11-22", ""), "pt-1: checked_on is missing"),
        (POWER.replace("2026-11-22", '"2026-11-22"'), "checked_on: '2026-11-22' is not a day"),
        (POWER.replace("https://law.example/1", " "), "source: is empty"),
        (POWER.replace("= 720", "= 71"), "chain_hours_max is less than hold_hours_max"),
        (POWER.replace("= 24", "= 73"), "provisional_hours_max is more than hold_hours_max"),
        (POWER.replace("= 24", "= -1"), "provisional_hours_max: -1 is not between 0 and 8760"),
        (POWER.replace("= 24", "= 24.5"), "24.5 is not a whole number"),
        (POWER.replace("hold_hours_max", "hold_max"), "there is no key 'hold_max'"),
        ("power = 5", "power: 5 is not a list of tables"),
        ("power = [5]", r"\[\[power\]\] 1 is a table of keys"),
    ],
)  # fmt: skip
def test_wrong_rules_are_refused_by_their_key(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Malformed, match=fault) as found:
        rules_of(tmp_path, text)
    assert str(found.value).startswith("rules.toml")


def test_a_node_that_the_directory_does_not_name_has_no_rules(tmp_path: Path) -> None:
    config = load_config(home_of(tmp_path, node='id = "BANK-ES"\n'))
    with pytest.raises(NotFound, match="BANK-ES is not in the directory"):
        load_rules(config, DIRECTORY)


def test_what_a_new_node_gets_as_comments_are_the_defaults(tmp_path: Path) -> None:
    """Uncommented, the template says exactly what an empty file says, and knows every key."""
    policy_and_clocks, powers = RULES.split("# One table for each power")
    told = re.sub(r"(?m)^# (\w+ = .*)$", r"\1", policy_and_clocks).replace("power =  #", "#")
    assert rules_of(tmp_path, told).digest == rules_of(tmp_path, "").digest
    typed, adopted = powers.split("# A power of the law files")
    told = "".join(line.removeprefix("# ") + "\n" for line in typed.splitlines()[2:])
    assert rules_of(tmp_path, told).powers["pt-1"] == Power(
        "pt-1", "PT", "Law 00/0000, article 0", ("institution",), Period(24, "hours"), Period(72, "hours"),
        Period(720, "hours"), source="https://…", checked_on="2026-11-22",
    )  # fmt: skip
    told = "".join(f"{line}\n" for line in re.findall(r"(?m)^# (\[\[\w+\]\]|\w+ = .*)$", adopted))
    found = rules_of(tmp_path, told).powers["se-disposition-ban"]
    assert (found.country, found.holders, found.provisional) == ("SE", ("authority",), None)
    assert (str(found.longest), found.onward) == ("2 working days", "ask")
    assert found.adopted == "name of the legal officer, 2026-11-22"
    assert found.calendar is not None
    assert found.calendar.off[date(2026, 11, 30)] == "announced late"
    text = NODE.format(id="BANK-PT", listen="127.0.0.1:8443", home=tmp_path, core="none", ledger=NO_LEDGER)
    bare = load_config(home_of(tmp_path))
    assert load_config(home_of(tmp_path, node=text)) == bare
    assert load_config(home_of(tmp_path, node=re.sub(r"(?m)^# (\w+ = \S)", r"\1", text))) == bare


# --- the digest ---


def test_the_digest_follows_the_values_and_nothing_else(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, POWER)
    assert re.fullmatch("[0-9a-f]{64}", rules.digest)
    assert rules_of(tmp_path, "# said otherwise\n" + POWER.replace("id =", "id  =")).digest == rules.digest
    backwards = replace(rules, participants=dict(reversed(list(rules.participants.items()))), digest="anything")
    assert rules_digest(backwards) == rules.digest
    others = [
        replace(rules, surplus=timedelta(minutes=59)),
        replace(rules, policy=replace(rules.policy, per_request=1)),
        replace(rules, powers={}),
        replace(rules, me=NCB),
        replace(rules, participants={**rules.participants, "BANK-PT": replace(BANK, suspended=True)}),
        replace(rules, standing=(("hash", standing().mandate),)),
    ]
    assert len({rules.digest, *map(rules_digest, others)}) == len(others) + 1


# --- standing mandates ---


def standing(*signers: str, by: str = "BANK-PT") -> Standing:
    mandate = Mandate(
        None, Amount(500_000, "EUR"), Amount(100_000, "EUR"), 3, ("PT",), ("hold",), ("BEC",), T0,
        T0 + timedelta(days=90), 1,
    )  # fmt: skip
    found = draft_standing(by, mandate, "11" * 16, bytes(16))
    officers = {one.id: one for one in BANK.officers + NCB.officers}
    for id in signers:
        key_id = officers[id].keys[0].id if id in officers else "none"
        found = found.signed(approve(signing_key(id), id, key_id, found.act_hash))
    return found


ANA, BEN = "BANK-PT.ana", "BANK-PT.ben"


def test_a_standing_mandate_of_two_officers_is_part_of_the_rules(tmp_path: Path) -> None:
    bare = rules_of(tmp_path, "")
    (tmp_path / "mandates").mkdir()
    signed = standing(ANA, BEN)
    (tmp_path / "mandates" / "night.json").write_bytes(dumps(signed.attached))
    rules = rules_of(tmp_path, "")
    assert rules.standing == ((signed.act_hash, signed.mandate),)
    assert rules.digest != bare.digest
    assert load_standing(tmp_path / "mandates", "BANK-PT", DIRECTORY) == (signed,)


@pytest.mark.parametrize(
    ("signed", "fault"),
    [
        (standing(), "0 of the 2 signatures"),
        (standing(ANA), "1 of the 2 signatures"),
        (standing(ANA, "stranger"), "stranger signed it with key none, which the directory does not know"),
        (standing(ANA, "NCB-PT.ana"), r"NCB-PT\.ana signed it with key"),
        (standing(ANA, BEN, by="NCB-PT"), "is of NCB-PT, this node is BANK-PT"),
    ],
)
def test_r23_a_standing_mandate_without_two_of_our_officers_is_refused(
    tmp_path: Path, signed: Standing, fault: str
) -> None:
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "night.json").write_bytes(dumps(signed.attached))
    with pytest.raises(Refused, match=rf"night\.json: .*{fault}"):
        rules_of(tmp_path, "")


def test_r23_a_signature_over_other_terms_does_not_count(tmp_path: Path) -> None:
    """Raising the total after the signatures is what the signatures are against."""
    signed, raised = standing(ANA, BEN), standing()
    more = draft_standing("BANK-PT", replace(raised.mandate, total=Amount(10**9, "EUR")), "11" * 16, bytes(16))
    forged = replace(more.attached, approvals=signed.attached.approvals)
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "night.json").write_bytes(dumps(forged))
    with pytest.raises(Refused, match="does not fit this act"):
        rules_of(tmp_path, "")


def test_r23_one_officer_or_one_key_signs_once() -> None:
    signed = standing(ANA)
    again = approve(signing_key(ANA), ANA, BANK.officers[0].keys[0].id, signed.act_hash)
    with pytest.raises(Refused, match="another officer must"):
        signed.signed(again)
    with pytest.raises(Refused, match="another officer must"):
        signed.signed(replace(again, officer=BEN))


@pytest.mark.parametrize(
    "change",
    [
        {"valid_until": T0},
        {"per_request": Amount(500_001, "EUR")},
        {"per_request": Amount(0, "EUR")},
        {"per_request": Amount(1, "USD")},
        {"asks": ()},
        {"asks": ("seize",)},
        {"crimes": ("THEFT",)},
        {"countries": ("Portugal",)},
        {"hops_max": -1},
        {"night_approvals": 0},
    ],
)
def test_r15_terms_that_cannot_be_are_refused_before_anybody_signs(change: dict[str, object]) -> None:
    with pytest.raises(Refused, match="cannot be"):
        draft_standing("BANK-PT", replace(standing().mandate, **change), "11" * 16, bytes(16))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", dumps(replace(standing().attached, act="AAAA")), b"\xff"])
def test_what_is_no_standing_mandate_is_refused_by_its_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(ArrpError, match=r"x\.json"):
        read_standing(tmp_path / "x.json")


def test_a_mandate_for_one_loss_is_not_a_standing_one(tmp_path: Path) -> None:
    one = draft_standing("BANK-PT", replace(standing().mandate, loss="L1"), "11" * 16, bytes(16))
    (tmp_path / "x.json").write_bytes(dumps(one.attached))
    with pytest.raises(Malformed, match="not a standing mandate"):
        read_standing(tmp_path / "x.json")
