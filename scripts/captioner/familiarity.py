"""How sure a captioner is of what it says: the score by which strange pictures are told.

A network describes whatever it is shown; of a picture unlike anything that it was taught it says
nonsense, but hesitates over the words.
"""

import torch
from torch import Tensor

from scripts.captioner.network import Captioner


@torch.inference_mode()
def familiarity(network: Captioner, picture: Tensor) -> float:
    """Mean probability of a caption's words, from 0 to 1: the geometric mean, `<end>` included.

    Takes one picture (1, 3, S, S), as the captioner sees it. The caption is the likeliest one.
    """
    ids, likelihood = network.captions(picture)[0]
    return float(torch.tensor(likelihood / (len(ids) + 1)).exp())
