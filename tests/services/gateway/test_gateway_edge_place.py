"""The gateway's own place as its edge sees it: what live trading asks of it, line by line."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.build import contract_hash
from bus.house import House, open_house
from services.gateway.edge_place import Place
from services.gateway.keys import FILE, Keys, file_of
from tests.services.bare import bare_house


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        path = made.root / FILE
        path.write_bytes(file_of({"binance-main7": Keys("k", "s")}))
        path.chmod(0o600)
        environ = {"MODE": "live", "RRR_EXCHANGE__ACCOUNT": "main7"}
        yield open_house(made.root, environ | {"RRR_MONITOR__DISK_FREE_MIB": "1"})


def states(house: House) -> dict[str, str]:
    return {one.name: one.state for one in Place(house).look().conditions}


def test_a_sound_place_is_told_with_its_contract(house: House) -> None:
    seen = Place(house).look()
    assert seen.contract == contract_hash(house)
    assert [one.name for one in seen.conditions if one.state == "fails"] == []
    assert states(house)["backup"] == "advice"


def test_keys_that_others_can_read_are_seen_while_it_runs(house: House) -> None:
    place = Place(house)
    (house.root / FILE).chmod(0o644)
    (failing,) = [one for one in place.look().conditions if one.fails]
    assert (failing.name, failing.todo) == ("keys", f"chmod 600 '{house.root / FILE}'")


def test_a_full_or_missing_disk_is_told(house: House) -> None:
    most = msgspec.structs.replace(house.settings.monitor, disk_free_mib=(1 << 31) - 1)
    settings = msgspec.structs.replace(house.settings, monitor=most)
    assert states(msgspec.structs.replace(house, settings=settings))["disk space"] == "fails"
    gone = msgspec.structs.replace(house, home=house.root / "gone")
    assert states(gone)["disk space"] == "fails"


def test_what_is_the_same_is_told_the_same_way(house: House) -> None:
    place = Place(house)
    assert place.look() == place.look()


def test_a_house_in_memory_is_no_place_for_real_money(house: House) -> None:
    memory = Path("/dev/shm")
    if not memory.exists():
        pytest.skip("this machine has no such file system")
    assert states(msgspec.structs.replace(house, home=memory))["data folder"] == "fails"
