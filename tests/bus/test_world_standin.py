"""A rehearsal beside a stand-in has a world of its own, and paper's own takes nothing in."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from bus.errors import SettingsError
from bus.history import history_exchange
from bus.house import House, open_house, settle_world
from tests.services.bare import bare_house

URL = "http://127.0.0.1:9000"
STANDIN = {"RRR_EXCHANGE__URL": URL}


def opened(root: Path, **environ: str) -> House:
    return open_house(root, {"RRR_EXCHANGE__ACCOUNT": "AB12cd", **environ})


NAMES: list[tuple[str, Mapping[str, str], str]] = [
    ("paper", {}, "paper-binance"),
    ("paper", STANDIN, "paper-binance-standin"),
    ("live", {}, "live-binance-ab12"),
    ("live", STANDIN, "live-binance-standin-ab12"),
    ("local", STANDIN, "local-synthetic-7"),
]


@pytest.mark.parametrize(("mode", "environ", "name"), NAMES)
def test_the_name_of_a_world_tells_whose_market_it_is(
    mode: str, environ: dict[str, str], name: str
) -> None:
    with bare_house() as house:
        assert opened(house.root, MODE=mode, **environ).world == name


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_no_real_history_lies_behind_a_stand_in(mode: str) -> None:
    with bare_house() as house:
        assert history_exchange(opened(house.root, MODE=mode)) == "binance"
        assert history_exchange(opened(house.root, MODE=mode, **STANDIN)) != "binance"


@pytest.mark.parametrize(
    "other",
    [
        {"MODE": "local"},
        {"MODE": "paper", **STANDIN},
        {"MODE": "live"},
        {"MODE": "live", **STANDIN},
    ],
)
def test_data_of_another_market_in_papers_place_is_refused(other: dict[str, str]) -> None:
    with bare_house() as house:
        stranger, ours = opened(house.root, **other), opened(house.root, MODE="paper")
        settle_world(stranger)
        stranger.world_dir.rename(ours.world_dir)
        with pytest.raises(SettingsError, match=r"world\.json says"):
            settle_world(ours)
        kept = msgspec.json.decode((ours.world_dir / "world.json").read_bytes())
        assert kept["name"] == stranger.world


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_house_does_not_hear_its_own_venue(mode: str) -> None:
    with bare_house() as house:
        own = "http://127.0.0.1:8790"
        for url in (own, "http://localhost:8790", "http://127.0.0.1:08790"):
            with pytest.raises(SettingsError, match="own venue listens"):
                opened(house.root, MODE=mode, RRR_HOUSE__NUMBER="70", RRR_EXCHANGE__URL=url)
        assert opened(house.root, MODE=mode, RRR_EXCHANGE__URL=own).settings.exchange.url == own
