"""A trained captioner made faster: same parameters, same captions."""

import torch
from torch import Tensor, nn

from scripts import backbones, packed, winograd
from scripts.captioner.network import Captioner, Decoder, State


class FastDecoder(Decoder):
    """A decoder for a CPU, with less to move at each word.

    For a single step, `nn.LSTM` rearranges its weights, which takes longer than the step itself;
    and one row is multiplied by the vocabulary's matrix about three times faster if that matrix
    lies column by column.
    """

    def __init__(self, plain: Decoder) -> None:
        nn.Module.__init__(self)
        self.max_words = plain.max_words
        self.embedding = plain.embedding
        self.lstm = plain.lstm
        self.linear = plain.linear
        columns = plain.linear.weight.detach().T.contiguous().T
        self.linear.weight = nn.Parameter(columns, requires_grad=False)

    def say(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        if state is None:
            empty = inputs.new_zeros(self.lstm.num_layers, len(inputs), self.lstm.hidden_size)
            state = empty, empty
        after = []
        for layer, before in zip(self.lstm.all_weights, zip(*state, strict=True), strict=True):
            hidden, cell = torch.lstm_cell(inputs, before, *layer)  # (B, H) each
            after.append((hidden, cell))
            inputs = hidden
        hidden, cell = (torch.stack(layers) for layers in zip(*after, strict=True))
        return self.linear(inputs), (hidden, cell)


def optimize(network: Captioner, device: str) -> Captioner:
    """The same captioner with all that makes it faster on a device, in place."""
    backbones.fold(network.encoder.backbone)
    if packed.possible(device):
        seen = (1, 3, network.config.size, network.config.size)
        winograd.optimize(network.encoder, packed.sizes(network.encoder, seen))
        packed.pack(network.encoder, seen)
        network.decoder = FastDecoder(network.decoder)
    backbones.channels_last(network.encoder.backbone)  # what is packed needs no other copy
    return network
