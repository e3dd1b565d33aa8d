"""The papers' optimizer steps written plainly: nothing joined, nothing shared, no framework.

What the papers compute is held to this, in value by the tests and in time by `suite.bench`. Those of DA-GAN, CSI
and sketch-to-image are ours, after the papers.
"""

from suite.papers.reference.csi import ReferenceCSI
from suite.papers.reference.cyclegan import PicturePool, ReferenceCycleGAN
from suite.papers.reference.dagan import ReferenceDAGAN
from suite.papers.reference.pix2pix import ReferencePix2Pix
from suite.papers.reference.sketch_to_image import ReferenceSketchToImage
from suite.papers.reference.two_step import ReferenceTwoStep

__all__ = [
    "PicturePool",
    "ReferenceCSI",
    "ReferenceCycleGAN",
    "ReferenceDAGAN",
    "ReferencePix2Pix",
    "ReferenceSketchToImage",
    "ReferenceTwoStep",
]
