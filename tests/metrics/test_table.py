import pytest
import torch

from suite.metrics.distances import frechet_distance, kernel_distance
from suite.metrics.jackknife import interval
from suite.metrics.sets import SET_METRICS
from suite.metrics.table import few, join, rows_of, summarise


def rows(index: list[int]) -> dict[str, torch.Tensor]:
    """What a process would measure of these pictures: a function of the picture alone."""
    number = torch.tensor(index)
    angles = number[:, None] * torch.tensor([1.0, 2.0, 3.0])
    return {"index": number, "features": torch.cat([angles.sin(), angles.cos()], dim=1), "psnr": 20 + number.float()}


ALL = list(range(11))
REAL = rows(list(range(30, 45)))["features"]


def test_two_shards_with_a_samplers_repeat_give_exactly_what_one_process_gives():
    alone = join([rows(ALL)])
    shards = join([rows([0, 2, 4, 6, 8, 10]), rows([1, 3, 5, 7, 9, 0])])
    assert {name: column.tolist() for name, column in shards.items()} == {
        name: column.tolist() for name, column in alone.items()
    }
    names = ["fid", "kid", "precision", "recall", "mind", "psnr"]
    assert summarise(shards, {"": REAL}, names, "inception") == summarise(alone, {"": REAL}, names, "inception")


def test_a_process_without_pictures_is_no_obstacle():
    assert join([{}, rows([1, 0])])["index"].tolist() == [0, 1]
    assert join([{}, {}]) == {}


def test_figures_are_the_distances_and_means_of_the_table():
    table = join([rows(ALL)])
    figures, missing = summarise(table, {"": REAL, "_to_train": REAL[:9]}, ["fid", "kid", "psnr", "l1"], "inception")
    assert missing == []
    assert figures == {
        "fid": frechet_distance(REAL, table["features"]),
        "fid_to_train": frechet_distance(REAL[:9], table["features"]),
        "kid": kernel_distance(REAL, table["features"]),
        "kid_to_train": kernel_distance(REAL[:9], table["features"]),
        "psnr": 25.0,
        "n": 11,
        "n_real": 15,
        "n_real_to_train": 9,
    }


def test_other_features_never_go_under_inceptions_names():
    figures, _ = summarise(join([rows(ALL)]), {"": REAL}, ["fid", "kid"], "random_vgg")
    assert list(figures) == ["fd_random_vgg", "kd_random_vgg", "n", "n_real"]
    figures, _ = summarise(join([rows(ALL)]), {"": REAL}, ["precision", "recall", "mind"], "random_vgg")
    assert list(figures) == ["precision_random_vgg", "recall_random_vgg", "sw_random_vgg", "n", "n_real"]


@pytest.mark.parametrize("features", ["inception", "random_vgg"])
def test_fd_dinov2_is_of_its_own_features_whatever_the_others(features):
    table = join([rows(ALL)])
    table["dinov2"] = table["features"][:, :4] * 2
    of_dinov2 = {"": REAL[:, 1:5], "_to_train": REAL[:9, 1:5]}
    figures, _ = summarise(table, {"": REAL}, ["fd_dinov2"], features, of_dinov2)
    assert figures == {
        "fd_dinov2": frechet_distance(REAL[:, 1:5], table["dinov2"]),
        "fd_dinov2_to_train": frechet_distance(REAL[:9, 1:5], table["dinov2"]),
        "n": 11,
        "n_real": 15,
        "n_real_to_train": 9,
    }


def test_intervals_stand_beside_what_is_of_enough_pictures():
    fake, real = rows(list(range(40))), rows(list(range(50, 75)))["features"]
    names = ["fid", "kid", "precision"]
    figures, _ = summarise(fake, {"": real, "_to_train": real[:19]}, names, "inception", intervals=True)
    plain, _ = summarise(fake, {"": real, "_to_train": real[:19]}, names, "inception")
    spread = {"fid_interval", "kid_std", "kid_to_train_std", "precision_interval"}
    assert figures.keys() - plain.keys() == spread
    assert {name: figures[name] for name in plain} == plain
    without = SET_METRICS["fid"].without
    assert without is not None
    assert figures["fid_interval"] == interval(without(real, fake["features"]))


def test_no_interval_of_a_share_is_wider_than_shares_are():
    """One real picture far off has a ball around all there is: without it no generated picture is within any."""
    real = torch.cat([torch.arange(39.0)[:, None], torch.tensor([[1e6]])])
    fake = {"index": torch.arange(40), "features": torch.arange(40.0)[:, None] + 1000}
    figures, _ = summarise(fake, {"": real}, ["precision"], "inception", intervals=True)
    assert (figures["precision"], figures["precision_interval"]) == (1, 1)


def test_lp_is_three_figures_and_those_of_random_weights_say_so():
    table = {"index": torch.arange(2), "psnr": torch.tensor([20.0, 22.0])}
    table |= {
        "lp_sum": torch.tensor([4.0, 16.0]),
        "lp_mean": torch.tensor([1.0, 4.0]),
        "lp_norm": torch.tensor([2.0, 4.0]),
    }
    expected = {"lp_sum": 10.0, "lp_mean": 2.5, "lp_norm": 3.0}
    assert summarise(table, {}, ["lp", "psnr"], "inception") == ({**expected, "psnr": 21.0, "n": 2}, [])
    named = {f"{name}_random_vgg19": value for name, value in expected.items()}
    assert summarise(table, {}, ["psnr", "lp"], "random_vgg") == ({"psnr": 21.0, **named, "n": 2}, [])


@pytest.mark.parametrize(("count", "given"), [(1, set()), (3, {"fid"}), (4, {"fid", "kid"})])
def test_too_few_pictures_leave_a_figure_out_and_say_how_many_it_needs(count, given):
    figures, missing = summarise(join([rows(ALL[:count])]), {"": REAL}, ["fid", "kid"], "inception")
    assert set(figures) == (given | {"n", "n_real"} if given else set())
    left_out = [sentence for sentence in missing if "kid" in sentence]
    if "kid" not in given:
        assert "at least 4" in left_out[0]
        assert f"15 and {count}" in left_out[0]


def test_no_pictures_at_all_give_no_figures():
    figures, missing = summarise({}, {"": REAL}, ["fid", "psnr"], "inception")
    assert figures == {}
    assert len(missing) == 1


def test_each_figure_is_read_with_its_number_of_pictures():
    figures = {
        "test/fid": 6071.0, "test/fid_to_train": 1797.0, "test/psnr": 20.0, "test/n": 2.0, "test/n_real": 3.0,
        "test/n_real_to_train": 1000.0, "test_b2a/fd_random_vgg": 1.5, "test_b2a/n": 8.0, "test_b2a/n_real": 9.0,
        "test/fid_interval": 100.0, "test_b2a/fd_random_vgg_std": 0.25, "test/recall_to_train": 0.5, "steps": 7.0,
        "test/loose_interval": 2.0,
    }  # fmt: skip
    assert [tuple(row) for row in rows_of(figures)] == [
        ("test/fid", 6071.0, "2, 3 real", "±100.0000"),
        ("test/fid_to_train", 1797.0, "2, 1000 real", ""),
        ("test/psnr", 20.0, "2", ""),
        ("test_b2a/fd_random_vgg", 1.5, "8, 9 real", "std 0.2500"),
        ("test/recall_to_train", 0.5, "2, 1000 real", ""),
        ("steps", 7.0, "", ""),
        ("test/loose_interval", 2.0, "2", ""),  # a figure of a paper: nothing is its interval
    ]


@pytest.mark.parametrize(("n", "n_real", "said"), [(2047, 5000, True), (5000, 2047, True), (2048, 2048, False)])
def test_few_pictures_are_said_where_sets_are_compared(n, n_real, said):
    numbers = {"test/n": float(n), "test/n_real": float(n_real)}
    assert bool(few({"test/fd_dinov2": 9.0, **numbers})) == said
    assert few({"test/psnr": 9.0, **numbers}) is None
