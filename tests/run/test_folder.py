"""What is read of a run folder."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from suite.errors import UserError
from suite.run.folder import STAGES, checkpoint_path, read_config, read_stages

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
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with pytest.raises(UserError, match="has no checkpoint yet: the run ended before"):
        checkpoint_path(tmp_path, "first")
    (folder / "last.ckpt").touch()
    with pytest.raises(UserError, match=r"^start=first: .* has no step<number>.ckpt; use start=last, or train it with"):
        checkpoint_path(tmp_path, "first", key="start")
    for name in ("step1000", "step900", "steps"):
        (folder / f"{name}.ckpt").touch()
    assert checkpoint_path(tmp_path, "first") == folder / "step900.ckpt"
