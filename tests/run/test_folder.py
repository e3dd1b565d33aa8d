"""What is read of a run folder."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from suite.errors import UserError
from suite.run import folder
from suite.run.folder import STAGES, checkpoint_path, load_model, read_checkpoint, read_config, read_stages
from suite.run.hold import let_go

FIRST = {"start_from": "/other/9_tom", "data": {"root": "/other/9_tom/x"}}


@pytest.mark.parametrize("there", ["/was/1_tom", "runs/1_tom"])
def test_a_stage_finds_what_the_one_before_has_left_where_the_run_is_now(there: str, tmp_path: Path) -> None:
    second = {"start_from": there, "data": {"sets": [f"{there}/sketches", f"{there}s", 3], "root": "/was/data"}}
    (tmp_path / STAGES).write_text(OmegaConf.to_yaml({"tom": FIRST, "next": second}))
    for own in ("1_tom", "2_next", "by_hand"):
        (tmp_path / own).mkdir()
        (tmp_path / own / "config.yaml").write_text(OmegaConf.to_yaml(FIRST if own == "1_tom" else second))
    now = tmp_path / "1_tom"
    moved = {"start_from": str(now), "data": {"sets": [f"{now}/sketches", f"{there}s", 3], "root": "/was/data"}}
    assert {name: dict(config) for name, config in read_stages(tmp_path).items()} == {"tom": FIRST, "next": moved}
    assert read_config(now) == FIRST
    assert read_config(tmp_path / "2_next") == moved
    assert read_config(tmp_path / "by_hand") == second


def test_first_is_the_earliest_of_the_checkpoints_kept_at_steps(tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    place.mkdir()
    with pytest.raises(UserError, match="has no checkpoint yet: the run ended before"):
        checkpoint_path(tmp_path, "first")
    (place / "last.ckpt").touch()
    with pytest.raises(UserError, match=r"^start=first: .* has no step<number>.ckpt; use start=last, or train it with"):
        checkpoint_path(tmp_path, "first", key="start")
    for name in ("step1000", "step900", "steps"):
        (place / f"{name}.ckpt").touch()
    assert checkpoint_path(tmp_path, "first") == place / "step900.ckpt"


@pytest.mark.parametrize("content", ["", "# nothing\n", "- 1\n", "a: [\n"])
def test_a_configuration_without_settings_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml is damaged: "):
        read_config(tmp_path)


def test_no_flipped_bit_becomes_another_weight(tmp_path: Path) -> None:
    path, weights = tmp_path / "last.ckpt", torch.linspace(-1, 1, 500)
    torch.save({"paper": "drawer", "state_dict": {"weight": weights}}, path)
    whole = path.read_bytes()
    found = 0
    for place in range(0, len(whole), 17):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            content = read_checkpoint(path)
        except UserError:
            found += 1
        else:
            assert torch.equal(content["state_dict"]["weight"], weights), place
    assert found > 2000 // 17  # at least wherever a weight is


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(
    bad: float, toys: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "find_paper", lambda name: toys.Drawer)
    model = toys.Drawer(ema_decay=0.9)
    path = tmp_path / "step1.ckpt"
    content = {
        "paper": "drawer",
        "hyper_parameters": {"ema_decay": 0.9, "freeze": []},
        "done": {"epochs": 0, "steps": 1, "batches": 1},
        "state_dict": model.state_dict(),
    }
    torch.save(content, path)
    assert load_model(path).steps == 1
    content["state_dict"]["ema.G.bias"].fill_(bad)
    torch.save(content, path)
    with pytest.raises(UserError, match=r"step1\.ckpt: weights of G are not finite"):
        load_model(path)


def test_what_a_killed_run_left_half_written_is_swept_when_it_goes_on(tmp_path: Path) -> None:
    left = ["metrics.csv.partial", "checkpoints/last.ckpt.partial", "images/.0a1b2c.part"]
    kept = ["checkpoints/last.ckpt", "images/a2b_epoch0001.png", "metrics.csv"]
    for name in (*left, *kept):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder.claim(tmp_path, resumed=True)
    let_go(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == kept
