"""DA-GAN's iteration: which update moves what, in what order, how often, and against whom; and what options change."""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.errors import UserError
from suite.losses import domain
from suite.papers.dagan import DAGAN, parts
from suite.run.config import defaults_of

UPDATES = ("Inv", "G", "D")
PARTS = {"Inv": ("encoder", "decoder"), "G": ("encoder",), "D": ("D",)}  # what each update moves


def part(model: DAGAN, name: str) -> nn.Module:
    found = model.D if name == "D" else getattr(model.Inv, name)
    assert found is not None
    return found


def same(one: Iterable[Tensor], other: Iterable[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# What each update moves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize(
    "changes", [{}, {"da_loss": "literal"}, {"norm": "batch"}], ids=["bce", "literal", "BatchNorm"]
)
def test_an_update_moves_its_own_networks_and_leaves_gradients_nowhere_else(
    update: str, changes: dict, make_dagan: Callable, make_sketch_batches: Callable
) -> None:
    model, (batch,) = make_dagan(**changes), make_sketch_batches(1)
    before = {name: copy.deepcopy(list(part(model, name).parameters())) for name in ("encoder", "decoder", "D")}
    model.iterate((update,), batch, model.draw(batch))
    for name, old in before.items():
        weights = list(part(model, name).parameters())
        moves = name in PARTS[update]
        assert not same(weights, old) if moves else same(weights, old), name
        assert all((weight.grad is not None) is moves for weight in weights), name
        assert all(weight.requires_grad for weight in weights), name
    assert all(weight.grad is None for weight in model.held["features"].parameters())


def test_the_encoder_is_one_network_with_a_state_of_adam_for_each_of_its_optimizers(
    make_dagan: Callable, make_sketch_batches: Callable
) -> None:
    model, (batch,) = make_dagan(lr_g=3e-4, lr_d=3e-4), make_sketch_batches(1)
    assert model.networks()["encoder"] is model.networks()["Inv"].encoder
    model.training_step(batch, 0)
    of_inversion, of_game, of_domain = model.optimizers()
    settings = [(group["lr"].item(), tuple(group["betas"])) for o in model.optimizers() for group in o.param_groups]
    assert settings == [(pytest.approx(lr), betas) for lr, betas in [(1e-4, (0.9, 0.999)), *[(3e-4, (0.5, 0.999))] * 2]]
    for weight in model.Inv.encoder.parameters():
        averages = [optimizer.state[weight]["exp_avg"] for optimizer in (of_inversion, of_game)]
        assert not torch.equal(*averages)
    assert of_domain.state.keys() == set(model.D.parameters())
    assert of_game.state.keys() == set(model.Inv.encoder.parameters())
    assert of_inversion.state.keys() == set(model.Inv.parameters())


# Order and counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["inv_steps", "g_steps", "d_steps"])
def test_an_iteration_has_so_many_updates_at_most(name: str, make_dagan: Callable) -> None:
    """Each is listed: as many as a count may be would be memory and time without end."""
    with pytest.raises(UserError, match=f"^model.{name}={2**31 - 1}: give a whole number from . to 1000"):
        make_dagan(**{name: 2**31 - 1})


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 1, 1), [("Inv", "G", "D")]),
        ((2, 1, 1), [("Inv",), ("Inv", "G", "D")]),
        ((1, 2, 1), [("Inv", "G"), ("G", "D")]),
        ((1, 1, 2), [("Inv", "G", "D"), ("D",)]),
        ((2, 2, 2), [("Inv",), ("Inv", "G"), ("G", "D"), ("D",)]),
        ((3, 0, 0), [("Inv",)] * 3),
        ((1, 0, 1), [("Inv", "D")]),
    ],
)
def test_updates_follow_algorithm_1_each_kind_on_a_batch_of_its_own(
    counts: tuple[int, int, int], expected: list, make_dagan: Callable, make_sketch_batches: Callable, fit: Callable
) -> None:
    assert parts(*counts) == tuple(expected)
    model = make_dagan(**dict(zip(("inv_steps", "g_steps", "d_steps"), counts, strict=True)))
    assert model.batches_per_step == len(expected)
    made: list[tuple[str, ...]] = [() for _ in range(2 * len(expected) + 1)]
    update = model.update

    def note(name: str, losses: dict[str, Tensor]) -> None:
        made[model.batches] += (name,)
        update(name, losses)

    model.update = note
    fit(model, make_sketch_batches(len(made)))
    assert made == [*expected, *expected, expected[0]]
    assert (model.batches, model.steps) == (len(made), 2 if len(expected) > 1 else 3)
    moved = Counter(name for names in made for name in names)
    done = [next(iter(optimizer.state.values()))["step"].item() for optimizer in model.trainer.optimizers]
    assert done == [moved[name] for name in model.trained()]


def test_each_update_reads_codes_of_the_encoder_that_the_one_before_it_moved(
    make_dagan: Callable, make_sketch_batches: Callable
) -> None:
    at_once, apart, (batch,) = make_dagan(lr=1e-2), make_dagan(lr=1e-2), make_sketch_batches(1)
    drawn = at_once.draw(batch)
    seen = at_once.iterate(UPDATES, batch, drawn)
    for name in UPDATES:
        for loss, value in apart.iterate((name,), batch, drawn).items():
            assert torch.equal(value, seen[loss]), loss
    assert same(at_once.parameters(), apart.parameters())


# Against whom ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["bce", "literal"])
def test_d_and_the_encoder_pull_in_opposite_directions(loss: str, make_dagan: Callable) -> None:
    model = make_dagan(width=4, da_loss=loss, da_sees="mean", lr_g=1e-3, lr_d=1e-3)
    light, dark = torch.full((4, 1, 32, 32), 0.9), torch.full((4, 1, 32, 32), -0.5)
    batch = {"a": light, "b": light.expand(-1, 3, -1, -1), "target": dark, "paired": True}

    def says() -> tuple[float, float]:
        """What D minimises, and its accuracy."""
        with torch.no_grad():
            logits = model.judge(*model.codes(light, dark, {}, "D"))
        right = torch.stack(list(domain.scores(*logits).values())).mean()
        return domain.discriminator(loss, *logits).item(), right.item()  # type: ignore[arg-type]

    def after(update: str, times: int) -> tuple[float, float]:
        for _ in range(times):
            model.iterate((update,), batch, {})
        return says()

    begun = says()
    told = after("D", 20)
    hidden = after("G", 20)
    assert told[0] < begun[0]
    assert hidden[0] > told[0]
    if loss == "bce":  # of the literal one, accuracy says nothing: test_dagan_adaptation.py
        assert (told[1], begun[1] < 1, hidden[1] < 1) == (1, True, True)


def test_sources_codes_get_no_gradient_where_only_targets_move(
    make_dagan: Callable, make_sketch_batches: Callable
) -> None:
    (batch,) = make_sketch_batches(1)

    def gradients(moves: str) -> tuple[bool, bool]:
        model = make_dagan(da_moves=moves)
        codes: list[Tensor] = []
        judge = model.judge

        def note(*both: Tensor) -> tuple[Tensor, Tensor]:
            for one in both:
                one.retain_grad()
            codes.extend(both)
            return judge(*both)

        model.judge = note
        model.iterate(("G",), batch, model.draw(batch))
        return tuple(bool(one.grad.abs().sum() > 0) for one in codes)  # type: ignore[return-value]

    assert gradients("both") == (True, True)
    assert gradients("target") == (False, True)


# Options --------------------------------------------------------------------------------------------------------------

OF_SAMPLES = ["Inv", "G_source", "G_target", "D_source", "D_target"]


@pytest.mark.parametrize(
    ("changes", "purposes", "has_kl"),
    [
        ({}, OF_SAMPLES, True),
        ({"da_sees": "mean"}, ["Inv"], True),
        ({"variational": False}, [], False),
        ({"lambda_kl": 0.0}, OF_SAMPLES, False),
        ({"g_steps": 0, "d_steps": 0}, ["Inv"], True),
    ],
)
def test_noise_is_drawn_where_a_sample_is_read_and_kl_counts_where_there_is_one(
    changes: dict, purposes: list[str], has_kl: bool, make_dagan: Callable, make_sketch_batches: Callable
) -> None:
    model, (batch,) = make_dagan(**changes), make_sketch_batches(1, batch_size=3)
    drawn = model.draw(batch)
    assert list(drawn) == purposes
    assert {noise.shape for noise in drawn.values()} <= {(3, 32, 2, 2)}
    assert ("KL" in model.iterate(model.updates_now, batch, drawn)) is has_kl


def test_without_noise_a_code_is_its_mean(make_dagan: Callable, make_sketch_batches: Callable) -> None:
    (batch,) = make_sketch_batches(1)
    both = batch["a"], batch["target"]
    for changes, exact in (({}, False), ({"da_sees": "mean"}, True), ({"variational": False}, True)):
        model = make_dagan(**changes)
        codes = model.codes(*both, model.draw(batch), "D")
        # In one pass and in two, a convolution may round otherwise.
        means = [model.Inv.encoder(x)[0] for x in both]
        assert all(torch.allclose(code, mean, atol=1e-6) is exact for code, mean in zip(codes, means, strict=True))


def test_without_steps_of_g_and_d_there_is_no_adversary_and_pairs_are_enough(
    make_dagan: Callable, make_sketch_batches: Callable
) -> None:
    model, (batch,) = make_dagan(g_steps=0, d_steps=0), make_sketch_batches(1)
    assert (model.D, list(model.trained()), model.tasks) == (None, ["Inv"], ("semi_supervised", "paired"))
    del batch["target"]
    seen: list[dict[str, Tensor]] = []
    model.report = seen.append
    model.training_step(batch, 0)
    assert seen[0].keys() == {"L_p", "KL", "TV", "norms/Inv"}
    assert make_dagan().tasks == ("semi_supervised",)


def test_a_d_that_only_watches_leaves_the_encoder_alone(make_dagan: Callable, make_sketch_batches: Callable) -> None:
    watched, alone = make_dagan(g_steps=0), make_dagan(g_steps=0, d_steps=0)
    for batch in make_sketch_batches(2):
        drawn = watched.draw(batch)
        watched.iterate(watched.updates_now, batch, drawn)
        alone.iterate(alone.updates_now, batch, drawn)
    assert same(watched.Inv.parameters(), alone.Inv.parameters())


def data_of(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"task": "semi_supervised", "size": 32} | changes)


def test_what_can_not_work_is_refused_in_one_line(make_dagan: Callable) -> None:
    with pytest.raises(UserError, match=r"^model.g_steps=2 with model.d_steps=0: .* set both, or both to 0$"):
        make_dagan(g_steps=2, d_steps=0)
    with pytest.raises(UserError, match=r"^model.features_width=32: VGG's published weights are 64 wide; "):
        make_dagan(features="vgg", features_width=32)
    model = make_dagan()
    model.check_data(data_of())
    with pytest.raises(UserError, match=r"^model.size=32: it follows data.size, set that$"):
        model.check_data(data_of(size=48))
    with pytest.raises(UserError, match=r"^data.size=40 is not a multiple of 16"):
        model.check_data(data_of(size=40))
    with pytest.raises(UserError, match=r"^data.task=paired: DAGAN trains on data.task=semi_supervised$"):
        model.check_data(data_of(task="paired"))
    make_dagan(g_steps=0, d_steps=0).check_data(data_of(task="paired"))


def test_losses_carry_their_weights(make_dagan: Callable, make_sketch_batches: Callable) -> None:
    (batch,) = make_sketch_batches(1)
    weights = {name: defaults_of("dagan")[name] for name in ("lambda_vae", "lambda_kl", "lambda_tv")}
    assert weights == {"lambda_vae": 1.0, "lambda_kl": 1.0, "lambda_tv": 1e-5}

    def losses(**changes: float) -> dict[str, Tensor]:
        model = make_dagan(**changes)
        model.hold_features()
        return model.inversion_losses(batch["a"], batch["b"], {})

    plain, weighed = losses(), losses(lambda_vae=2.0, lambda_kl=3.0, lambda_tv=1.0)
    for name, factor in (("L_p", 2), ("KL", 6), ("TV", 1e5)):
        assert weighed[name].item() == pytest.approx(factor * plain[name].item(), rel=1e-5), name
