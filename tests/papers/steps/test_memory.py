"""Every paper says what memory its training takes, by a batch without content of its own."""

import pytest

from suite.updates.memory import lasting_memory, memory_of


@pytest.mark.parametrize("case", ["cyclegan, pool fills", "dagan, counts", "two_step, encoder"], indirect=True)
def test_a_step_of_what_is_no_batch_takes_memory(case: tuple) -> None:
    make, _ = case
    model = make()
    if hasattr(model, "hold_features"):
        model.hold_features()
    found = memory_of(model, lambda: model.example(2, 32), half=False)
    assert found._replace(step=0) == lasting_memory(model)
    assert found.step > 0
