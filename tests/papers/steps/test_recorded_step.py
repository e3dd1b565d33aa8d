"""What a CUDA graph of a step needs, shown on the CPU: everything comes in by its place, nothing is read back on the
host, and all memory stays where it is."""

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader

from suite.data.batch import Batch
from suite.errors import UserError
from suite.papers.base import Paper, Report
from suite.run.config import CONF
from suite.updates import recording
from suite.updates.recording import Recorder, name_of
from suite.updates.replay import ReplayPool


def test_every_paper_has_a_case(cases: dict) -> None:
    assert {paper for paper, _, _ in cases.values()} == {path.stem for path in (CONF / "model").glob("[!_]*.yaml")}


# Everything comes in --------------------------------------------------------------------------------------------------


class Tape(TorchDispatchMode):
    """`Graph` of a CPU: the operations of a step, each on the memory that it had when it was noted."""

    def __init__(self, memory: Callable[[], dict[str, Tensor]]) -> None:
        super().__init__()
        self.memory = memory
        self.noted: list[tuple[Any, Any, Any, Any]] = []

    def record(self, step: Callable[[], Any]) -> Any:
        before = {name: value.clone() for name, value in self.memory().items()}
        with self:
            made = step()
        for name, value in self.memory().items():  # on a CPU it has been done
            value.copy_(before[name])
        return made

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.noted.append((func, args, kwargs or {}, made))
        return made

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, made in self.noted:
            for place, value in zip(tree_leaves(made), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(place, Tensor) and place.data_ptr() != value.data_ptr():
                    place.copy_(value)

    @property
    def draws(self) -> bool:
        return any(torch.Tag.nondeterministic_seeded in func.tags for func, *_ in self.noted)


def test_a_recorded_step_is_a_training_step(case: tuple, memory_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    make, batches = case
    monkeypatch.setattr(recording, "EAGER", 1)
    model, twin = make(), make()
    tapes: list[Tape] = []

    def new_tape() -> Tape:
        tapes.append(Tape(lambda: memory_of(model)))
        return tapes[-1]

    model._recorder = Recorder(new_tape)
    kinds: set[Any] = set()
    ours: list[Report] = []
    theirs: list[Report] = []
    for one, reports in ((model, ours), (twin, theirs)):
        one.report = lambda seen, to=reports: to.append({name: value.clone() for name, value in seen.items()})
        for number, batch in enumerate(batches):
            torch.manual_seed(number)
            kinds.add(name_of(one.next_step()[0]))  # as one of the critic alone, and one of all
            one.training_step(batch, 0)
    assert len(tapes) == len(kinds)
    # Dropout alone, and the like, draws within a step, from torch's own generator, which a graph knows.
    drops = any(isinstance(module, nn.Dropout) for module in model.modules())
    assert {tape.draws for tape in tapes} == {drops}
    assert (model.steps, model.batches) == (twin.steps, twin.batches)
    for seen, expected in zip(ours, theirs, strict=True):
        assert seen.keys() == expected.keys()
        assert [name for name, value in seen.items() if not torch.equal(value, expected[name])] == []
    found, expected = memory_of(model), memory_of(twin)
    assert found.keys() == expected.keys()
    assert [name for name, value in found.items() if not torch.equal(value, expected[name])] == []


def test_a_trainer_counts_updates_that_are_replayed(
    make_cyclegan: Callable, make_batches: Callable, memory_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Lightning's global_step does, which goes into checkpoints: 2 of the critic for each of the generator."""
    monkeypatch.setattr(recording, "EAGER", 1)
    counted = []
    for tapes in (False, True):
        model = make_cyclegan(adversarial={"loss": "wgan", "weight_clip": 0.01, "critic_steps": 2})
        if tapes:
            recorder = Recorder(lambda of=model: Tape(lambda: memory_of(of)))
            monkeypatch.setattr(model, "recorder", lambda made=recorder: made)
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False
        )
        trainer.fit(model, DataLoader(make_batches(8), batch_size=None))
        counted.append((trainer.global_step, model.steps, model.batches))
    assert counted == [(24, 8, 16)] * 2


def test_what_can_not_be_recorded_is_made_as_it_is_written(
    make_cyclegan: Callable, make_batches: Callable, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    class Broken:
        def record(self, step: Callable) -> Any:
            raise RuntimeError("operation not permitted when stream is capturing\nand hints")

    model, twin = make_cyclegan(), make_cyclegan()
    model._recorder = Recorder(Broken)
    batches = make_batches(recording.EAGER + 2)
    for batch in batches:
        model.training_step(batch, 0)
        twin.training_step(batch, 0)
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), twin.parameters(), strict=True))
    (told,) = [record.getMessage() for record in caplog.records if "not recorded" in record.getMessage()]
    assert told.endswith(": operation not permitted when stream is capturing")
    model._recorder = Recorder(Broken, must=True)
    for batch in batches[: recording.EAGER]:
        model.training_step(batch, 0)
    with pytest.raises(UserError, match=r"model.recorded=true: a step can't be recorded \(operation not permitted"):
        model.training_step(batches[0], 0)


def test_a_cpu_records_nothing(make_cyclegan: Callable, make_batches: Callable) -> None:
    assert make_cyclegan().recorder() is None
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False)
    with pytest.raises(UserError, match=r"can't be recorded, as only those of a GPU are; set model.recorded=auto"):
        trainer.fit(make_cyclegan(recorded=True), DataLoader(make_batches(1), batch_size=None))


# Nothing is read back -------------------------------------------------------------------------------------------------


def without_values(model: Paper, mode: FakeTensorMode) -> Paper:
    """The model, its weights and buffers replaced by tensors of a shape and a device, and nothing in them."""
    for module in (part for network in (model, *model.held.values()) for part in network.modules()):
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(mode.from_tensor(weight.detach()), weight.requires_grad))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, mode.from_tensor(buffer))
    return model


def fake_steps(model: Paper, twin: Paper, batches: list[Batch]) -> None:
    """Steps of the model on tensors without values: whatever would have to fetch one raises. The twin draws."""
    model.configure_optimizers()  # what a paper holds for its losses is there, too
    mode = FakeTensorMode()
    without_values(model, mode)
    pools = [module for module in model.modules() if isinstance(module, ReplayPool) and module.size]
    for batch in batches:
        given, drawn = (
            {name: mode.from_tensor(value) if isinstance(value, Tensor) else value for name, value in values.items()}
            for values in (batch, twin.draw(batch))
        )
        with mode:
            model.optimizers()  # are there before a step
            for pool in pools:
                pool.allocate(given["a"])
            model.before_step(given)
            step, counts = model.next_step()
            reported, _ = model.make_step(step, given, drawn)
        assert all(value.shape == () and value.fake_mode is mode for value in reported.values())
        model.batches, model.steps = model.batches + 1, model.steps + counts


def test_a_step_reads_nothing_back(case: tuple) -> None:
    make, batches = case
    model = make()
    fake_steps(model, make(), batches[: 2 * model.batches_per_step])


@pytest.mark.parametrize(
    ("wait", "raises"),
    [
        (lambda loss: loss.item(), DataDependentOutputException),
        (lambda loss: loss.flatten().tolist(), DataDependentOutputException),
        (lambda loss: max(loss, 0.0), DataDependentOutputException),
        (lambda loss: loss[None][loss[None] > 0], DynamicOutputShapeException),
    ],
    ids=["item", "tolist", "branch", "boolean index"],
)
def test_a_step_that_reads_something_back_would_be_noticed(
    wait: Callable, raises: type, make_cyclegan: Callable, make_batches: Callable
) -> None:
    model = make_cyclegan()
    update = model.update
    model.update = lambda name, losses: [wait(loss) for loss in losses.values()] and update(name, losses)
    with pytest.raises(raises):
        fake_steps(model, make_cyclegan(), make_batches(1))


# Memory stays where it is ---------------------------------------------------------------------------------------------


def test_memory_stays_where_it_is_also_when_the_learning_rate_moves(case: tuple, memory_of: Callable) -> None:
    make, batches = case
    model = make(steps=2, decay_steps=2)
    whole_round = model.batches_per_step
    for batch in batches[:whole_round]:
        model.training_step(batch, 0)
    # They are kept, as the place of one that is freed might be given to the one that comes after it.
    first, rates = memory_of(model), []
    # By identity: a network may be part of another one.
    trained = {id(weight) for network in model.networks().values() for weight in network.parameters()}
    assert first.keys() >= {f"{name}.grad" for name, weight in model.named_parameters() if id(weight) in trained}
    for number, batch in enumerate(batches[whole_round:], start=1):
        model.training_step(batch, 0)
        now = memory_of(model)
        assert now.keys() == first.keys()
        assert [name for name, value in now.items() if value.data_ptr() != first[name].data_ptr()] == []
        if number % whole_round == 0:
            # Networks that learn at a share of it have one of their own.
            rates.append(max(float(value) for name, value in now.items() if name.startswith("0.lr")))
    assert rates == pytest.approx([model.lr, model.lr * 2 / 3, model.lr / 3])
