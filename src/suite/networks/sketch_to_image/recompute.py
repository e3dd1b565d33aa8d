"""Layers whose maps are not kept for the way back but computed anew there: less memory, a third more time."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.utils.checkpoint import checkpoint


def recomputed(layer: nn.Module, *inputs: Tensor) -> Tensor:
    """layer(*inputs), of which nothing but the inputs is kept. What it counts is counted once, as without."""
    contexts = partial(_contexts, layer)
    return checkpoint(layer, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


def _contexts(layer: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _uncounted(layer)


@contextmanager
def _uncounted(layer: nn.Module) -> Iterator[None]:
    """Inside, running statistics stay as they are, and spectral norms where their last iteration left them."""
    norms = [module for module in layer.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    spectral = [module for module in layer.modules() if isinstance(module, _SpectralNorm) and module.training]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    for module in spectral:
        module.eval()
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted
        for module in spectral:
            module.train()
