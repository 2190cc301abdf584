"""On paper no real key is read and no private side of the exchange known, whatever is set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.errors import HouseError, SettingsError
from bus.house import House, open_house
from schema.setting_types import PLAY_KEY, PLAY_SECRET
from schema.settings import Settings
from services.gateway.edge import open_exchange
from services.gateway.edge_session import Pace, open_session
from services.gateway.keys import FILE
from services.ingest.edge_budget import Budget
from services.ingest.edge_session import open_binance
from tests.services.bare import bare_house

WORDS = st.sampled_from(["paper", "PAPER", "live", "local", "Paper ", "", "papers", "live-paper"])
PATIENCE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A house whose file of keys stands open to all: whoever reads it is refused."""
    with bare_house() as house:
        secret = house.root / FILE
        secret.write_text("[binance-main7]\nkey = 'real'\nsecret = 'real'\n")
        secret.chmod(0o644)
        yield house.root


@PATIENCE
@given(
    modes=st.dictionaries(st.sampled_from(["MODE", "RRR_MODE"]), WORDS, max_size=2),
    account=st.sampled_from(["", "main7", "MAIN7-x"]),
    url=st.sampled_from(["", "http://127.0.0.1:9000", "http://localhost:9000"]),
    number=st.sampled_from(["0", "7", "70"]),
)
def test_only_live_spelt_as_such_reads_a_key_or_leaves_the_machine(
    root: Path, modes: dict[str, str], account: str, url: str, number: str
) -> None:
    environ = {
        **modes,
        "RRR_EXCHANGE__ACCOUNT": account,
        "RRR_EXCHANGE__URL": url,
        "RRR_HOUSE__NUMBER": number,
    }
    house = _opened(root, environ)
    if house is None:
        return  # A mode that nobody can mean is refused before anything starts.
    if house.settings.mode == "live":
        with pytest.raises(SettingsError):
            open_exchange(house)
        return
    open_exchange(house)
    _assert_on_this_machine(house.settings)


def _opened(root: Path, environ: dict[str, str]) -> House | None:
    try:
        return open_house(root, environ)
    except HouseError:
        return None


def _assert_on_this_machine(found: Settings) -> None:
    session = open_session(found, lambda: 0, Pace())
    reached = _private(session.urls["api"])
    assert {address.split("/")[2] for address in reached} == {f"127.0.0.1:{found.ports.venue}"}
    assert (session.apiKey, session.secret) == (PLAY_KEY, PLAY_SECRET)
    public = open_binance(found, Budget(0.5))
    assert not public.apiKey
    assert not public.secret
    assert not public.password


def _private(known: Any) -> list[str]:
    return [known["private"], known["sapi"], known["ws"]["ws-api"]["spot"]]


@pytest.mark.parametrize("name", ["RRR_EXCHANGE__KEY", "RRR_EXCHANGE__SECRET", "RRR_KEYS__BINANCE"])
def test_a_key_is_no_setting(root: Path, name: str) -> None:
    with pytest.raises(SettingsError):
        open_house(root, {"MODE": "paper", name: "real"})
