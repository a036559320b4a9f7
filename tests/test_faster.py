"""Networks as they are played say and paint what the plain ones do."""

import copy

import pytest
import torch
from conftest import ROOT, make_bundle
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.functional import normalize, to_tensor

from scripts import packed, winograd
from scripts.attngan import optimize as painters
from scripts.attngan.generator import Generator, GeneratorConfig
from scripts.bundles import Bundle
from scripts.captioner.network import MEAN, STD, Captioner, CaptionerConfig
from scripts.captioner.optimize import FastDecoder, optimize
from scripts.networks import _load
from scripts.players.attngan import pixels_of
from scripts.words import encode

LEVEL = 1 / 127.5  # one step of a pixel's 256

needs_onednn = pytest.mark.skipif(not packed.possible("cpu"), reason="PyTorch without oneDNN")


@pytest.fixture(autouse=True)
def chance() -> None:
    torch.manual_seed(1)


@torch.no_grad()
def liven(network: nn.Module, *inputs: Tensor) -> nn.Module:
    """Gives normalisations something to do: what these inputs have in common, and more."""
    for norm in network.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None  # statistics of all that it has seen
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.1)
    network.train()(*inputs)
    return network.eval()


def captions(config: GeneratorConfig, lengths: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Noise, words, sentences and padding of captions."""
    padding = torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None]
    words = torch.rand(len(lengths), config.sentence, max(lengths)) - 0.5
    z, eps = torch.randn(len(lengths), config.noise), torch.randn(len(lengths), config.condition)
    return z, eps, words, words.mean(dim=2), padding


@needs_onednn
@pytest.mark.parametrize("lengths", [(5,), (2, 6, 1)])
@pytest.mark.parametrize(
    ("width", "stages", "every_stage"), [(4, 3, True), (4, 2, False), (4, 1, True), (32, 2, True)]
)
@pytest.mark.parametrize("first_residuals", [(), (0, 1, 2, 1)])
def test_pictures_are_those_of_the_plain_generator(
    width: int,
    stages: int,
    every_stage: bool,
    lengths: tuple[int, ...],
    first_residuals: tuple[int, ...],
) -> None:
    config = GeneratorConfig(
        sentence=8, noise=6, condition=5, width=width, first_width=8, stages=stages,
        residuals=2, every_stage=every_stage, codes=(3,), first_residuals=first_residuals,
    )  # fmt: skip
    plain = liven(Generator(config), *captions(config, (5,) * 8))
    with torch.no_grad():
        plain.paint[-1].conv.weight *= 3  # strong colours
    quick = painters.optimize(copy.deepcopy(plain), "cpu")
    wide = [part for part in quick.modules() if isinstance(part, winograd.WinogradConv)]
    assert bool(wide) == (width >= 32), "the residual blocks are twice as wide"
    inputs = captions(config, lengths)
    with torch.inference_mode():
        wanted, found = plain(*inputs), quick(*inputs)
    assert wanted.pictures[-1].std() > 10 * LEVEL, "a grey picture compares nothing"
    torch.testing.assert_close(found.pictures[-1], wanted.pictures[-1], rtol=0, atol=LEVEL / 2)
    for a, b in zip(found.attention, wanted.attention, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.features, wanted.features, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 12), (64, 64), (20, 132)])
def test_winograd_is_the_convolution(height: int, width: int) -> None:
    conv = nn.Conv2d(5, 7, 3, padding=1)
    x = torch.randn(2, 5, height, width)
    with torch.inference_mode():
        found = winograd.WinogradConv(conv)(x)
        torch.testing.assert_close(found, conv(x), rtol=0, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("conv", "suits"),
    [
        (nn.Conv2d(64, 64, 3, padding=1), True),
        (nn.Conv2d(32, 64, 3, padding=1), False),
        (nn.Conv2d(64, 64, 3), False),
        (nn.Conv2d(64, 64, 3, padding=1, stride=2), False),
        (nn.Conv2d(64, 64, 3, padding=1, groups=2), False),
        (nn.Conv2d(64, 64, 1), False),
    ],
)
def test_winograd_takes_what_it_can(conv: nn.Conv2d, suits: bool) -> None:
    assert winograd.suits(conv) == suits


@needs_onednn
@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(6, 8, 3, padding=1),
        nn.Conv2d(6, 8, (1, 5), padding=(0, 2), stride=2, bias=False),
        nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6),
        nn.ConvTranspose2d(6, 8, 4, stride=2, padding=1),
        nn.ConvTranspose2d(6, 8, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False),
    ],
)
def test_a_packed_convolution_is_the_convolution(conv: nn.Module) -> None:
    made = packed.PackedConv(conv, (2, 6, 10, 12))
    with torch.inference_mode():
        for shape in ((2, 6, 10, 12), (1, 6, 7, 7)):
            x = torch.randn(shape)
            torch.testing.assert_close(made(x), conv(x), rtol=0, atol=1e-5)


@needs_onednn
def test_large_convolutions_are_packed_and_nothing_else_changes() -> None:
    plain = nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2, padding=1),
        nn.Conv2d(64, 64, 3),
        nn.ConvTranspose2d(64, 64, 4),
    ).eval()
    x = torch.randn(2, 3, 17, 20)
    assert packed.sizes(plain, (2, 3, 17, 20)) == {
        "0": (2, 3, 17, 20), "1": (2, 64, 9, 10), "2": (2, 64, 7, 8)
    }  # fmt: skip
    quick = packed.pack(copy.deepcopy(plain), (2, 3, 17, 20))
    assert [type(part) for part in quick] == [nn.Conv2d, packed.PackedConv, packed.PackedConv]
    assert all(
        torch.equal(a, b) for a, b in zip(plain[0].parameters(), quick[0].parameters(), strict=True)
    )
    with torch.inference_mode():
        torch.testing.assert_close(quick(x), plain(x), rtol=0, atol=1e-5)


@needs_onednn
@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
@pytest.mark.parametrize("beam", [1, 3])
def test_captions_are_those_of_the_plain_captioner(backbone: str, beam: int) -> None:
    config = CaptionerConfig(30, backbone, size=64, embedding=16, hidden=24, layers=2, max_words=9)
    plain = Captioner(config)
    liven(plain.encoder, torch.randn(16, 3, 64, 64))
    plain.eval()
    with torch.no_grad():
        plain.decoder.linear.weight *= 9
        plain.decoder.lstm.weight_ih_l0 *= 5
        plain.decoder.lstm.weight_ih_l1 *= 5
    quick = optimize(copy.deepcopy(plain), "cpu")
    said = set()
    for picture in torch.randn(6, 3, 64, 64).split(1):
        wanted, found = plain.captions(picture, beam), quick.captions(picture, beam)
        assert [words for words, _ in found] == [words for words, _ in wanted]
        scores = [score for _, score in wanted]
        assert [score for _, score in found] == pytest.approx(scores, abs=1e-3)
        assert torch.equal(quick.describe(picture), plain.describe(picture))
        said |= {tuple(words) for words, _ in wanted}
    assert len(said) > 1, "one caption for all compares nothing"


@needs_onednn
def test_the_storybook_is_played_as_its_plain_networks_would_be() -> None:
    bundle = Bundle.read("storybook", ROOT / "models")
    plain = {part: _load(bundle, part) for part in ("captioner", "text_encoder", "generator")}
    played = {part: bundle.network(part, "cpu") for part in plain}
    side, sizes = plain["captioner"].config.size, plain["generator"].config
    for base in ("cow", "surf"):
        seen = Image.open(ROOT / "input" / f"{base}.png").convert("RGB").resize((side, side))
        pixels = normalize(to_tensor(seen), MEAN, STD)[None]
        ((said, score),) = plain["captioner"].captions(pixels)
        ((again, same),) = played["captioner"].captions(pixels)
        assert said == again and same == pytest.approx(score, abs=1e-3)
        words = " ".join(bundle.words["captioner"].spell(said))
        ids = torch.tensor([encode(words, bundle.words["text_encoder"])[0]])
        z, eps = torch.randn(1, sizes.noise), torch.randn(1, sizes.condition)
        with torch.inference_mode():
            read = plain["text_encoder"](ids, torch.tensor([ids.shape[1]]))
            wanted, found = (
                pixels_of(networks["generator"](z, eps, *read, ids < 0).pictures[-1]).int()
                for networks in (plain, played)
            )
        assert wanted.float().std() > 10
        assert (found - wanted).abs().max() <= 1


def test_a_quick_decoder_keeps_rows_apart() -> None:
    decoder = Captioner(CaptionerConfig(30, "shufflenet_v2_x0_5", embedding=8, hidden=12)).decoder
    features = torch.randn(4, 8)
    with torch.inference_mode():
        wanted = decoder.greedy(features)
        assert torch.equal(FastDecoder(decoder).greedy(features), wanted)


@needs_onednn
def test_a_bundle_is_loaded_as_it_is_played(tmp_path) -> None:
    made = make_bundle(tmp_path / "tiny", generator={"width": 32, "first_width": 32, "stages": 2})
    bundle = Bundle.read(made.name, tmp_path)
    painter = bundle.network("generator", "cpu")
    kinds = {type(part) for part in painter.modules()}
    assert {winograd.WinogradConv, packed.PackedConv, painters.FoldedUp} <= kinds
    assert not kinds & {nn.BatchNorm1d, nn.BatchNorm2d}
    assert isinstance(bundle.network("captioner", "cpu").decoder, FastDecoder)


def test_a_doubling_and_a_convolution_are_one_transposed_convolution() -> None:
    config = GeneratorConfig(sentence=8, noise=6, condition=5, width=3, stages=1)
    up = liven(Generator(config), *captions(config, (5,) * 8)).first.ups[0]
    x = torch.randn(2, up.conv.in_channels, 4, 4)
    with torch.inference_mode():
        wanted = functional.interpolate(x, scale_factor=2, mode="nearest")
        wanted = functional.glu(up.norm(up.conv(wanted)), dim=1)
        torch.testing.assert_close(painters.FoldedUp(up)(x), wanted, rtol=1e-4, atol=1e-4)
