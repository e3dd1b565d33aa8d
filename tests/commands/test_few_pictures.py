"""A picture a side: it is trained on, and nothing claims to have been measured."""

from PIL import Image


def test_a_run_of_one_picture_a_side(command, tmp_path, capsys, caplog):
    for side in "AB":
        (tmp_path / f"train{side}").mkdir()
        Image.new("RGB", (40, 40), "navy").save(tmp_path / f"train{side}" / "0.png")
    run = tmp_path / "run"
    words = ["experiment=cyclegan_lsgan", "scale=smoke", "data=unpaired_folders", f"data.root={tmp_path}"]
    more = ["data.batch_size=1", "images.train=1", "checkpoint.every_n_steps=1", "validation.every_n_steps=1"]
    assert command("train", *words, *more, "metrics=full", "logger=none", f"hydra.run.dir={run}") == 0
    said = (run / "log.txt").read_text()
    assert "no pictures are held out to validate on: no validation" in said
    assert "none: no pictures are held out" in said
    assert f"python -m suite.evaluate run={run} split=train" in said
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    assert not (run / "images").exists()
    capsys.readouterr()
    for split, part in (("test", "holds no pictures out"), ("val", "say split=train"), ("train", "nothing could be")):
        assert command("evaluate", f"run={run}", f"split={split}", "metrics=offline") == 2
        assert part in capsys.readouterr().err
    assert not (run / "metrics.json").exists()
    assert command("train", f"resume={run}", "trainer.max_epochs=2") == 0
