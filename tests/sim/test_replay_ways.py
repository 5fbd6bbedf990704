"""What each way of working saves: the order of the table, on a few small samples."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from arrp.sim.haechi.comparing import HEAD, cells, chart, disordered, notes, rows
from arrp.sim.haechi.frame import REGIONS
from arrp.sim.haechi.ways import WAYS, Found, compared, sample

SMALL = tuple(one for one in REGIONS[0] if one.code in {"KR", "JP", "SG", "TH", "AU", "ID", "KG"})
SEEDS, CASES = (1, 2), 10


@pytest.fixture(scope="module")
def found() -> list[list[Found]]:
    return [compared(seed, CASES, SMALL) for seed in SEEDS]


def test_the_order_holds(found: list[list[Found]]) -> None:
    """Nobody saves more than a clairvoyant, nobody with ARRP less than without: for each sample alone."""
    assert disordered(found) == []
    for one in found:
        recall, by_mail, signed, arrp, ceiling = (each.saved for each in one)
        assert max(recall, by_mail) < arrp <= ceiling
        assert signed <= arrp
        assert ceiling <= one[0].lost


def test_everybody_plays_the_same_losses(found: list[list[Found]]) -> None:
    for seed, one in zip(SEEDS, found, strict=True):
        assert {each.lost for each in one} == {sum(plot.cents for plot in sample(seed, CASES, SMALL))}
        assert all(each.refused == [] for each in one), [each.refused[:3] for each in one]


def test_arrp_is_sooner_than_mail(found: list[list[Found]]) -> None:
    table = {row["way"]: row for row in rows(found)}
    assert table["arrp"]["first_hold_hours_p50"] < table["signed"]["first_hold_hours_p50"]
    assert table["signed"]["first_hold_hours_p50"] < table["mail"]["first_hold_hours_p50"]
    assert table["arrp"]["officer_minutes_per_case"] < table["mail"]["officer_minutes_per_case"]


def test_the_table_and_the_chart(found: list[list[Found]]) -> None:
    table = rows(found)
    assert [row["way"] for row in table] == [way.name for way in WAYS]
    assert all(row["lowest"] <= row["mean"] <= row["highest"] <= 1 for row in table)
    assert {len(cells(row)) for row in table} == {len(HEAD)}
    assert list(notes(CASES, len(SEEDS)))
    assert len(ElementTree.fromstring(chart(found)).findall("{http://www.w3.org/2000/svg}rect")) == 1 + len(WAYS)


def test_what_is_out_of_order_is_seen(found: list[list[Found]]) -> None:
    assert disordered([list(reversed(one)) for one in found]) == [0, 1]
