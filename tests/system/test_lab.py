"""Notebooks as a person runs them: what they need is locked, and the shipped one runs as it is."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bus.house import House
from services.rrr.lab import Lab
from tests.services.bare import bare_house
from tests.services.rrr.lab_desk import QUOTES, RUN_ID, STRATEGY, furnish
from tests.services.rrr.trade_day import NOON_NS, SYMBOL

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "lab").glob("*.ipynb"))
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
place = {"metadata": {"path": sys.argv[2]}}
NotebookClient(book, timeout=120, kernel_name="python3", resources=place).execute()
print(nbformat.writes(book))
"""
PATIENCE_S = 180


def pins(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {line.partition(" \\")[0] for line in lines if re.match("[a-z]", line)}


def name_of(pin: str) -> str:
    return pin.partition("==")[0]


@pytest.fixture
def furnished() -> Iterator[House]:
    for name in ("nbclient", "ipykernel", "pandas", "polars"):
        assert find_spec(name) is not None, f"{name} is not installed: run `make lab-install` first"
    with bare_house() as made:
        furnish(made)
        yield made


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_its_outputs(path: Path) -> None:
    book = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert cells
    for cell in cells:
        kept = (cell["outputs"], cell["execution_count"])
        assert kept == ([], None), f"{path.name} {cell['id']}: clear all outputs before keeping it"


def test_the_lock_of_the_lab_has_all_of_it_and_the_versions_of_the_house() -> None:
    lab, own = pins("lab.lock"), pins("requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*project["optional-dependencies"]["lab"]} <= {*map(name_of, lab)}
    shared = {*map(name_of, lab)} & {*map(name_of, own)}
    versions = {pin.partition(" ")[0] for pin in lab if name_of(pin) in shared}
    assert versions <= {pin.partition(" ")[0] for pin in own}, "run `make lock`"
    assert not {"jupyterlab", "pandas", "polars"} & {*map(name_of, own)}


@pytest.mark.slow
def test_the_first_look_runs_over_what_a_house_keeps(furnished: House, tmp_path: Path) -> None:
    place = furnished.root / "docs" / "lab"
    place.mkdir(parents=True)
    book = Path(shutil.copy(ROOT / "docs" / "lab" / "first_look.ipynb", place))
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(book), str(place)],
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    shown = list(_shown(json.loads(done.stdout)))
    assert f"world {furnished.world}" in shown[0]
    told = "\n".join(shown)
    for part in ("volatility a year", "slippage_bps", "probability", f"<run {RUN_ID}", "1000.59"):
        assert part in told
    assert "NaN" not in shown[3], "the fill has a quote before it"


@pytest.mark.slow
def test_tables_of_pandas_have_an_index_of_utc(furnished: House) -> None:
    lab = Lab(furnished)
    bars = lab.bars(SYMBOL)  # pandas is what is meant without a word
    assert str(bars.index.dtype) == "datetime64[ns, UTC]"
    assert bars.index.name == "time"
    assert str(bars["close"].dtype) == "float64"
    notes = lab.notes(STRATEGY)
    assert str(notes["bar_open"].dtype) == "datetime64[ns, UTC]"
    assert notes["probability"].tolist() == [0.61, 0.52]
    assert str(lab.sql("trading", "SELECT 1 AS a UNION ALL SELECT NULL")["a"].dtype) == "float64"
    assert len(lab.run(RUN_ID).trades) == 1
    nothing = lab.stream("ingest.quote", since=NOON_NS + 1)
    assert nothing.empty
    assert (nothing.dtypes == lab.stream("ingest.quote").dtypes)[["symbol", "bid_px", "said"]].all()
    later = lab.fills(since=NOON_NS + 1)
    assert (later.dtypes == lab.fills().dtypes)[["symbol", "price", "strategy"]].all()


@pytest.mark.slow
def test_tables_of_polars_have_times_of_utc_and_nulls(furnished: House) -> None:
    lab = Lab(furnished)
    bars = lab.bars(SYMBOL, to="polars")
    assert str(bars.schema["time"]) == "Datetime(time_unit='ns', time_zone='UTC')"
    assert lab.stream("ingest.quote", to="polars").height == QUOTES
    notes = lab.notes(STRATEGY, to="polars")
    assert notes["mood"].to_list() == [None, "calm"]
    assert notes["stop_price"].null_count() == 2
    for table in (lab.fills(to="polars"), lab.orders(to="polars"), lab.equity(to="polars")):
        assert table.height > 0
    assert lab.run(RUN_ID, to="polars").equity.height == 60
    assert lab.stream("gateway.order", to="polars").height > 0


def _shown(book: dict[str, Any]) -> Iterator[str]:
    for cell in book["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            yield "".join(data.get("text/plain", output.get("text", "")))


def _environment(home: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
    places = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    return inherited | dict.fromkeys(places, str(home)) | {"PYTHONPATH": str(ROOT)}
