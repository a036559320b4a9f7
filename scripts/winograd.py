"""3 x 3 convolutions with a quarter of the products (Lavin & Gray 2016, arXiv 1509.09308).

Winograd's minimal filtering, F(4 x 4, 3 x 3): a tile of 4 x 4 results needs 36 products in a space
into which tiles and kernels are brought by sums, where the plain way needs 144. The sums cost
something for each channel, the products for each pair of channels: wide layers gain.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE = 4  # side of what one tile gives
REACH = TILE + 2  # side of what it is computed from
WIDE = 64  # channels from which on it is faster than the plain way
BAND = 128  # tiles that are computed at once: as many as stay in a core's cache

# The paper's B^T, G and A^T (section 4.3).
DATA = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
FILTER = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
INVERSE = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


def both_ways(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """What the matrix does along both sides of a tile, as one matrix: (m, n) to (m * m, n * n)."""
    rows = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(rows, rows)


class WinogradConv(nn.Module):
    """A 3 x 3 convolution with stride 1 and padding 1, of maps whose sides are multiples of 4."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.flatten(2).double()  # (K, C, 9)
        kernel = (weight @ both_ways(FILTER).T).permute(2, 1, 0)  # (36, C, K)
        self.register_buffer("kernel", kernel.to(conv.weight.dtype).contiguous())
        self.register_buffer("bias", conv.bias)
        self.register_buffer("data", both_ways(DATA).to(conv.weight.dtype))  # (36, 36)
        self.register_buffer("inverse", both_ways(INVERSE).to(conv.weight.dtype))  # (16, 36)

    def forward(self, x: Tensor) -> Tensor:
        """From (B, C, H, W) to (B, K, H, W), channels last."""
        batch, _, height, width = x.shape
        rows, columns = height // TILE, width // TILE
        result = x.new_empty(batch, rows, TILE, columns, TILE, self.kernel.shape[2])
        padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))  # (B, H + 2, W + 2, C)
        step = max(1, BAND // columns)
        for one, source in zip(result, padded, strict=True):
            for first in range(0, rows, step):
                band = source[first * TILE : (first + step) * TILE + 2]
                one[first : first + step] = self.tiles(band).permute(2, 0, 3, 1, 4)
        return result.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)

    def tiles(self, band: Tensor) -> Tensor:
        """From rows (4 h + 2, 4 w + 2, C) of a map: results (4, 4, h, w, K)."""
        tiles = band.unfold(0, REACH, TILE).unfold(1, REACH, TILE)  # (h, w, C, 6, 6)
        rows, columns, channels = tiles.shape[:3]
        tiles = tiles.permute(3, 4, 0, 1, 2).reshape(REACH**2, -1)  # (36, h * w * C)
        tiles = (self.data @ tiles).view(REACH**2, -1, channels)  # (36, h * w, C)
        products = (tiles @ self.kernel).flatten(1)  # (36, h * w * K)
        return (self.inverse @ products).view(TILE, TILE, rows, columns, -1) + self.bias


@torch.no_grad()
def optimize(network: nn.Module, shapes: dict[str, tuple[int, ...]] | None = None) -> nn.Module:
    """The same network with its wide 3 x 3 convolutions computed in this way, in place.

    `shapes` are those of the maps that convolutions get (`packed.sizes`); where a side is no
    multiple of 4, the plain way stays. Without them all must be, as a generator's are.
    """
    for name, part in list(network.named_modules()):
        if type(part) is nn.Conv2d and suits(part) and (not shapes or tiled(shapes[name])):
            network.set_submodule(name, WinogradConv(part))
    return network


def tiled(shape: tuple[int, ...]) -> bool:
    """Whether a map (B, C, H, W) is a whole number of tiles."""
    return all(side % TILE == 0 for side in shape[2:])


def suits(conv: nn.Conv2d) -> bool:
    """Whether a convolution can be computed in this way, and gains by it."""
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    wide = min(conv.in_channels, conv.out_channels) >= WIDE
    return wide and shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
