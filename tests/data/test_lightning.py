"""The data under a real Trainer: epochs, resume, hooks."""

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore:.*num_workers.*")


class Recorder(LightningModule):
    """Learns nothing and remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {}
        self.validated = []

    def training_step(self, batch):
        entry = [batch["key"], batch["key_b"], batch["index"].tolist(), batch["a"].clone(), batch["b"].clone()]
        self.seen.setdefault(self.current_epoch, []).append(entry)
        self.optimizers().step()

    def validation_step(self, batch):
        self.validated.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(data, folder, epochs, resume=None, **arguments):
    saved = ModelCheckpoint(folder / str(epochs), save_last=True, save_top_k=0, **arguments)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[saved],
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    recorder = Recorder()
    trainer.fit(recorder, datamodule=data, ckpt_path=resume, weights_only=True)
    return recorder, saved.last_model_path


def equal(one, other):
    return len(one) == len(other) and all(
        x[:3] == y[:3] and torch.equal(x[3], y[3]) and torch.equal(x[4], y[4]) for x, y in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("at_train_end", [True, False])
def test_a_resumed_run_sees_what_an_uninterrupted_one_would(unpaired, tmp_path, workers, at_train_end):
    """Saved after the training epoch, or after its validation: Lightning counts the epochs differently there."""
    arguments = {"workers": workers, "resize": "cover", "load_size": 8, "flip": 0.0}  # windows: random without torch
    when = {"save_on_train_epoch_end": at_train_end}
    whole, _ = fit(unpaired(**arguments), tmp_path / "whole", 4, **when)
    assert sorted(whole.seen) == [0, 1, 2, 3]
    assert not equal(whole.seen[2], whole.seen[0])
    assert not equal(whole.seen[2], whole.seen[3])
    _, checkpoint = fit(unpaired(**arguments), tmp_path / "parts", 2, **when)
    rest, _ = fit(unpaired(**arguments), tmp_path / "parts", 4, resume=checkpoint, **when)
    assert sorted(rest.seen) == [2, 3]
    assert equal(rest.seen[2], whole.seen[2])
    assert equal(rest.seen[3], whole.seen[3])


def test_rounds_make_one_epoch_of_what_were_several(unpaired, tmp_path):
    arguments = {"resize": "cover", "load_size": 8}
    plain, _ = fit(unpaired(**arguments), tmp_path / "plain", 4)
    data = unpaired(**arguments)
    data.rounds = 2
    long, _ = fit(data, tmp_path / "long", 2)
    assert equal(long.seen[0], plain.seen[0] + plain.seen[1])
    assert equal(long.seen[1], plain.seen[2] + plain.seen[3])


@pytest.mark.parametrize("steps", [4, 5])  # of three in each round
def test_a_run_is_resumed_within_a_round(unpaired, tmp_path, steps):
    def with_rounds():
        data = unpaired(resize="cover", load_size=8)
        data.rounds = 2
        return data

    whole, _ = fit(with_rounds(), tmp_path / "whole", 2)
    first, checkpoint = fit(with_rounds(), tmp_path / "parts", 1, every_n_train_steps=steps)
    assert len(first.seen[0]) == 6
    rest, _ = fit(with_rounds(), tmp_path / "rest", 2, resume=checkpoint)
    assert equal(rest.seen[0], whole.seen[0][steps:])
    assert equal(rest.seen[1], whole.seen[1])


def test_training_is_augmented_and_validation_is_not(paired, tmp_path):
    data = paired(same=True, split={"train": 4, "test": 2})
    torch.manual_seed(0)
    recorder, _ = fit(data, tmp_path, 3)
    steps = [step for steps in recorder.seen.values() for step in steps]
    assert all(step[3].shape == (2, 3, 8, 8) and torch.equal(step[3], step[4]) for step in steps)
    pictures = {key: set() for keys, *_ in steps for key in keys}
    for keys, _, _, a, _ in steps:
        for key, picture in zip(keys, a, strict=True):
            pictures[key].add(picture.numpy().tobytes())
    assert max(len(seen) for seen in pictures.values()) > 1
    (expected,) = data.val_dataloader()
    assert len(recorder.validated) == 3
    for batch in recorder.validated:
        torch.testing.assert_close(batch["a"], expected["a"].float() / 127.5 - 1)
        assert batch["paired"] is True


def test_overfitting_and_predicting_work(unpaired):
    """Lightning puts samplers of its own into the loaders there."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    data, recorder = unpaired(), Recorder()
    trainer = Trainer(max_epochs=2, overfit_batches=1, enable_checkpointing=False, **quiet)
    trainer.fit(recorder, datamodule=data)
    assert recorder.seen[0][0][:3] == recorder.seen[1][0][:3]
    recorder.predict_step = lambda batch: batch["key"]
    assert trainer.predict(recorder, datamodule=data) == [["0", "1", "2", "0"]]
