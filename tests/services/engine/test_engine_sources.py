"""A strategy's file and what it imports become one offer, which is kept beside the journal."""

import hashlib
import sys
from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from bus.errors import JournalError
from bus.house import House, open_house
from bus.journals import DiskJournals
from bus.segments import bases
from schema.settings import StrategySettings
from services.engine.libraries import warm
from services.engine.sources import keep, kept, light, offer_of, offers_of
from tests.services.engine.strategy_files import (
    AUTHORS_EXAMPLE,
    CHILD,
    IMPORT,
    PARENT,
    SYMBOLS,
    names,
    offer,
    offered,
    strategy,
    write,
)

ROOT = Path(__file__).parents[3]


def house_in(tmp_path: Path) -> House:
    return open_house(ROOT, {"RRR_HOME": str(tmp_path), "RRR_RUN": str(tmp_path / "run")})


def test_an_offer_carries_what_the_settings_say(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/trend.py": AUTHORS_EXAMPLE})
    settings = StrategySettings(
        file="strategies/trend.py", budget=50.0, mode="shadow", short=True, params={"fast": 12}
    )
    found = offer_of(tmp_path, "trend", settings, SYMBOLS)
    assert (found.name, found.file, found.trouble) == ("trend", "strategies/trend.py", "")
    assert found.files == (("strategies.trend", AUTHORS_EXAMPLE),)
    assert found.digest == hashlib.sha256(msgspec.msgpack.encode(found.files)).hexdigest()
    assert (found.symbols, found.budget, found.role) == (SYMBOLS, 50.0, "shadow")
    assert (found.short, found.params) == (True, {"fast": 12})


def test_what_is_too_much_for_one_start_is_left_without_its_source(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/big.py": AUTHORS_EXAMPLE + "#" * 200_000, "strategies/s.py": ""})
    big, small = (StrategySettings(file=f"strategies/{n}.py", budget=1.0) for n in ("big", "s"))
    settings = {**{f"big{number}": big for number in range(5)}, "small": small}
    found = light([offer_of(tmp_path, *each, SYMBOLS) for each in settings.items()])
    assert [bool(offer.trouble) for offer in found] == [False, False, False, True, True, False]
    assert "`rrr strategy reload big3` takes it alone" in found[3].trouble
    assert (found[3].files, found[3].digest) == ((), "")


def test_what_the_parser_cannot_hold_is_told_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/deep.py": "x = " + "-" * 100_000 + "1\n"})
    found = offer_of(
        tmp_path, "deep", StrategySettings(file="strategies/deep.py", budget=1.0), SYMBOLS
    )
    assert found.trouble == "strategies/deep.py is nested too deep to be read"


def test_parameters_weigh_as_much_as_a_source(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/s.py": ""})
    long = StrategySettings(file="strategies/s.py", budget=1.0, params={"text": "x" * 800_000})
    (found,) = light([offer_of(tmp_path, "s", long, SYMBOLS)])
    assert (bool(found.trouble), found.params) == (True, {})


def test_own_symbols_go_before_those_of_the_house(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/trend.py": AUTHORS_EXAMPLE})
    settings = StrategySettings(file="strategies/trend.py", budget=1.0, symbols=("SOL/USDT",))
    assert offer_of(tmp_path, "trend", settings, SYMBOLS).symbols == ("SOL/USDT",)


def test_a_bundle_holds_every_local_module_and_no_other(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "strategies/mine.py": "import math, numpy, zz\nfrom strategies import base\n",
            "strategies/base.py": "def late():\n    from strategies.deep.inner import x, json\n",
            "strategies/deep/__init__.py": "",
            "strategies/deep/inner.py": "from . import other\nfrom ..sibling import *\n",
            "strategies/deep/other.py": "import json",
            "strategies/sibling.py": "",
            "strategies/json.py": "raise SystemExit",
            "strategies/math.py": "raise SystemExit",
            "strategies/unread.py": "",
        },
    )
    assert names(offered(tmp_path)) == [
        "strategies.mine",
        "strategies.base",
        "strategies.deep",
        "strategies.deep.inner",
        "strategies.deep.other",
        "strategies.sibling",
    ]


def test_a_file_outside_of_the_checkout_brings_its_siblings(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"far/trend.py": strategy(before="import levels\n"), "far/levels.py": "import trend\n"},
    )
    found = offered(tmp_path / "house", str(tmp_path / "far" / "trend.py"))
    assert names(found) == ["trend", "levels"]


def test_a_file_in_a_package_brings_what_it_imports_relatively(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "far/pack/__init__.py": "",
            "far/pack/trend.py": "from .base import x\n",
            "far/pack/base.py": "x = 1\n",
        },
    )
    found = offered(tmp_path / "house", str(tmp_path / "far" / "pack" / "trend.py"))
    assert names(found) == ["pack.trend", "pack", "pack.base"]


def test_a_strategy_finds_parents_of_the_house_from_anywhere(tmp_path: Path) -> None:
    write(tmp_path, {"house/strategies/base.py": PARENT, "far/mine.py": CHILD})
    found = offered(tmp_path / "house", str(tmp_path / "far" / "mine.py"))
    assert names(found) == ["mine", "strategies.base"]


def test_an_edit_of_a_parent_is_another_digest(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/base.py": PARENT})
    before = offer(tmp_path, CHILD).digest
    assert offered(tmp_path).digest == before
    write(tmp_path, {"strategies/base.py": PARENT + "\n"})
    assert offered(tmp_path).digest != before


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (b"x = (\n", "strategies/mine.py line 1: '(' was never closed"),
        (b"\n\n\nx = '\xff'\n", "strategies/mine.py cannot be read: 'utf-8' codec can't decode"),
        (b"x = 1\0\n", "strategies/mine.py"),
        (b"# " + b"x" * 262_144, "strategies/mine.py: it has 262146 bytes with all that it"),
        (b"import broken\n", "strategies/broken.py line 2: invalid syntax"),
        (b"import heavy\n#" + b"x" * 200_000, "strategies/mine.py: it has 40"),
    ],
    ids=["syntax", "coding", "nul", "heavy", "sibling", "together"],
)
def test_a_file_that_cannot_travel_is_trouble(tmp_path: Path, text: bytes, trouble: str) -> None:
    write(
        tmp_path,
        {"strategies/broken.py": "x = 1\nx y\n", "strategies/heavy.py": "#" + "x" * 200_000},
    )
    (tmp_path / "strategies" / "mine.py").write_bytes(text)
    found = offered(tmp_path)
    assert found.trouble.startswith(trouble)
    assert (found.files, found.digest) == ((), "")


@pytest.mark.parametrize(
    ("file", "trouble"),
    [
        ("strategies/gone.py", "strategies/gone.py: no such file"),
        ("strategies", "strategies: no file"),
        ("", ".: no file"),
        ("..", "/"),
        ("numpy.py", "numpy.py: `numpy` is the name of another module: rename the file"),
        ("x\0.py", "`file` is 'x\\x00.py': a path has no NUL in it"),
        ("~nobody-here/x.py", "`file` is '~nobody-here/x.py'"),
    ],
)
def test_a_file_that_is_none_is_trouble(tmp_path: Path, file: str, trouble: str) -> None:
    write(tmp_path, {"strategies/mine.py": "", "numpy.py": strategy()})
    assert offered(tmp_path, file).trouble.startswith(trouble)


def test_a_source_is_kept_once_beside_the_journal(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    found = offer(tmp_path, strategy())
    path = keep(house, found)
    assert path == house.journal_dir / "engine" / "sources" / f"{found.digest}.json"
    assert kept(house, found.digest) == found.files
    before = path.stat().st_mtime_ns
    assert keep(house, found) == path
    assert path.stat().st_mtime_ns == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_what_the_settings_let_run_is_offered_and_kept(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    wanted = [name for name, own in house.settings.strategy.items() if own.mode != "off"]
    found = offers_of(house)
    assert [(offer.name, offer.trouble) for offer in found] == [(name, "") for name in wanted]
    assert all(kept(house, offer.digest) == offer.files for offer in found)


def test_kept_sources_do_not_disturb_the_journals(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    keep(house, offer(tmp_path, strategy()))
    journals = DiskJournals(house.journal_dir, SystemClock())
    assert [journals.open_epoch("engine"), journals.open_epoch("engine")] == [1, 2]
    assert bases(house.journal_dir / "engine" / "sources") == []


def test_a_kept_source_that_was_changed_is_refused(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    found = offer(tmp_path, strategy())
    path = keep(house, found)
    path.write_text(path.read_text().replace("Mine", "Other"))
    with pytest.raises(JournalError, match="holds another source than its name says"):
        kept(house, found.digest)
    path.write_text("{")
    with pytest.raises(JournalError, match="cannot be read"):
        kept(house, found.digest)
    with pytest.raises(JournalError, match="No such file"):
        kept(house, "0" * 64)


def test_a_file_with_another_coding_is_read_as_it_says(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/mine.py": ""})
    text = f"# coding: latin-1\n{IMPORT}WORD = 'gr\u00fcn'\r\n"
    (tmp_path / "strategies" / "mine.py").write_bytes(text.encode("latin-1"))
    assert offered(tmp_path).files[0][1].endswith("WORD = 'gr\u00fcn'\n")


def test_libraries_of_strategies_are_imported_before_a_call_is_measured(tmp_path: Path) -> None:
    text = (
        "import colorsys\nimport nowhere_to_be_found\nfrom services.engine.strategy import State\n"
    )
    sys.modules.pop("colorsys", None)
    warm([offer(tmp_path, text)])
    assert "colorsys" in sys.modules
