"""The two steps of Dong 2017: what each moves and on what, its losses by hand, and how labels are found."""

import copy
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from suite.errors import UserError
from suite.losses import acgan
from suite.papers.reference import ReferenceTwoStep
from suite.run.folder import start_weights
from suite.translating.batches import pick_direction


def same(network: nn.Module, old: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, old[name]) for name, value in network.state_dict().items())


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


# Step 1 ---------------------------------------------------------------------------------------------------------------


def test_losses_are_those_of_eq_2_with_real_pictures_called_real_and_fakes_fake() -> None:
    # D is sure: the first picture is real, of label 0; the second is not, of label 1.
    real, fake = (torch.tensor([3.0]), torch.tensor([[2.0, 0.0]])), (torch.tensor([-1.0]), torch.tensor([[0.0, 1.0]]))
    c = torch.tensor([0])
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    softmax = lambda x, y: math.exp(x) / (math.exp(x) + math.exp(y))  # noqa: E731
    D, G = acgan.discriminator(real, fake, c, aux_on_fake=False), acgan.generator(fake, c)
    assert float(D["D_source"]) == pytest.approx(-math.log(sigmoid(3)) - math.log(1 - sigmoid(-1)))
    assert float(D["D_label"]) == pytest.approx(-math.log(softmax(2, 0)))
    assert float(G["G_source"]) == pytest.approx(-math.log(sigmoid(-1)))
    assert float(G["G_label"]) == pytest.approx(-math.log(softmax(0, 1)))
    both = acgan.discriminator(real, fake, c, aux_on_fake=True)
    assert float(both["D_label"]) == pytest.approx(-math.log(softmax(2, 0)) - math.log(softmax(0, 1)))
    assert {name: float(value) for name, value in acgan.scores(real, fake, c).items()} == {
        "scores/real_right": 1, "scores/fake_right": 1, "scores/real_label_right": 1, "scores/fake_label_right": 0,
    }  # fmt: skip


def test_labels_go_to_d_and_g_as_they_are_and_each_learns_them(
    make_two_step: Callable, make_labelled: Callable
) -> None:
    """Pictures of label 0 are black and of label 1 white: D reads it, and G paints it, the right way round."""
    model = make_two_step(lr=2e-3, width=8, width_d=8)
    c = torch.arange(16) % 2
    batch = {"a": (c.float() * 2 - 1)[:, None, None, None].expand(-1, 3, 16, 16).contiguous(), "label": c}
    batch |= {"index": torch.arange(16), "paired": False}
    for _ in range(60):
        model.training_step(batch, 0)
    assert torch.equal(model.D(batch["a"])[1].argmax(1), c)
    model.eval()
    z = model.noise(64, torch.Generator().manual_seed(0))
    dark, bright = (model.decode(z, model.all_of(label, z)).mean() for label in (0, 1))
    assert dark < -0.3 < 0.3 < bright


def test_an_update_of_d_moves_d_and_those_of_g_move_g_with_the_embedding(
    make_two_step: Callable, make_labelled: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (batch,) = make_two_step(g_steps=2), make_labelled(1)
    networks = {"G": model.G, "D": model.D}
    weights = {name: dict(network.named_parameters()) for name, network in networks.items()}
    before = {name: {key: value.detach().clone() for key, value in of.items()} for name, of in weights.items()}
    order: list[str] = []
    update = model.update

    def watched(name: str, losses: Any) -> None:
        update(name, losses)
        order.append(name)
        other = "G" if name == "D" else "D"
        if len(order) == 1:
            for key, value in weights[other].items():
                assert torch.equal(value, before[other][key]), key
                assert value.grad is None, key
        moved = [key for key, value in weights[name].items() if not torch.equal(value, before[name][key])]
        assert moved == list(weights[name])

    monkeypatch.setattr(model, "update", watched)
    model.training_step(batch, 0)
    assert order == ["D", "G", "G"]
    assert "embedding.weight" in weights["G"]
    assert id(model.G.embedding.weight) not in {
        id(weight) for group in model.optimizers()[0].param_groups for weight in group["params"]
    }


def test_without_an_embedding_the_label_is_one_hot(make_two_step: Callable) -> None:
    model = make_two_step(embedding=0, labels=["a", "b", "c"])
    seen: list[Tensor] = []
    model.G.project.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    z, c = model.noise(3, None), torch.tensor([2, 0, 1])
    assert model.G(z, c).shape == (3, 3, 16, 16)
    assert torch.equal(seen[0], torch.cat([z, one_hot(c, 3).float()], 1))


# Step 2 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"encoder_class": True}], ids=["picture alone", "told the label"])
def test_e_alone_moves_in_step_2_and_reads_no_picture_of_the_data(
    changes: dict, make_two_step: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_two_step(stage="encoder", **changes).train()
    resting = {name: state_of(getattr(model, name)) for name in ("G", "D") if hasattr(model, name)}
    before = state_of(model.E)
    assert resting.keys() == ({"G", "D"} if changes else {"G"})
    assert not model.trains_on_pictures
    assert not model.G.training
    batch = {"index": torch.arange(4), "paired": False}  # nothing else: there is no picture to learn from
    shown: list[Tensor] = []
    model.E.register_forward_pre_hook(lambda _, given: shown.append(given[0]))
    drawn = model.draw(batch)
    model.encoder_step(batch, drawn)
    assert torch.equal(shown[0], model.G(drawn["z"], drawn["c"]))
    for name, old in resting.items():
        network = getattr(model, name)
        assert same(network, old), name  # statistics of BatchNorm, too
        assert all(weight.grad is None for weight in network.parameters()), name
    assert not same(model.E, before)
    assert all(weight.grad is not None for weight in model.E.parameters())


def test_e_learns_the_noise(make_two_step: Callable) -> None:
    model = make_two_step(stage="encoder", latent=2, lr=1e-2).train()
    batch = {"index": torch.arange(32), "paired": False}
    losses = []
    for _ in range(60):
        model.report = lambda seen: losses.append(float(seen["E"].detach()))
        model.training_step(batch, 0)
    assert losses[0] > 0.25  # of U(-1, 1) the variance is a third: guessing
    assert losses[-1] < 0.1


def test_e_learns_labels_alike_or_those_that_are_wanted(make_two_step: Callable) -> None:
    batch = {"index": torch.arange(600), "paired": False}
    model = make_two_step(stage="encoder", labels=["a", "b", "c"])
    assert all(150 < count < 250 for count in torch.bincount(model.draw(batch)["c"]).tolist())
    one = make_two_step(stage="encoder", labels=["a", "b", "c"], encoder_labels=["b"])
    assert set(one.draw(batch)["c"].tolist()) == {1}
    with pytest.raises(UserError, match=r"model.encoder_labels: there is no label x; choose from female, male"):
        make_two_step(stage="encoder", encoder_labels=["x"])


def test_before_g_e_learns_real_pixels_and_g_rests(make_two_step: Callable, make_labelled: Callable) -> None:
    model, (batch,) = make_two_step(stage="encoder", encoder_learns="pictures").train(), make_labelled(1)
    assert model.trains_on_pictures
    before = state_of(model.G)
    losses = model.encoder_step(batch, model.draw(batch))
    assert losses.keys() == {"E_pixels"}
    assert same(model.G, before)
    assert all(weight.grad is not None for weight in model.E.parameters())


@pytest.mark.parametrize("learns", ["latents", "pictures"])
def test_joint_moves_all_three_and_no_loss_of_e_reaches_g(
    learns: str, make_two_step: Callable, make_labelled: Callable
) -> None:
    batches = make_labelled(2)
    model, alone = make_two_step(stage="joint", encoder_learns=learns), make_two_step(stage="generator")
    alone.load_state_dict({name: v for name, v in model.state_dict().items() if not name.startswith("E.")})
    before = state_of(model.E)
    for number, batch in enumerate(batches):
        for one in (model, alone):
            torch.manual_seed(number)
            one.training_step(batch, 0)
    assert not same(model.E, before)
    parameters = dict(alone.named_parameters())
    assert all(torch.equal(v, parameters[name]) for name, v in model.named_parameters() if not name.startswith("E."))


@pytest.mark.parametrize(("prior", "output"), [("uniform", "tanh"), ("normal", "linear"), ("uniform", "linear")])
def test_noise_and_the_encoders_output_have_one_range(prior: str, output: str, make_two_step: Callable) -> None:
    model = make_two_step(stage="encoder", prior=prior, encoder_output=output)
    z = model.noise(1000, torch.Generator().manual_seed(0))
    assert float(z.std()) == pytest.approx(1 if prior == "normal" else 3**-0.5, abs=0.05)
    assert bool(z.abs().max() <= 1) is (prior == "uniform")
    with torch.no_grad():
        model.E.latent.bias.fill_(5.0)
    assert bool(model.encode(torch.rand(2, 3, 16, 16)).max() <= 1) is (output == "tanh")


def test_tanh_with_a_normal_prior_is_refused(make_two_step: Callable) -> None:
    with pytest.raises(UserError, match=r"encoder_output=tanh with model.prior=normal: a third"):
        make_two_step(prior="normal")


# Translation ----------------------------------------------------------------------------------------------------------


def test_a_translation_is_g_of_e_with_the_other_label(make_two_step: Callable, make_labelled: Callable) -> None:
    model, (batch,) = make_two_step(stage="encoder").eval(), make_labelled(1)
    x, c = batch["a"], batch["label"]
    assert list(model.directions) == ["to_female", "to_male"]
    assert torch.equal(model.translate(x, "to_male"), model.G(model.E(x), torch.ones(4, dtype=torch.int64)))
    first, *others = model.predict(batch)
    assert (first.name, first.reals, list(first.row)) == ("reconstruction", "a", ["input", "female", "male"])
    assert torch.equal(first.output, model.G(model.E(x), c))
    assert torch.equal(first.truth, x)
    assert [(one.name, one.reals, one.row) for one in others] == [
        ("to_female", "label=female", {}), ("to_male", "label=male", {}),
    ]  # fmt: skip
    assert torch.equal(others[1].output, model.translate(x, "to_male"))
    assert torch.equal(others[1].counts, c == 0)  # of those that are not yet male


def test_an_encoder_that_is_told_the_label_asks_d_where_nobody_says_it(
    make_two_step: Callable, make_labelled: Callable
) -> None:
    model, (batch,) = make_two_step(stage="encoder", encoder_class=True).eval(), make_labelled(1)
    x = batch["a"]
    assert not torch.equal(model.E(x, torch.zeros(4, dtype=torch.int64)), model.E(x, torch.ones(4, dtype=torch.int64)))
    assert torch.equal(model.encode(x), model.E(x, model.D(x)[1].argmax(1)))
    assert torch.equal(model.translate(batch, "to_male"), model.decode(model.E(x, batch["label"]), model.all_of(1, x)))


def test_samples_of_the_first_stage_are_the_same_in_each_validation(
    make_two_step: Callable, make_labelled: Callable
) -> None:
    model, (batch,) = make_two_step().eval(), make_labelled(1)
    assert model.directions == {}
    first, again = model.predict(batch), model.predict(batch)
    assert [one.name for one in first] == ["samples", "of_female", "of_male"]
    assert [one.reals for one in first] == ["a", "label=female", "label=male"]
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.output, other.output)
    assert torch.equal(first[0].output[1], first[2].output[1])  # the second picture is male
    second = {key: value[1:] if isinstance(value, Tensor) else value for key, value in batch.items()}
    assert torch.allclose(model.predict(second)[0].output, first[0].output[1:], atol=1e-6)  # by index, in any batch


def test_labels_are_found_by_any_spelling(make_two_step: Callable) -> None:
    model = make_two_step(stage="encoder", labels=["not Male", "Male"])
    assert list(model.directions) == ["to_not_male", "to_male"]
    for said in ("male", "Male", "MALE"):
        assert model.towards(said) == "to_male"
    for said in ("not male", "Not_Male", "not-male"):
        assert model.towards(said) == "to_not_male"
    assert pick_direction(model, None, "not male") == "to_not_male"
    with pytest.raises(UserError, match=r"to which label\? Say target=<name>, one of: not Male, Male"):
        pick_direction(model, None)
    with pytest.raises(UserError, match=r"target=woman: there is no such label; choose from not Male, Male"):
        model.towards("woman")
    with pytest.raises(UserError, match=r"some would be called alike in target=, to_ann; rename one"):
        make_two_step(stage="encoder", labels=["Ann", "ann"])


def test_labels_that_can_not_be_trained_on_are_refused(make_two_step: Callable) -> None:
    with pytest.raises(UserError, match=r"the data have 1 label \(one\), two at least are needed"):
        make_two_step(labels=["one"])
    model = make_two_step()
    model.check_labels(("female", "male"), {"female": 3, "male": 1})
    model.check_labels(("female", "male"))  # to be evaluated
    with pytest.raises(UserError, match=r"data: no training picture is male; give"):
        model.check_labels(("female", "male"), {"female": 3})
    with pytest.raises(UserError, match=r"the model knows female, male, in this order, and the data have x, y"):
        model.check_labels(("x", "y"), {"x": 1, "y": 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"labels": ["male", "female"]},
            "its G knows the labels male, female, in this order; the data have female, male",
        ),
        ({"labels": ["ann", "bob"]}, "its G knows the labels ann, bob"),
        ({"prior": "normal", "encoder_output": "linear"}, "its G was trained with model.prior=normal, not uniform"),
    ],
)
def test_a_generator_of_other_labels_or_noise_is_no_start(
    changes: dict, message: str, make_two_step: Callable, tmp_path: Path
) -> None:
    first, second = make_two_step(**changes), make_two_step(stage="encoder")
    content: dict[str, Any] = {"state_dict": first.state_dict(), "hyper_parameters": dict(first.hparams)}
    first.on_save_checkpoint(content)
    torch.save(content, tmp_path / "g.ckpt")
    with pytest.raises(UserError, match=re.escape(message)):
        start_weights(second, tmp_path / "g.ckpt", "last")
    before = state_of(first.G)
    start_weights(make_two_step(), tmp_path / "g.ckpt", "last")  # to train on, any will do
    assert same(first.G, before)


@pytest.mark.parametrize("changes", [{"stage": "joint"}, {"stage": "encoder", "encoder_learns": "pictures"}])
def test_labels_of_e_are_refused_where_they_would_do_nothing(changes: dict, make_two_step: Callable) -> None:
    with pytest.raises(UserError, match=r"model.encoder_labels=\['male'\] is for E behind a G that rests"):
        make_two_step(encoder_labels=["male"], **changes)
    with pytest.raises(UserError, match=r"model.encoder_labels=\[\]: name one label"):
        make_two_step(stage="encoder", encoder_labels=[])


# Against the plain steps ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_in_fp64")
@pytest.mark.parametrize("g_steps", [1, 2])
def test_step_1_is_the_plain_one(g_steps: int, make_two_step: Callable, make_labelled: Callable) -> None:
    model = make_two_step(g_steps=g_steps)
    plain = ReferenceTwoStep(copy.deepcopy(model.G), copy.deepcopy(model.D), g_steps=g_steps)
    for number, batch in enumerate(make_labelled(3, dtype=torch.float64)):
        z = model.noise(4, torch.Generator().manual_seed(number))
        ours = model.generator_step(batch, {"z": z})
        theirs = plain.generator_step(batch["a"], batch["label"], z)
        for name, value in theirs.items():
            assert torch.allclose(ours[name], value), name
    for name in ("G", "D"):
        of_plain = dict(getattr(plain, name).named_parameters())
        assert all(torch.allclose(v, of_plain[key]) for key, v in getattr(model, name).named_parameters()), name


@pytest.mark.usefixtures("all_in_fp64")
def test_step_2_is_the_plain_one(make_two_step: Callable) -> None:
    model = make_two_step(stage="encoder").train()
    plain = ReferenceTwoStep(copy.deepcopy(model.G), E=copy.deepcopy(model.E))
    for number in range(3):
        torch.manual_seed(number)
        drawn = model.draw({"index": torch.arange(4)})
        assert torch.allclose(model.encoder_step({}, drawn)["E"], plain.encoder_step(drawn["z"], drawn["c"])["E"])
    of_plain = dict(plain.E.named_parameters())
    assert all(torch.allclose(value, of_plain[name]) for name, value in model.E.named_parameters())


def test_the_plain_step_is_given_where_it_does_what_the_model_is_set_to(
    make_two_step: Callable, make_labelled: Callable
) -> None:
    (batch,) = make_labelled(1)
    for stage in ("generator", "encoder"):
        model = make_two_step(stage=stage)
        step = model.published_step(batch)
        before = state_of(model)
        assert step is not None
        step(batch)
        assert same(model, before)
    assert make_two_step(aux_on_fake=True).published_step(batch) is None
    assert make_two_step(stage="joint").published_step(batch) is None
