import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from suite.metrics.callback import MetricsCallback

CONF = Path(__file__).resolve().parents[2] / "conf"
CHOICES = sorted(path.stem for path in (CONF / "metrics").glob("[!_]*.yaml"))


def composed(choice: str) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(f"metrics/{choice}", overrides=["+cache_dir=somewhere"])
    return OmegaConf.to_container(config.metrics, resolve=True)


def test_the_choices_are_the_four_that_the_readme_names():
    assert CHOICES == ["full", "none", "offline", "pixel"]


@pytest.mark.parametrize("choice", CHOICES)
def test_keys_are_the_callbacks_arguments_and_build_it(choice):
    config = composed(choice)
    monitor, mode = config.pop("monitor"), config.pop("mode")
    assert set(config) == set(inspect.signature(MetricsCallback).parameters)
    assert config["cache_dir"] == "somewhere"
    callback = MetricsCallback(**config)
    assert mode in ("min", "max")
    assert (monitor is None) == (not callback.names)


def test_offline_and_pixel_need_no_file():
    for choice in ("offline", "pixel", "none"):
        config = composed(choice)
        assert not {"lpips", "lp"} & set(config["names"])
        assert config["features"] == "random_vgg" or not {"fid", "kid"} & set(config["names"])
