"""The generator of AttnGAN (Xu et al. 2018, arXiv 1711.10485, section 3.1).

A caption is painted coarse to fine: a first stage makes 64 x 64 places from the sentence and
noise; each later stage doubles the side, having every place look at the words that concern it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.attngan.attention import attend

FIRST_SIDE = 4  # the map that noise and sentence are spread over
FIRST_UPS = 4  # 4 -> 64


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes; the defaults are those of the published COCO model.

    Raises ValueError if there is no stage, or if the codes need more entries than the noise has.
    """

    sentence: int = 256  # D, size of the sentence and of each word
    noise: int = 100  # Z, length of z
    condition: int = 100  # C, size of the augmented condition
    width: int = 48  # F, channels of a stage's map
    # The same of the first stage's own layers, up to its last one; 0: as `width`. What is where is
    # settled there, at small sides, so that more channels cost little time.
    first_width: int = 0
    # Residual blocks after each of the first stage's four Ups; empty: none, as published.
    first_residuals: tuple[int, ...] = ()
    stages: int = 3  # 1 to 3 (or more): the last picture is 64 * 2**(stages - 1) pixels wide
    residuals: int = 3  # residual blocks of each later stage
    every_stage: bool = True  # False: paint the last stage only (the published AttnDCGAN)
    # Groups of z's leading entries; each group becomes a one-hot vector, set at its largest entry:
    # categorical codes as in InfoGAN (Chen et al. 2016). Empty: z is used as it is.
    codes: tuple[int, ...] = ()
    # M, what a small network makes of condition and noise before they are spread: what depends on
    # several of them at once is settled there (as in StyleGAN, Karras et al. 2019). 0: none.
    mapping: int = 0
    reads: bool = (
        False  # a later stage looks at the picture of the stage before, not only at its map
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", tuple(self.codes))  # a list, when it was read from YAML
        object.__setattr__(self, "first_residuals", tuple(self.first_residuals))
        if self.first_residuals and len(self.first_residuals) != FIRST_UPS:
            raise ValueError(
                f"first_residuals must have {FIRST_UPS} numbers, not {len(self.first_residuals)}"
            )
        if self.stages < 1:
            raise ValueError(f"stages must be at least 1, not {self.stages}")
        if sum(self.codes) > self.noise:
            raise ValueError(f"codes {self.codes} do not fit into noise of length {self.noise}")
        if self.reads and not self.every_stage:
            raise ValueError("stages that read the picture before need `every_stage`")


@dataclass
class Painting:
    """What the generator paints, stage by stage; S = 64, 128, 256, ..."""

    pictures: list[Tensor]  # (B, 3, S, S) in [-1, 1], coarse to fine
    attention: list[Tensor]  # (B, T, S, S): what stage 2, 3, ... looked at, S of the stage before
    mu: Tensor  # (B, C), mean of the condition
    logvar: Tensor  # (B, C), logarithm of its variance
    features: Tensor  # (B, F, S, S), the last stage's map


def as_codes(z: Tensor, groups: tuple[int, ...]) -> Tensor:
    """Turn groups of z's leading entries into one-hot vectors, set at their largest entries.

    z is (B, Z); the result has its shape, and what is behind the groups stays as it is. Entries
    of normal noise are exchangeable, so that each category is equally likely.
    """
    parts = z.split([*groups, z.shape[1] - sum(groups)], dim=1)
    chosen = [functional.one_hot(part.argmax(1), part.shape[1]).to(z) for part in parts[:-1]]
    return torch.cat([*chosen, parts[-1]], dim=1)


class Conditioning(nn.Module):
    """Conditioning augmentation (StackGAN, Zhang et al. 2017, arXiv 1612.03242, section 3.2).

    The sentence becomes a normal distribution, from which eps takes a sample.
    """

    def __init__(self, sentence: int, condition: int) -> None:
        super().__init__()
        self.linear = nn.Linear(sentence, 4 * condition)

    def forward(self, sentence: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the sentence (B, D) and normal noise eps (B, C): condition, mu, logvar, all (B, C).

        With eps = 0 the condition is the mean.
        """
        mu, logvar = functional.glu(self.linear(sentence), dim=1).chunk(2, dim=1)
        return mu + eps * (0.5 * logvar).exp(), mu, logvar


class Up(nn.Module):
    """Doubles the side of a map."""

    def __init__(self, channels: int, result: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * result, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * result)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="nearest")  # (B, channels, 2S, 2S)
        return functional.glu(self.norm(self.conv(x)), dim=1)  # (B, result, 2S, 2S)


class Residual(nn.Module):
    """Adds a correction to a map (B, channels, S, S)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(2 * channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.glu(self.norm1(self.conv1(x)), dim=1)
        return x + self.norm2(self.conv2(y))


class Mapping(nn.Module):
    """Makes something of condition and noise together: (B, C + Z) -> (B, M)."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        hidden = 4 * config.mapping
        self.linear1 = nn.Linear(config.condition + config.noise, 2 * hidden, bias=False)
        self.norm1 = nn.BatchNorm1d(2 * hidden)
        self.linear2 = nn.Linear(hidden, config.mapping, bias=False)
        self.norm2 = nn.BatchNorm1d(config.mapping)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.glu(self.norm1(self.linear1(x)), dim=1)  # (B, 4M)
        return self.norm2(self.linear2(x))


class FirstStage(nn.Module):
    """Spreads condition and noise over 4 x 4 places and grows them to 64 x 64."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        width = (config.first_width or config.width) * 2**FIRST_UPS  # halved by each Up
        spread = 2 * width * FIRST_SIDE**2
        self.mapping = Mapping(config) if config.mapping else nn.Identity()
        size = config.mapping or config.condition + config.noise
        self.linear = nn.Linear(size, spread, bias=False)
        self.norm = nn.BatchNorm1d(spread)
        widths = [*(width >> i for i in range(FIRST_UPS)), config.width]
        self.ups = nn.Sequential(*(Up(a, b) for a, b in zip(widths, widths[1:], strict=False)))
        blocks = config.first_residuals or (0,) * FIRST_UPS
        self.residuals = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(number)))
            for width, number in zip(widths[1:], blocks, strict=True)
        )

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        x = self.mapping(torch.cat([condition, z], dim=1))  # (B, M), or as they are
        x = self.linear(x)  # (B, 2 * 16F' * 4 * 4), F' first_width
        x = functional.glu(self.norm(x), dim=1)  # (B, 16F' * 4 * 4)
        x = x.unflatten(1, (-1, FIRST_SIDE, FIRST_SIDE))  # (B, 16F', 4, 4)
        for up, residuals in zip(self.ups, self.residuals, strict=True):
            x = residuals(up(x))
        return x  # (B, F, 64, 64)


class NextStage(nn.Module):
    """Refines a map in the light of the words, and doubles its side."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        width = config.width
        self.words = nn.Conv2d(config.sentence, width, 1, bias=False)  # U of section 3.1
        self.residuals = nn.Sequential(*(Residual(2 * width) for _ in range(config.residuals)))
        self.up = Up(2 * width, width)
        if config.reads:
            self.read = nn.Conv2d(3, width, 3, padding=1)
            self.mix = nn.Conv2d(width, width, 1, bias=False)
            nn.init.zeros_(self.mix.weight)  # at first the picture says it all

    def forward(self, x: Tensor, words: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """From a map (B, F, S, S): the next, (B, F, 2S, 2S), and the attention, (B, T, S, S)."""
        words = self.words(words[..., None])[..., 0]  # (B, F, T)
        context, attention = attend(x.flatten(2), words, padding)  # (B, F, S*S), (B, S*S, T)
        context = context.unflatten(2, x.shape[2:])  # (B, F, S, S)
        x = self.residuals(torch.cat([x, context], dim=1))  # (B, 2F, S, S)
        return self.up(x), attention.transpose(1, 2).unflatten(2, x.shape[2:])

    def look(self, picture: Tensor, x: Tensor | None = None) -> Tensor:
        """A map (B, F, S, S) to refine, of a picture (B, 3, S, S) and the map it was painted of."""
        seen = self.read(picture)
        return seen if x is None else seen + self.mix(x)


class ToPicture(nn.Module):
    """Reads colours off a map: (B, F, S, S) -> (B, 3, S, S) in [-1, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 3, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).tanh()


class Generator(nn.Module):
    """Paints captions."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.conditioning = Conditioning(config.sentence, config.condition)
        self.first = FirstStage(config)
        self.later = nn.ModuleList(NextStage(config) for _ in range(config.stages - 1))
        painted = config.stages if config.every_stage else 1
        self.paint = nn.ModuleList(ToPicture(config.width) for _ in range(painted))

    def forward(
        self, z: Tensor, eps: Tensor, words: Tensor, sentence: Tensor, padding: Tensor
    ) -> Painting:
        """Paint one picture for each caption.

        In evaluation mode the captions are painted one by one and without their padding, so that
        a picture is the same to the last bit whatever else is painted with it: matrix products
        are summed in an order that depends on their sizes. On a CPU this costs no time.

        Args:
            z: normal noise, (B, Z).
            eps: normal noise of the conditioning augmentation, (B, C).
            words: the words in their context, (B, D, T).
            sentence: the whole caption, (B, D).
            padding: bool, (B, T); true where a caption has no word. Its attention is zero.

        Raises ValueError, in evaluation mode, if a caption has no words at all.
        """
        if self.training:
            return self.batched(z, eps, words, sentence, padding)
        if padding.all(dim=1).any():
            raise ValueError("a caption without words cannot be painted")
        if len(padding) == 1 and not padding.any():
            return self.batched(z, eps, words, sentence, padding)
        alone = zip(z.split(1), eps.split(1), words, sentence.split(1), ~padding, strict=True)
        paintings = [
            self.batched(
                z, eps, words[None, :, real], sentence, padding.new_zeros(1, int(real.sum()))
            )
            for z, eps, words, sentence, real in alone
        ]
        return gather(paintings, padding)

    def batched(
        self, z: Tensor, eps: Tensor, words: Tensor, sentence: Tensor, padding: Tensor
    ) -> Painting:
        """As forward, with all captions in one batch, whose makeup touches the last bits."""
        condition, mu, logvar = self.conditioning(sentence, eps)
        maps = [self.first(as_codes(z, self.config.codes), condition)]  # (B, F, 64, 64)
        attention, pictures = [], []
        for stage in self.later:
            x = maps[-1]
            if self.config.reads:
                pictures.append(self.paint[len(pictures)](x))  # (B, 3, S, S)
                x = stage.look(pictures[-1], x)
            features, looked = stage(x, words, padding)  # (B, F, 2S, 2S), (B, T, S, S)
            maps.append(features)
            attention.append(looked)
        left = self.paint[len(pictures) :]
        pictures += [paint(x) for paint, x in zip(left, maps[-len(left) :], strict=True)]
        return Painting(pictures, attention, mu, logvar, maps[-1])


def gather(paintings: list[Painting], padding: Tensor) -> Painting:
    """One painting of many, each made of one caption without its padding, (B, T)."""

    def spread(looked: Tensor, real: Tensor) -> Tensor:
        whole = looked.new_zeros(1, len(real), *looked.shape[2:])  # (1, T, S, S)
        whole[:, real] = looked
        return whole

    attention = [
        [spread(looked, real) for looked in painting.attention]
        for painting, real in zip(paintings, ~padding, strict=True)
    ]
    return Painting(
        pictures=[torch.cat(rows) for rows in zip(*(p.pictures for p in paintings), strict=True)],
        attention=[torch.cat(rows) for rows in zip(*attention, strict=True)],
        mu=torch.cat([p.mu for p in paintings]),
        logvar=torch.cat([p.logvar for p in paintings]),
        features=torch.cat([p.features for p in paintings]),
    )
