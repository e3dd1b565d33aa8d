"""Which of several processes hangs is told from those that wait for it, by a clock of the test's own."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite.errors import UserError
from suite.run import ranks
from suite.run.heartbeat import Heartbeat, HeartbeatBehind, Judge, Standing, read, written

TIMEOUT = 60.0


def two(**values: Any) -> list[Standing]:
    return [Standing(rank, 100 + rank, "here", at=(1, 5, 2), resting=False, **values) for rank in (0, 1)]


def beat(standings: list[Standing], *silent: int) -> list[Standing]:
    return [one if one.rank in silent else replace(one, pulse=one.pulse + 1) for one in standings]


def named(judge: Judge, standings: list[Standing], seconds: range, *silent: int) -> list[int]:
    """Ranks that hang, after a look each second at loops that stand still; the processes but for some are alive."""
    hanging: list[Standing] = []
    for now in seconds:
        standings[:] = beat(standings, *silent)
        hanging = judge.hanging(standings, float(now))
    return [one.rank for one in hanging]


def test_a_stopped_process_is_named_and_not_who_waits_for_it() -> None:
    judge, standings = Judge(TIMEOUT), two()
    assert named(judge, standings, range(60), 1) == []
    assert named(judge, standings, range(60, 61), 1) == [1]
    assert judge.silent == {1}


def test_also_where_the_loop_of_the_other_rests() -> None:
    standings = two()
    standings[0] = replace(standings[0], resting=True)
    assert named(Judge(TIMEOUT), standings, range(62), 1) == [1]


def test_a_loop_that_is_behind_is_named_though_its_process_lives() -> None:
    judge, standings = Judge(TIMEOUT), two()
    standings[0] = replace(standings[0], at=(1, 6, 1))  # it waits for the other within the next batch
    assert named(judge, standings, range(60)) == []
    assert named(judge, standings, range(60, 61)) == [1]
    assert judge.silent == set()


def test_of_equals_both_are_named() -> None:
    assert named(Judge(TIMEOUT), two(), range(62)) == [0, 1]


@pytest.mark.parametrize("goes_on", [{"at": (1, 5, 3)}, {"beats": 1}], ids=["a batch", "a batch of validation"])
def test_nobody_hangs_while_one_goes_on(goes_on: dict[str, Any]) -> None:
    judge, standings = Judge(TIMEOUT), two()
    assert named(judge, standings, range(50)) == []
    standings[1] = replace(standings[1], **goes_on)
    assert named(judge, standings, range(50, 110)) == []
    assert named(judge, standings, range(110, 111)) != []


def test_preparation_and_metrics_may_take_any_time() -> None:
    judge, standings = Judge(TIMEOUT), two()
    standings[0] = replace(standings[0], resting=True)
    standings[1] = replace(standings[1], at=(1, 6, 1))
    assert named(judge, standings, range(1000)) == []
    # It goes on, and for a moment the other, which has waited so long, is behind.
    standings[0] = replace(standings[0], at=(1, 6, 2), resting=False)
    assert named(judge, standings, range(1000, 1050)) == []


def test_one_that_was_stopped_itself_judges_nobody_by_that_time() -> None:
    judge, standings = Judge(TIMEOUT), two()
    assert named(judge, standings, range(50)) == []
    assert named(judge, standings, range(1000, 1059), 1) == []
    assert named(judge, standings, range(1059, 1061), 1) == [1]


def test_what_others_send_does_not_count() -> None:
    assert read(written(two(), "ours"), "ours") == two()
    assert read(written(two(), "another's"), "ours") == []
    for told in (b"", b"\xff", b"5", b'["ours", 5]', b'["ours", [{}]]', b'["ours", [{"at": 5}]]'):
        assert read(told, "ours") == []


# The watch ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], ranks.Watch]:
    """The watch of one rank of two, whose thread is not started, connected to the other's."""
    sent: list[Any] = []

    def of(rank: int) -> ranks.Watch:
        monkeypatch.setenv(ranks._FIRST, str(os.getppid()))
        sent.append(None)
        strategy = SimpleNamespace(
            launcher=SimpleNamespace(procs=[]),
            cluster_environment=SimpleNamespace(main_address="127.0.0.1"),
            broadcast=lambda told: sent.__setitem__(0, sent[0] or told) or sent[0],
        )
        trainer: Any = SimpleNamespace(global_rank=rank, local_rank=rank, num_devices=2, strategy=strategy)
        made = ranks.Watch(trainer, timeout=1)
        made.connect(trainer)
        return made

    return of


def test_the_first_process_hears_of_the_others(watch: Callable[[int], ranks.Watch]) -> None:
    first, second = watch(0), watch(1)
    assert first.socket is not None
    assert second.socket is not None
    second.known[1] = replace(second.own, at=(1, 7, 3), where="in batch 7 of epoch 1")
    second.socket.send(written([replace(second.own, pid=1)], "a stranger's"))
    second.socket.send(written([second.known[1]], second.token))
    first._exchange(first.socket)
    assert first.known == {0: first.own, 1: second.known[1]}
    second._exchange(second.socket)
    assert second.known[0] == first.own
    first.socket.close()
    second._exchange(second.socket)
    second._exchange(second.socket)
    assert second.refused
    second.socket.close()


def test_one_that_was_never_heard_has_not_died(watch: Callable[[int], ranks.Watch]) -> None:
    """As where a host's own name leads to another of its addresses than it has for the others."""
    first, second = watch(0), watch(1)
    assert first.socket is not None
    assert second.socket is not None
    first.socket.close()
    for _ in range(2):
        second._exchange(second.socket)
    assert not second.refused
    second.socket.close()


def test_one_that_has_left_after_its_training_does_not_hang(
    watch: Callable[[int], ranks.Watch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While the first one makes what the next stage needs, for as long as that takes."""
    first, ended = watch(0), []
    assert first.socket is not None
    first.socket.close()
    first.goes_on(tmp_path, lambda: "go on with: a command")
    first.known[1] = Standing(1, 11, "there", where="behind its training")
    monkeypatch.setattr(first, "_end", lambda what, speaks: ended.append(what))
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr(ranks.time, "monotonic", lambda: float(next(clock)))
    assert first.judge is not None
    Heartbeat(first).on_train_end(None, None)  # type: ignore[arg-type]
    for pulse in range(100):
        first.known[0] = replace(first.own, pulse=pulse)
        first._judge(first.judge)
    assert ended == []
    first.goes_on(tmp_path, lambda: "go on with: a command")
    for pulse in range(100, 120):
        first.known[0] = replace(first.own, pulse=pulse)
        first._judge(first.judge)
    assert "rank 1 (process 11 on there) stands behind its training" in ended[0]


def test_the_loop_goes_on_behind_a_validation(watch: Callable[[int], ranks.Watch]) -> None:
    one = watch(1)
    assert one.socket is not None
    one.socket.close()
    trainer: Any = SimpleNamespace(current_epoch=0)
    heartbeat = Heartbeat(one)
    heartbeat.on_validation_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert one.own.resting
    HeartbeatBehind(heartbeat).on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert not one.own.resting


def test_who_was_killed_is_the_cause_and_not_who_noticed(watch: Callable[[int], ranks.Watch]) -> None:
    first = watch(0)
    assert first.socket is not None
    first.socket.close()
    ended: list[Any] = [SimpleNamespace(pid=10 + rank, poll=lambda: None) for rank in (1, 2, 3)]
    first.others = ended
    assert first._ended() is None
    ended[0].poll = lambda: 1
    assert first._ended() == (
        f"rank 1 (process 11 on {first.own.host}) ended with exit code 1 before it began to train, see above",
        True,
    )
    ended[2].poll = lambda: -9
    first.known[3] = Standing(3, 13, "there", where="in batch 2 of epoch 1")
    assert first._ended() == ("rank 3 (process 13 on there) was ended by SIGKILL in batch 2 of epoch 1", True)


def test_a_broken_connection_is_told_as_the_end_of_another_process(
    watch: Callable[[int], ranks.Watch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = watch(0)
    assert first.socket is not None
    first.socket.close()
    first.goes_on(tmp_path, lambda: "go on with: a command")
    first.known[1] = Standing(1, 11, "there", where="in batch 2 of epoch 1")
    monkeypatch.setattr(ranks, "_watch", first)
    monkeypatch.setattr(ranks, "_GRACE", 0)
    told = r"^rank 1 \(process 11 on there\) ended in batch 2 of epoch 1; go on with: a command$"
    with pytest.raises(UserError, match=told):
        ranks.wait_for_the_cause(RuntimeError("Connection closed by peer"))
    ranks.wait_for_the_cause(ValueError("a fault of its own"))
