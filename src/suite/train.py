"""`python -m suite.train experiment=<name>`: compose, check, train, and say where everything is."""

from omegaconf import DictConfig

from suite.run import cli
from suite.run.allocator import keep_freed_memory


def train(config: DictConfig) -> None:
    """Train one run or all its stages, fresh or resumed; `config` is composed from conf/train.yaml."""
    from suite.run import console, folder
    from suite.run.checks import check_config
    from suite.run.fit import fit
    from suite.run.request import prepare_config
    from suite.run.stages import fit_stages
    from suite.run.trainer import on_rank_zero
    from suite.run.words import task_words

    memory = console.start(speaks=on_rank_zero())
    config, run = prepare_config(config)
    in_stages = folder.has_stages(run) if config.resume else config.stages and config.model.get("stage") is None
    if in_stages:
        fit_stages(config, run, task_words())
        return
    check_config(config)
    fit(config, run, memory)


def main() -> None:
    """The console script `suite-train`."""
    keep_freed_memory()
    cli.run("train", train)


if __name__ == "__main__":
    main()
