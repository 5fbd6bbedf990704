"""One account, one text (R-04): what people paste, what is refused and why, what the directory is searched by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schwifty import registry

from arrp.core.account import (
    _IBANS,
    account_at,
    country_of,
    institution_of,
    parse_account,
    parse_agent,
    short_account,
)
from arrp.core.errors import Malformed

# The examples the ISO 13616 registry prints, one per country.
PRINTED = """
AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201
AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BG80BNBG96611020345678
BH67BMAG00001299123456 BI4210000100010000332045181 BR1800360305000010009795493C1 BY13NBRB3600900000002Z00AB00
CH9300762011623852957 CR05015202001026284066 CY17002001280000001200527600 CZ6508000000192000145399
DE89370400440532013000 DJ2100010000000154000100186 DK5000400440116243 DO28BAGR00000001212453611324
EE382200221020145685 EG380019000500000000263180002 ES9121000418450200051332 FI2112345600000785
FK88SC123456789012 FO6264600001631634 FR1420041010050500013M02606 GB29NWBK60161331926819
GE29NB0000000101904917 GI75NWBK000000007099453 GL8964710001000206 GR1601101250000000012300695
GT82TRAJ01020000001210029690 HN88CABF00000000000250005469 HR1210010051863000160 HU42117730161111101800000000
IE29AIBK93115212345678 IL620108000000099999999 IQ98NBIQ850123456789012 IS140159260076545510730339
IT60X0542811101000000123456 JO94CBJO0010000000000131000302 KW81CBKU0000000000001234560101
KZ86125KZT5004100100 LB62099900000001001901229114 LC55HEMM000100010012001200023015 LI21088100002324013AA
LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 LY83002048000020100120361
MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951 MK07250120000058984
MN121234123456789123 MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S
MU17BOMM0101101030300200000MUR NI45BAPR00000013000003558124 NL91ABNA0417164300 NO9386011117947
OM810180000001299123456 PK36SCBL0000001123456702 PL61109010140000071219812874
PS92PALS000000000400123456702 PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG
RO49AAAA1B31007593840000 RS35260005601001611379 RU0304452522540817810538091310419
SA0380000000608010167519 SC18SSCB11010000000000001497USD SD8811123456789012 SE4550000000058398257466
SI56263300012039086 SK3112000000198742637541 SM86U0322509800000000270100 SO211000001001000100141
ST23000100010051845310146 SV62CENR00000000000000700025 TL380080012345678910157 TN5910006035183598478831
TR330006100519786457841326 UA213223130000026007233566001 VA59001123000012345678 VG96VPVG0000012345678901
XK051212012345678906 YE15CBYE0001018861234567891234
"""
EXAMPLES = PRINTED.split()
ALL_DIGITS = [iban for iban in EXAMPLES if "A-Z" not in _IBANS[iban[:2]][1].pattern]

PUNK = "0xd8da6bf26964af9d7eed9e03e53415d37aa96045"
TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
BTC = "bip122:000000000019d6689c085ae165831e93"
TAPROOT = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"

SHARED = Path(__file__).resolve().parents[2] / "../shared"


@pytest.mark.parametrize(
    ("pasted", "normal"),
    [
        ("PT50 0002 0123 1234 5678 9015 4", "payto://iban/PT50000201231234567890154"),
        ("pt50000201231234567890154", "payto://iban/PT50000201231234567890154"),
        ("PT98 0000 0000 0000 0000 0001 0", "payto://iban/PT98000000000000000000010"),
        ("IBAN: PT50-0002-0123-1234-5678-9015-4", "payto://iban/PT50000201231234567890154"),
        ("\u2068PT50\u00a00002 0123 1234 5678 9015 4\u2069\n", "payto://iban/PT50000201231234567890154"),
        ("payto://iban/PT50000201231234567890154", "payto://iban/PT50000201231234567890154"),
        ("PAYTO://IBAN/bcomptpl/pt50000201231234567890154?amount=EUR:1", "payto://iban/PT50000201231234567890154"),
        ("HNBAUS51XXX 254178963", "payto://bic/HNBAUS51/254178963"),
        ("hnbaus51 / 254-178-963", "payto://bic/HNBAUS51/254178963"),
        ("payto://bic/HNBAUS51ABC/00254178963", "payto://bic/HNBAUS51/00254178963"),
        ("payto://ach/021000021/254178963", "payto://ach/021000021/254178963"),
        ("payto://upi/Alice@OkSBI", "payto://upi/alice@oksbi"),
        ("payto://pix/%2B5511999990000", "payto://pix/+5511999990000"),
        ("eip155:1:0xD8dA6BF26964aF9D7eEd9e03E53415D37aA96045", f"eip155:1:{PUNK}"),
        (f"tron:0x2b6653dc:{TRON}", f"tron:0x2b6653dc:{TRON}"),
        (f"{BTC}:{TAPROOT.upper()}", f"{BTC}:{TAPROOT}"),
        (f"{BTC}:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", f"{BTC}:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:" + "1" * 32, "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:" + "1" * 32),
        ("cosmos:cosmoshub-3:cosmos1t2uflqwqe0fsj", "cosmos:cosmoshub-3:cosmos1t2uflqwqe0fsj"),
    ],
)
def test_what_people_paste_becomes_one_text(pasted: str, normal: str) -> None:
    assert parse_account(pasted) == normal
    assert parse_account(normal) == normal


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("PT50000201231234567890145", "check digits of IBAN PT50000201231234567890145 are wrong"),
        ("PT5000020123123456789015", "has 24 characters, one of PT has 25"),
        ("PT5O000201231234567890154", "has a letter or a sign where PT has a digit"),
        ("PT50000201231234567890I54", "has a letter or a sign where PT has a digit"),
        ("PT01000000000000000000010", "check digits of IBAN PT01"),  # 01, 00 and 99 pass mod 97; nobody issues them
        ("PT00000000000000000000028", "check digits of IBAN PT00"),
        ("PT99000000000000000000089", "check digits of IBAN PT99"),
        ("US64SVBKUS6S3300958879", "'US' is no country with IBANs"),
        ("254178963", "is not an account by itself"),
        ("HNBAUS51", "is not an account by itself"),
        ("", "'' is not an account by itself"),
        (PUNK, "a CAIP-10 wallet"),
        ("payto://bic/HNBAUS51", "names no account"),
        ("payto://bic/HNBAUS5/1", "'HNBAUS5' is not a BIC"),
        ("payto://ach/021000022/1", "check digit of routing number 021000022 is wrong"),
        ("payto://ach/1", "names no account"),
        ("payto://void/x", "names no account"),
        ("payto://upi/alice", "not a name of the upi scheme"),
        ("HNBAUS51 -", "not 1 to 34 letters and digits"),
        ("TRANSFER TO BANK", "with a digit among them"),
        (f"HNBAUS51 {'1' * 35}", "not 1 to 34 letters and digits"),
        ("eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa9604", "is not one of eip155:1"),
        ("tron:0x2b6653dc:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", "is not one of tron:0x2b6653dc"),
        (f"{BTC}:{TAPROOT[:-1]}q", "is not one of bip122"),
        (f"{BTC}:{TAPROOT[:5]}{TAPROOT[5:].upper()}", "is not one of bip122"),
    ],
)
def test_what_is_wrong_is_named(pasted: str, said: str) -> None:
    with pytest.raises(Malformed, match=re.escape(said)):
        parse_account(pasted)


@pytest.mark.parametrize(
    ("account", "institution", "country", "short"),
    [
        ("payto://iban/PT50000201231234567890154", "PT0002", "PT", "PT50…0154"),
        ("payto://iban/IT60X0542811101000000123456", "IT05428", "IT", "IT60…3456"),
        ("payto://bic/HNBAUS51/254178963", "HNBAUS51", "US", "HNBAUS51 …8963"),
        ("payto://ach/021000021/254178963", "US021000021", "US", "021000021 …8963"),
        ("payto://upi/alice@oksbi", "upi/oksbi", "IN", "upi …ksbi"),
        ("payto://pix/+5511999990000", "pix", "BR", "pix …0000"),
        (f"eip155:1:{PUNK}", "eip155:1", "", "0xd8da…6045"),
        (f"{BTC}:{TAPROOT}", BTC, "", "bc1p5c…drcr"),
    ],
)
def test_what_an_account_tells(account: str, institution: str, country: str, short: str) -> None:
    assert (institution_of(account), country_of(account), short_account(account)) == (institution, country, short)


def test_an_erased_account_is_shown_as_nothing() -> None:
    assert short_account("") == ""
    assert short_account("whatever a peer wrote") == "…rote"
    with pytest.raises(Malformed):
        institution_of("")


def test_a_number_needs_its_bank_and_an_iban_does_not() -> None:
    assert account_at("HNBAUS51XXX", "0025 4178/963") == "payto://bic/HNBAUS51/00254178963"
    assert account_at("021000021", "254178963") == "payto://ach/021000021/254178963"
    assert account_at("HNBAUS51", "PT50 0002 0123 1234 5678 9015 4") == "payto://iban/PT50000201231234567890154"
    assert account_at("", "PT50000201231234567890154") == "payto://iban/PT50000201231234567890154"
    assert account_at("HNBAUS51", f"eip155:1:{PUNK}") == f"eip155:1:{PUNK}"
    assert account_at("DEUTDEFF", "DE8547812") == "payto://bic/DEUTDEFF/DE8547812"  # too short to be an IBAN
    assert account_at("SVBKUS6S", "US64SVBKUS6S3300958879") == "payto://bic/SVBKUS6S/US64SVBKUS6S3300958879"
    with pytest.raises(Malformed, match="is not an account by itself"):
        account_at("", "254178963")
    with pytest.raises(Malformed, match="check digits"):
        account_at("BICFOOYY", "ES0123456789012345671234")


@pytest.mark.parametrize("bic", ["DEUTDEFF", "deutdeff500", "E097US33", " HNBAUS51XXX "])
def test_a_bic_has_its_shape(bic: str) -> None:
    assert parse_agent(bic) == bic.strip().upper()


@pytest.mark.parametrize("text", ["DEUTDEF", "DEUTDEFF5", "DEUT1EFF", "DEUTDEFF5001", "021000020", "ＤＥＵＴDEFF"])
def test_a_bank_without_its_shape_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_agent(text)


def test_every_country_has_an_example_and_every_example_is_read() -> None:
    assert {iban[:2] for iban in EXAMPLES} == set(_IBANS)
    for iban in EXAMPLES:
        account = parse_account(iban)
        assert account == f"payto://iban/{iban}"
        assert institution_of(account).startswith(iban[:2])
        assert institution_of(account)[2:] in iban


def test_lengths_and_bank_codes_agree_with_another_table() -> None:
    """Where the other table knows a shorter bank code, ours begins with it: Iceland and Slovenia."""
    compared = 0
    for country in registry.get_countries():
        if country not in _IBANS:
            continue
        theirs = registry.get_iban_spec(country)
        length, _, bank = _IBANS[country]
        place = next(place for name, place in theirs.positions.items() if name.value == "bank_code")
        assert (length, bank.start - 4) == (theirs.iban_length, place.start), country
        assert bank.stop - 4 == place.end or country in ("IS", "SI"), country
        compared += 1
    assert compared > 40


@given(st.sampled_from(ALL_DIGITS), st.integers(0, 33), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_any_single_wrong_character_is_caught(iban: str, place: int, character: str) -> None:
    place %= len(iban)
    wrong = iban[:place] + character + iban[place + 1 :]
    if wrong != iban:
        with pytest.raises(Malformed):
            parse_account(wrong)


@given(st.sampled_from(EXAMPLES), st.integers(0, 33), st.data())
def test_a_wrong_character_of_the_same_kind_is_caught_in_every_country(
    iban: str, place: int, data: st.DataObject
) -> None:
    """Where a country allows letters and digits in one place, mod 97 misses some digits turned into letters."""
    place %= len(iban)
    kind = "0123456789" if iban[place].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    character = data.draw(st.sampled_from(kind.replace(iban[place], "")))
    with pytest.raises(Malformed):
        parse_account(iban[:place] + character + iban[place + 1 :])


@given(st.sampled_from(EXAMPLES), st.integers(0, 32))
def test_any_two_neighbours_of_one_kind_swapped_are_caught(iban: str, place: int) -> None:
    place %= len(iban) - 1
    first, second = iban[place], iban[place + 1]
    if first == second or (first.isdigit() != second.isdigit() and iban not in ALL_DIGITS):
        return
    with pytest.raises(Malformed):
        parse_account(iban[:place] + second + first + iban[place + 2 :])


@given(st.text() | st.from_regex(r"(payto://)?[a-z0-9]{2,6}[:/ ][A-Za-z0-9:/@ %.-]{0,60}"))
def test_any_text_is_an_account_or_malformed(text: str) -> None:
    try:
        account = parse_account(text)
    except Malformed:
        return
    assert parse_account(account) == account
    assert institution_of(account)
    assert short_account(account)
    assert country_of(account) in ("", country_of(account)[:2])


@given(
    st.sampled_from(["HNBAUS51", "CHASGB2LXXX", "021000021"]),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ./-]{0,20}", fullmatch=True),
)
def test_a_local_number_stays_itself(agent: str, number: str) -> None:
    try:
        account = account_at(agent, number)
    except Malformed:
        return
    assert parse_account(account) == account
    assert account_at(agent, account.rpartition("/")[2]) == account


CHAINS = {
    "ETH": "eip155:1",
    "BSC": "eip155:56",
    "TRX": "tron:0x2b6653dc",
    "XBT": BTC,
    "LTC": "bip122:12a765e31ffd4059bada1e25190f6e98",
    "BCH": "bip122:000000000000000000651ef99cb9fcbe",
    "DASH": "bip122:00000ffd590b1485b3caadc19b22e637",
}


def published(asset: str) -> list[str]:
    file = SHARED / "samples" / "lists" / f"sanctioned_addresses_{asset}.txt"
    if not file.exists():
        pytest.skip("the published wallet lists are not beside the project")
    return file.read_text().split()


@pytest.mark.parametrize("asset", CHAINS)
def test_every_published_address_is_read(asset: str) -> None:
    addresses = published(asset)
    assert addresses
    for address in addresses:
        account = parse_account(f"{CHAINS[asset]}:{address}")
        assert account.lower().endswith(address.lower())
        assert institution_of(account) == CHAINS[asset]


@pytest.mark.parametrize("asset", ["TRX", "XBT", "LTC"])
def test_a_mistyped_published_address_is_refused(asset: str) -> None:
    for address in published(asset):
        middle = len(address) // 2
        other = "x" if address[middle] != "x" else "y"
        with pytest.raises(Malformed):
            parse_account(f"{CHAINS[asset]}:{address[:middle]}{other}{address[middle + 1 :]}")
