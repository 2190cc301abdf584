"""One name per service, and one truth about what it hears and says."""

from importlib import import_module

import pytest

from bus.service import Service
from schema.streams import STREAMS
from tests.tidy.cards import JOBS, Card, breaches, folders, programs, read, strays
from tests.tidy.source import ROOT

CONF = (ROOT / "supervisord.conf").read_text()
GOOD = Card("risk", "Says yes or no.", "risk", ("gateway.order",), ("risk.verdict", "risk.event"))


@pytest.mark.parametrize("folder", folders())
def test_a_card_says_what_the_registry_says(folder: str) -> None:
    assert list(breaches(read(folder))) == []


@pytest.mark.parametrize("folder", sorted({*folders()} - {"writer"} - JOBS))
def test_a_core_hears_and_says_what_is_on_its_card(folder: str) -> None:
    card, module = read(folder), import_module(f"services.{folder}.core")
    cores = [
        core
        for core in vars(module).values()
        if isinstance(core, type) and issubclass(core, Service) and core is not Service
    ]
    assert [(core.name, core.hears, core.says) for core in cores] == [
        (card.name, card.hears, card.says)
    ]
    assert set(cores[0].folds) <= set(card.hears)


def test_programs_and_services_have_the_same_names() -> None:
    commands = programs(CONF)
    assert commands
    assert list(strays(commands, folders())) == []


def test_a_card_that_fits_is_accepted() -> None:
    assert list(breaches(GOOD)) == []


@pytest.mark.parametrize(
    ("card", "found"),
    [
        (GOOD._replace(name="risks"), "NAME is 'risks'"),
        (GOOD._replace(folder="broker", name="broker"), "no heartbeat"),
        (GOOD._replace(says_what="Says yes\nor no"), "one sentence"),
        (GOOD._replace(says=("risk.verdict",)), "schema/streams.py has"),
        (GOOD._replace(says=(*GOOD.says, "gateway.order")), "schema/streams.py has"),
        (GOOD._replace(hears=("gateway.orders",)), "does not know"),
        (GOOD._replace(hears=("gateway.order",) * 2), "twice"),
        (Card("writer", "Writes.", "writer", tuple(STREAMS)[:3], ()), "kept for it"),
    ],
)
def test_a_card_that_differs_is_found(card: Card, found: str) -> None:
    assert any(found in breach for breach in breaches(card))


@pytest.mark.parametrize(
    ("commands", "found"),
    [
        ({"venue": "python -m services.market"}, "expected"),
        ({"writer_market": "python -m services.writer trading"}, "expected"),
        ({"broker": "python -m services.broker"}, "no heartbeat"),
        ({"ingest": "python -m services.ingest"}, "does not start"),
    ],
)
def test_a_program_that_differs_is_found(commands: dict[str, str], found: str) -> None:
    assert any(found in stray for stray in strays(commands, ["venue"]))


def test_programs_that_fit_are_accepted() -> None:
    commands = {
        "venue": '"/a b/python" -m services.venue',
        "writer_market": '"/a b/python" -m services.writer market',
    }
    assert list(strays(commands, ["venue", "writer"])) == []
