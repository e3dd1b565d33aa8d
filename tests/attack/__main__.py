"""`python tests/attack`: attack the suite's own commands, and count how each attack ended.

    python tests/attack                                     some 300 values, 20 kills, 100 flips, every folder
    python tests/attack --kinds values --count 5000 --jobs 8 --seed 1
    python tests/attack --kinds flips --seconds 3600
    python tests/attack --kinds flips --seed 3 --only 17    one attack, as a failure names it

What each kind does stands at the top of its file. Exit code 1 where anything failed. Nothing is left behind, and
nothing of the user's is touched: all is in a temporary folder, which is cache and home of the commands as well.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from random import Random
from typing import NamedTuple

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import flips  # noqa: E402
import folders  # noqa: E402
import ground as grounds  # noqa: E402
import kills  # noqa: E402
import values  # noqa: E402
from trial import OUTCOMES, Failure, Trial  # noqa: E402

KINDS = {"values": values, "kills": kills, "flips": flips, "folders": folders}


class Result(NamedTuple):
    kind: str
    number: int
    outcome: str
    told: str
    ran: list[str]
    seconds: float


def attack(kind: str, number: int, seed: int, ground: grounds.Ground, keep: bool = False) -> Result:
    """One attack, the same for the same kind, number and seed, but for the moments of kills."""
    place = Path(tempfile.mkdtemp(prefix=f"{kind}-{number}-", dir=ground.folder))
    trial, began = Trial(place), time.monotonic()
    outcome, told = "well", ""
    try:
        KINDS[kind].attack(number, Random(f"{seed}/{kind}/{number}"), ground, trial)
    except Failure as failure:
        outcome, told = failure.outcome, str(failure)
        if keep:
            told += f"\n{(place / 'stderr').read_text(errors='backslashreplace')}"
    shutil.rmtree(place, ignore_errors=True)
    return Result(kind, number, outcome, told, trial.ran, time.monotonic() - began)


def attacks(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """The kinds in turn, so that a run that is ended by its time has some of each."""
    counts = {kind: options.count or KINDS[kind].COUNT for kind in options.kinds}
    if options.only is not None:
        yield from ((kind, options.only) for kind in options.kinds)
        return
    order = [((number + 0.5) / count, kind, number) for kind, count in counts.items() for number in range(count)]
    yield from ((kind, number) for _, kind, number in sorted(order))


def run_all(options: argparse.Namespace, ground: grounds.Ground) -> list[Result]:
    results: list[Result] = []
    running: set[Future[Result]] = set()
    deadline = time.monotonic() + options.seconds
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(options.jobs, context) as pool:
        waiting = attacks(options)
        while True:
            while len(running) < options.jobs and time.monotonic() < deadline and (one := next(waiting, None)):
                running.add(pool.submit(attack, *one, options.seed, ground, options.only is not None))
            if not running:
                return results
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                results.append(result := future.result())
                if result.outcome != "well":
                    told = f"{result.ran[0][:90]}: {result.told.splitlines()[0][:200]}"
                    print(f"{result.kind} {result.number}: {result.outcome}: {told}", file=sys.stderr)


def report(results: Sequence[Result], seed: int) -> str:
    """The table, and each failure with the command that repeats it."""
    lines = [f"{'kind':8} {'tried':>6} " + " ".join(f"{outcome:>9}" for outcome in OUTCOMES) + "  seconds"]
    for kind in KINDS:
        of_kind = [result for result in results if result.kind == kind]
        counts = Counter(result.outcome for result in of_kind)
        seconds = sum(result.seconds for result in of_kind)
        cells = " ".join(f"{counts[outcome]:9}" for outcome in OUTCOMES)
        lines += [f"{kind:8} {len(of_kind):6} {cells} {seconds:8.0f}"] * bool(of_kind)
    for result in results:
        if result.outcome != "well":
            lines += [
                "",
                f"{result.outcome}: python tests/attack --kinds {result.kind} --seed {seed} --only {result.number}",
            ]
            lines += [f"    {json.dumps(line, ensure_ascii=False)}" for line in (*result.ran, result.told[:3000])]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        "tests/attack", description="Attack the suite's commands, and count how that ends."
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="default: all")
    parser.add_argument("--count", type=int, help="attacks of each kind; default: as many as it needs")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no attack begins later; default: no limit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="attacks at a time, each of one thread; default: 1")
    parser.add_argument("--only", type=int, help="the number of one attack, which is told in full")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="attack-"))
    try:
        grounds.settle(folder)
        grounds.import_suite()
        results = run_all(options, grounds.make(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(results, options.seed))
    return int(any(result.outcome != "well" for result in results))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.exit(main())
