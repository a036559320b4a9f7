"""The image encoder of AttnGAN's DAMSM (Xu et al. 2018, section 3.2).

Pictures are brought where words and sentences are: their regions beside the words, the whole
beside the sentence. The published weights have Inception-v3 (Szegedy et al. 2016, arXiv
1512.00567) in front.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.backbones import classifier

INCEPTION_REGIONS = "Mixed_6e"  # 17 x 17 places of a 299-pixel picture


@dataclass(frozen=True)
class ImageEncoderConfig:
    """Sizes; the defaults are those of the published models."""

    backbone: str = "inception_v3"  # a classification network, as torchvision.models names it
    size: int = 299  # S, the side to which pictures are resized, in pixels
    features: int = 256  # D, size of a region and of the whole
    regions: str = ""  # the layer whose map gives the regions; Inception-v3's needs no naming
    last: str = ""  # the layer whose map gives the whole, the last one kept; empty: all are kept


def trunk(name: str, size: int, last: str = "") -> nn.Sequential:
    """The layers of a randomly weighted network of torchvision, down to the one called `last`.

    They are what the network calls `features`; where there is no such part, the layers before its
    `avgpool`. Without `last`, all of them. Raises ValueError if torchvision has no such network, if
    it has neither, or if no layer is called so.
    """
    network = classifier(name, size)
    layers = [*network.named_children()]
    names = [layer for layer, _ in layers]
    if isinstance(getattr(network, "features", None), nn.Sequential):
        layers = [*network.features.named_children()]
    elif "avgpool" in names:
        layers = layers[: names.index("avgpool")]
    else:
        raise ValueError(f"{name} cannot be an image encoder: no `features` and no `avgpool`")
    names = [layer for layer, _ in layers]
    if last and last not in names:
        raise ValueError(f"{name} has no layer {last!r} to end with; it has {', '.join(names)}")
    return nn.Sequential(OrderedDict(layers[: names.index(last) + 1] if last else layers))


def maps(layers: nn.Sequential, pictures: Tensor, regions: str) -> tuple[Tensor, Tensor]:
    """The map of the layer called `regions`, and the last one: two (B, channels, h, w)."""
    x = pictures
    for name, layer in layers.named_children():
        x = layer(x)
        if name == regions:
            middle = x
    return middle, x


class ImageEncoder(nn.Module):
    """Looks at pictures as the text encoder reads captions.

    Raises ValueError if the backbone is unknown to torchvision or is no plain sequence of layers,
    or if it has no layer called as `config.regions` says.
    """

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = trunk(config.backbone, config.size, config.last)
        self.layer = config.regions
        if config.backbone == "inception_v3" and not self.layer:
            self.layer = INCEPTION_REGIONS
        names = [name for name, _ in self.backbone.named_children()]
        if self.layer not in names:
            raise ValueError(
                f"{config.backbone} has no layer {self.layer!r} to take regions from;"
                f" it has {', '.join(names)}"
            )
        # A copy without memory tells how many channels the two maps have.
        with torch.device("meta"):
            blank = torch.empty(1, 3, config.size, config.size)
            middle, last = maps(
                trunk(config.backbone, config.size, config.last).eval(), blank, self.layer
            )
        self.regions = nn.Conv2d(middle.shape[1], config.features, 1, bias=False)
        self.whole = nn.Linear(last.shape[1], config.features)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Encode pictures (B, 3, H, W) in [-1, 1], of any size.

        Returns the regions, (B, D, h, w), and the whole, (B, D). Pictures are resized to S x S
        with corners aligned, as the published weights were trained (torch before 0.4).
        """
        middle, last = self.see(pictures)
        return self.regions(middle), self.whole(last.mean(dim=(2, 3)))

    def see(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The backbone's maps that regions and whole are read off: two (B, channels, h, w)."""
        pictures = functional.interpolate(
            pictures, size=(self.config.size,) * 2, mode="bilinear", align_corners=True
        )  # (B, 3, S, S)
        return maps(self.backbone, pictures, self.layer)
