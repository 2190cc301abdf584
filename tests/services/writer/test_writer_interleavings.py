"""A shard is a fold of its streams: no interleaving, no batch and no restart changes a row."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.writer.interleavings import batches, folded, in_time, streams

EXAMPLES = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("shard", ["trading", "analytics", "market"])
@EXAMPLES
@given(data=st.data())
def test_streams_read_in_any_order_give_the_same_rows(shard: str, data: st.DataObject) -> None:
    said = data.draw(streams(shard))
    cut = data.draw(batches(said))
    begun = data.draw(st.frozensets(st.integers(0, len(cut)), max_size=3))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        straight = folded(shard, Path(one), [in_time(said)], frozenset())
        assert folded(shard, Path(other), cut, begun) == straight
