"""`python -m suite.train experiment=<name>`: compose, check, train, and say where everything is."""

import sys
from pathlib import Path

from omegaconf import DictConfig

from suite.run import cli
from suite.run.allocator import keep_freed_memory


def train(config: DictConfig) -> None:
    """Train one run or all its stages, fresh or resumed; `config` is composed from conf/train.yaml."""
    from suite.run import console, folder
    from suite.run.checks import check_config
    from suite.run.cluster import on_rank_zero
    from suite.run.fit import fit
    from suite.run.request import prepare_config
    from suite.run.stages import fit_stages
    from suite.run.words import task_words

    memory = console.start(speaks=on_rank_zero())
    config, run = prepare_config(config)
    in_stages = folder.has_stages(run) if config.resume else config.stages and config.model.get("stage") is None
    if in_stages:
        fit_stages(config, run, task_words())
        return
    check_config(config)
    fit(config, run, memory)


def say_compare(sweep: Path) -> None:
    """The last line of a multirun: how its runs are compared, where there are several."""
    from suite.run.words import command

    begun = [run for run in sweep.iterdir() if any((run / name).is_file() for name in ("config.yaml", "stages.yaml"))]
    if len(begun) > 1:
        print(f"\n{len(begun)} runs  compare     {command('compare', str(sweep))}")


def print_schema(arguments: list[str]) -> None:
    """The JSON schema. Ends with one line and exit code 2 where more is said."""
    if arguments != ["--schema"]:
        print("error: --schema stands alone: it is of every experiment", file=sys.stderr)
        sys.exit(2)
    import json

    from suite.run.schema import schema

    print(json.dumps(schema(), indent=1, ensure_ascii=False))


def main() -> None:
    """The console script `suite-train`; with --schema alone it prints what a configuration may say, for editors."""
    if "--schema" in sys.argv[1:]:
        print_schema(sys.argv[1:])
        return
    keep_freed_memory()
    cli.run("train", train, after_sweep=say_compare)


if __name__ == "__main__":
    main()
