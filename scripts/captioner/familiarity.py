"""How much a captioner finds in a picture: the score by which strange pictures are told.

A network describes whatever it is shown, and is no less sure of its words where they are nonsense:
their mean probability was 0.78 for photographs and 0.73 for scenes of the storybook's newer world.
But for what it was never trained on, its backbone yields little: features stay near zero.
"""

import torch
from torch import Tensor

from scripts.captioner.network import Captioner


@torch.inference_mode()
def familiarity(network: Captioner, picture: Tensor) -> float:
    """Root of the mean square of a picture's embedding; about 1 for the pictures of its training.

    Takes one picture (1, 3, S, S), normalised and of the size that the captioner sees. The
    embedding is normalised over the pictures that the captioner was taught with (Encoder.norm), so
    that 1 is their root mean square, but for the norm's own scale. What is too little is measured
    for each bundle: 0.8 for the storybook (see its model card).
    """
    return network.encoder(picture).square().mean().sqrt().item()
