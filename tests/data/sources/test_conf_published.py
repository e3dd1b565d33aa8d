"""Every published data set of the suite composes under `suite.train`, with no key that nothing reads."""

import pytest

from suite.data.sources import SOURCES
from suite.run.config import CONF, compose

OWN = {"faces", "unpaired_folders", "paired_folders"}


@pytest.mark.parametrize("name", sorted(set(SOURCES) - OWN))
def test_composes_and_says_the_licence_and_where_to_get_it(name):
    data = compose("train", [f"data={name}", "data.root=/nowhere"]).data
    assert data.source == name
    head = (CONF / "data" / f"{name}.yaml").read_text().partition("defaults:")[0]
    assert "Licence: " in head
    assert "Where to get" in head or "Your own" in head
    assert f"data={name}" in head
