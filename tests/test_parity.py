"""Our networks give what the original ones gave, with the same weights."""

import numpy as np
import pytest
import torch
from parity_weights import FOLDER, MANIFEST, load_parity_weights
from torch import Tensor

from scripts.attngan.discriminator import Discriminator
from scripts.attngan.generator import Generator, GeneratorConfig, Painting
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig
from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig
from scripts.captioner.network import Captioner, CaptionerConfig, Decoder
from scripts.official import names

NEAR = {"rtol": 0, "atol": 1e-5}


class Original:
    """Inputs and outputs of the original networks for one or more captions."""

    def __init__(self, file: str, salt: str, generator: Generator, published: str) -> None:
        arrays = np.load(FOLDER / file)
        self.samples = [
            {key[2:]: torch.from_numpy(arrays[key]) for key in arrays.files if key[0] == sample}
            for sample in sorted({key[0] for key in arrays.files})
        ]
        text = TextEncoder(TextEncoderConfig(vocabulary=60, features=16))
        self.text = load_parity_weights(
            text, "text_encoder100.pth", names.TEXT_ENCODER, f"{salt}/text"
        )
        self.generator = load_parity_weights(
            generator, published, names.GENERATOR, f"{salt}/generator"
        )

    def paint(self, samples: list[dict[str, Tensor]], length: int) -> tuple[Tensor, ...]:
        """Words, sentences and painting of captions that are padded to one length."""
        ids = torch.zeros(len(samples), length, dtype=torch.int64)
        for row, sample in zip(ids, samples, strict=True):
            row[: len(sample["ids"])] = sample["ids"]
        lengths = torch.tensor([len(sample["ids"]) for sample in samples])
        padding = torch.arange(length) >= lengths[:, None]
        z = torch.cat([sample["z"] for sample in samples])
        eps = torch.cat([sample["eps"] for sample in samples])
        with torch.inference_mode():
            words, sentence = self.text(ids, lengths)
            return words, sentence, self.generator(z, eps, words, sentence, padding)

    def paint_in_training_batch(self, samples: list[dict[str, Tensor]], length: int):
        """As paint, but with all captions in one batch, as in training."""
        together = self.generator.batched, self.text.batched
        self.generator.forward, self.text.forward = together
        try:
            return self.paint(samples, length)
        finally:
            del self.generator.forward, self.text.forward


@pytest.fixture(scope="module")
def attngan() -> Original:
    config = GeneratorConfig(sentence=16, noise=12, condition=10, width=4, residuals=2)
    return Original("attngan_tiny.npz", "tiny", Generator(config), "bird_AttnGAN2.pth")


@pytest.fixture(scope="module")
def attndcgan() -> Original:
    config = GeneratorConfig(
        sentence=16, noise=12, condition=10, width=4, stages=2, residuals=2, every_stage=False
    )
    return Original("attndcgan_tiny.npz", "tiny-dcgan", Generator(config), "bird_AttnDCGAN2.pth")


def assert_equals_original(
    sample: dict[str, Tensor], row: int, words: Tensor, sentence: Tensor, painting: Painting
) -> None:
    real = len(sample["ids"])
    ours = {
        "words": words[row, :, :real],
        "sentence": sentence[row],
        "mu": painting.mu[row],
        "logvar": painting.logvar[row],
        "attention0": painting.attention[0][row, :real],
        **{f"image{i}": picture[row] for i, picture in enumerate(painting.pictures)},
    }
    compared = sample.keys() - {"ids", "z", "eps"}
    assert {"words", "sentence", "mu", "logvar", "image0", "attention0"} <= compared
    for key in compared:
        torch.testing.assert_close(ours[key], sample[key][0], **NEAR, msg=lambda m, k=key: k + m)
    assert not words[row, :, real:].any()
    assert not any(looked[row, real:].any() for looked in painting.attention)


@pytest.mark.parametrize("networks", ["attngan", "attndcgan"])
def test_a_caption_alone_is_painted_as_by_the_original(networks: str, request) -> None:
    original = request.getfixturevalue(networks)
    for sample in original.samples:
        painted = original.paint([sample], len(sample["ids"]))
        assert_equals_original(sample, 0, *painted)


@pytest.mark.parametrize("way", ["paint", "paint_in_training_batch"])
@pytest.mark.parametrize("reverse", [False, True])
def test_captions_of_mixed_length_are_painted_as_by_the_original(
    attngan: Original, way: str, reverse: bool
) -> None:
    samples = attngan.samples[::-1] if reverse else attngan.samples
    assert len({len(sample["ids"]) for sample in samples}) > 1
    painted = getattr(attngan, way)(samples, 9)
    for row, sample in enumerate(samples):
        assert_equals_original(sample, row, *painted)


def test_a_picture_is_the_same_to_the_last_bit_alone_and_in_a_batch(attngan: Original) -> None:
    samples = attngan.samples
    words, sentence, together = attngan.paint(samples, 9)
    for row, sample in enumerate(samples):
        real = len(sample["ids"])
        words_alone, sentence_alone, alone = attngan.paint([sample], real)
        assert torch.equal(words[row, :, :real], words_alone[0])
        assert torch.equal(sentence[row], sentence_alone[0])
        for one, many in zip(alone.pictures, together.pictures, strict=True):
            assert torch.equal(one[0], many[row])
        for one, many in zip(alone.attention, together.attention, strict=True):
            assert torch.equal(one[0], many[row, :real])


def test_the_decoder_says_what_the_original_said() -> None:
    arrays = np.load(FOLDER / "decoder_tiny.npz")
    decoder = load_parity_weights(
        Decoder(CaptionerConfig(vocabulary=60, embedding=16, hidden=24)),
        "decoder-2-1000.ckpt",
        names.CAPTIONER_DECODER,
        "tiny/decoder",
        gain=4.0,
        part="decoder.",
    )
    features = torch.from_numpy(arrays["features"])
    with torch.inference_mode():
        said = decoder.greedy(features)
        alone = torch.cat([decoder.greedy(row) for row in features.split(1)])
    assert said.tolist() == arrays["ids"].tolist()
    assert alone.tolist() == arrays["ids"].tolist()


def discriminator(size: int):
    return lambda: Discriminator(size)


PUBLISHED = {
    "coco_AttnGAN2.pth": (lambda: Generator(GeneratorConfig()), names.GENERATOR),
    "bird_AttnGAN2.pth": (
        lambda: Generator(GeneratorConfig(width=32, residuals=2)),
        names.GENERATOR,
    ),
    "bird_AttnDCGAN2.pth": (
        lambda: Generator(GeneratorConfig(width=32, residuals=2, every_stage=False)),
        names.GENERATOR,
    ),
    "text_encoder100.pth": (lambda: TextEncoder(TextEncoderConfig(27297)), names.TEXT_ENCODER),
    "text_encoder200.pth (bird)": (
        lambda: TextEncoder(TextEncoderConfig(5450)),
        names.TEXT_ENCODER,
    ),
    "image_encoder100.pth": (lambda: ImageEncoder(ImageEncoderConfig()), names.IMAGE_ENCODER),
    "encoder-2-1000.ckpt": (
        lambda: Captioner(CaptionerConfig(9956)),
        names.CAPTIONER_ENCODER,
    ),
    "decoder-2-1000.ckpt": (
        lambda: Captioner(CaptionerConfig(9956)),
        names.CAPTIONER_DECODER,
    ),
    "discriminator 64 (coco, netD)": (discriminator(64), names.DISCRIMINATOR),
    "discriminator 128 (coco, netD)": (discriminator(128), names.DISCRIMINATOR),
    "discriminator 256 (coco, netD)": (discriminator(256), names.DISCRIMINATOR),
}
PARTS = {"encoder-2-1000.ckpt": "encoder", "decoder-2-1000.ckpt": "decoder"}  # of the captioner


def test_every_published_file_is_tested() -> None:
    assert PUBLISHED.keys() == MANIFEST.keys()


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "uncounted"])
@pytest.mark.parametrize("prefix", ["", "module."], ids=["plain", "module"])
@pytest.mark.parametrize("file", MANIFEST)
def test_published_weights_load_strictly(file: str, prefix: str, counted: bool) -> None:
    """With and without num_batches_tracked, which old files lack; without memory for a copy."""
    build, table = PUBLISHED[file]
    with torch.device("meta"):
        network = build()
    if file in PARTS:
        network = torch.nn.ModuleDict({PARTS[file]: getattr(network, PARTS[file])})
    state = {
        prefix + name: torch.zeros(1).expand(shape) if shape else torch.tensor(1)
        for name, shape in MANIFEST[file].items()
        if counted or not name.endswith("num_batches_tracked")
    }
    network.load_state_dict(names.translate(state, table), strict=True, assign=True)
    assert not any(t.is_meta for t in [*network.parameters(), *network.buffers()])


def test_a_foreign_tensor_is_named() -> None:
    with pytest.raises(ValueError, match="unknown tensor 'rnn.weight'"):
        names.translate({"rnn.weight": 0}, names.GENERATOR)
