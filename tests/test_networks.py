"""What every network promises, at tiny sizes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import exp, log

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.attngan.attention import attend
from scripts.attngan.damsm import (
    matching_loss,
    sentence_loss,
    similarity,
    words_loss,
    words_similarity,
)
from scripts.attngan.discriminator import Discriminator
from scripts.attngan.generator import Generator, GeneratorConfig, as_codes
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig
from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig
from scripts.captioner.network import END, Captioner, CaptionerConfig, Decoder, Encoder, pack_words
from scripts.training.captioner import missed_words

TEXT = TextEncoderConfig(vocabulary=20, embedding=6, features=8)
TINY = GeneratorConfig(sentence=8, noise=6, condition=5, width=2, stages=2, residuals=1)
IMAGE = ImageEncoderConfig(backbone="mobilenet_v3_small", size=64, features=8, regions="8")
CAPTIONER = CaptionerConfig(
    vocabulary=12, backbone="mobilenet_v3_small", size=32, embedding=6, hidden=7, max_words=5
)
IDS = torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8], [9, 0, 0, 0]])
LENGTHS = torch.tensor([2, 4, 1])
PADDING = torch.arange(4) >= LENGTHS[:, None]


def noise(config: GeneratorConfig, batch: int = 3) -> tuple[Tensor, Tensor]:
    return torch.randn(batch, config.noise), torch.randn(batch, config.condition)


def caption(config: GeneratorConfig = TINY) -> tuple[Tensor, Tensor, Tensor]:
    """Words, sentence and padding of three captions."""
    return torch.randn(3, config.sentence, 4), torch.randn(3, config.sentence), PADDING


@pytest.fixture(autouse=True)
def chance() -> None:
    torch.manual_seed(1)


def assert_every_parameter_learns(network: nn.Module, loss: Tensor) -> None:
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


# Attention


def test_padding_is_never_looked_at() -> None:
    places, words = torch.randn(3, 2, 9), torch.randn(3, 2, 4)
    context, attention = attend(places, words, PADDING)
    assert context.shape == (3, 2, 9) and attention.shape == (3, 9, 4)
    assert not attention.transpose(1, 2)[PADDING].any()
    torch.testing.assert_close(attention.sum(dim=2), torch.ones(3, 9))
    words.transpose(1, 2)[PADDING] = 1e6  # whatever stands there
    for same, first in zip(attend(places, words, PADDING), (context, attention), strict=True):
        assert torch.equal(same, first)


def test_attention_of_a_row_is_that_of_the_row_alone() -> None:
    places, words = torch.randn(3, 2, 9), torch.randn(3, 2, 4)
    context, attention = attend(places, words, PADDING)
    for row, real in enumerate(LENGTHS.tolist()):
        own, looked = attend(
            places[row, None], words[row, None, :, :real], PADDING[row, None, :real]
        )
        torch.testing.assert_close(context[row], own[0])
        torch.testing.assert_close(attention[row, :, :real], looked[0])


def test_a_place_looks_at_the_word_it_resembles() -> None:
    places = torch.tensor([[[9.0, 0.0], [0.0, 9.0]]])  # two places, (1, 2, 2)
    context, attention = attend(places, places, torch.zeros(1, 2, dtype=torch.bool))
    torch.testing.assert_close(attention[0], torch.eye(2))
    torch.testing.assert_close(context, places)


# Text encoder


def test_words_and_sentence_have_their_shapes_and_padding_is_zero() -> None:
    words, sentence = TextEncoder(TEXT)(IDS, LENGTHS)
    assert words.shape == (3, 8, 4) and sentence.shape == (3, 8)
    assert not words.transpose(1, 2)[PADDING].any()
    for row, real in enumerate(LENGTHS.tolist()):  # the sentence is where both readings end
        assert torch.equal(sentence[row, :4], words[row, :4, real - 1])
        assert torch.equal(sentence[row, 4:], words[row, 4:, 0])


def test_what_stands_behind_a_caption_is_ignored() -> None:
    encoder = TextEncoder(TEXT).eval()
    other = IDS.masked_fill(PADDING, 11)
    for one, two in zip(encoder(IDS, LENGTHS), encoder(other, LENGTHS), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("lengths", [[0, 4, 1], [2, 5, 1]])
def test_a_caption_of_no_words_or_of_too_many_is_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="must be from 1 to 4"):
        TextEncoder(TEXT)(IDS, torch.tensor(lengths))


def test_dropout_only_trains() -> None:
    encoder = TextEncoder(TEXT)
    assert not torch.equal(encoder(IDS, LENGTHS)[1], encoder(IDS, LENGTHS)[1])
    encoder.eval()
    assert torch.equal(encoder(IDS, LENGTHS)[1], encoder(IDS, LENGTHS)[1])


def test_the_text_encoder_learns() -> None:
    encoder = TextEncoder(replace(TEXT, vocabulary=10))
    words, sentence = encoder(IDS, LENGTHS)
    assert_every_parameter_learns(encoder, words.square().sum() + sentence.sum())


# Generator


@pytest.mark.parametrize("every_stage", [True, False])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_pictures_have_their_shapes(stages: int, every_stage: bool) -> None:
    config = replace(TINY, stages=stages, every_stage=every_stage)
    painting = Generator(config).eval()(*noise(config), *caption())
    sides = [64 * 2**stage for stage in range(stages)]
    painted = sides if every_stage else sides[-1:]
    assert [p.shape for p in painting.pictures] == [(3, 3, side, side) for side in painted]
    assert [a.shape for a in painting.attention] == [(3, 4, side, side) for side in sides[:-1]]
    assert painting.mu.shape == painting.logvar.shape == (3, 5)
    assert painting.features.shape == (3, 2, sides[-1], sides[-1])
    assert all(picture.abs().max() <= 1 for picture in painting.pictures)


@pytest.mark.parametrize("every_stage", [True, False])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_the_generator_learns(stages: int, every_stage: bool) -> None:
    config = replace(TINY, stages=stages, every_stage=every_stage)
    network = Generator(config).train()
    painting = network(*noise(config), *caption())
    target = sum((p - torch.rand_like(p)).square().mean() for p in painting.pictures)
    assert_every_parameter_learns(network, target + painting.mu.sum() + painting.logvar.sum())


def test_noise_and_caption_alone_decide() -> None:
    network, inputs = Generator(TINY).eval(), (*noise(TINY), *caption())
    first, second = network(*inputs), network(*inputs)
    assert torch.equal(first.pictures[-1], second.pictures[-1])
    for changed in range(4):
        others = [x + 1 if i == changed else x for i, x in enumerate(inputs)]
        assert not torch.equal(network(*others).pictures[-1], first.pictures[-1])


def test_evaluation_paints_as_one_batch_does() -> None:
    network, inputs = Generator(TINY).eval(), (*noise(TINY), *caption())
    one_by_one, together = network(*inputs), network.batched(*inputs)
    for field in ("mu", "logvar", "features"):
        torch.testing.assert_close(getattr(one_by_one, field), getattr(together, field))
    for field in ("pictures", "attention"):
        for a, b in zip(getattr(one_by_one, field), getattr(together, field), strict=True):
            torch.testing.assert_close(a, b)


def test_words_that_are_no_words_change_nothing() -> None:
    network, (words, sentence, padding) = Generator(TINY), caption()
    inputs = noise(TINY)
    others = words.clone()
    others.transpose(1, 2)[padding] = 7.0
    for paint in (network.eval(), network.batched):
        first, second = (paint(*inputs, w, sentence, padding) for w in (words, others))
        assert torch.equal(first.pictures[-1], second.pictures[-1])


def test_a_caption_without_words_is_refused() -> None:
    words, sentence, padding = caption()
    with pytest.raises(ValueError, match="without words"):
        Generator(TINY).eval()(*noise(TINY), words, sentence, padding | True)


def test_codes_are_one_hot_at_the_largest_entry() -> None:
    z = torch.tensor([[0.1, 0.5, -1.0, 2.0, 1.0, 0.3], [-3.0, -4.0, -2.0, 0.0, 7.0, -0.3]])
    wanted = torch.tensor([[0.0, 1, 0, 1, 0, 0.3], [0, 0, 1, 0, 1, -0.3]])
    assert torch.equal(as_codes(z, (3, 2)), wanted)
    assert torch.equal(as_codes(z, ()), z)
    assert as_codes(z, (6,)).sum() == 2


def test_codes_reach_the_picture() -> None:
    network, spoken = Generator(replace(TINY, codes=(3,))).eval(), caption()
    z, eps = noise(TINY)
    z[:, :3] = torch.tensor([1.0, 2.0, 3.0])
    first = network(z, eps, *spoken).pictures[0]
    assert torch.equal(
        network(z * torch.tensor([2.0, 2, 2, 1, 1, 1]), eps, *spoken).pictures[0], first
    )
    z[:, 0] = 4.0
    assert not torch.equal(network(z, eps, *spoken).pictures[0], first)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stages": 0}, "at least 1"),
        ({"codes": [5, 2]}, "do not fit"),
        ({"first_residuals": [1]}, "must have 4"),
    ],
)
def test_impossible_generators_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **wrong)


# Captioner


def decoder_that_says(*words: int) -> Decoder:
    """A decoder that says the words one after another, whatever it sees."""
    decoder = Decoder(replace(CAPTIONER, hidden=12, embedding=12))
    steps = dict(zip((0, *words), (*words, words[-1]), strict=True))  # before -> after
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.zero_()
        decoder.embedding.weight.copy_(torch.eye(12))
        gates = decoder.lstm.bias_ih_l0.view(4, 12)  # input, forget, cell, output
        gates[0], gates[1], gates[3] = 50.0, -50.0, 50.0
        for before, after in steps.items():
            decoder.lstm.weight_ih_l0.view(4, 12, 12)[2, after, before] = 9.0
        decoder.linear.weight.copy_(torch.eye(12))
    return decoder.eval()


def test_greedy_feeds_back_its_last_word_and_fills_up_with_end() -> None:
    sight = functional.one_hot(torch.tensor([0]), 12).float()
    said = decoder_that_says(1, 7, END, 8, 9).greedy(sight)
    assert said.tolist() == [[1, 7, END, END, END]]


def test_greedy_is_cut_at_max_words() -> None:
    sight = functional.one_hot(torch.tensor([0]), 12).float()
    assert decoder_that_says(1, 7, 8, 9, 10, 11).greedy(sight).tolist() == [[1, 7, 8, 9, 10]]


def test_a_row_that_ended_stays_silent_and_does_not_stop_the_others() -> None:
    sight = functional.one_hot(torch.tensor([7, 0]), 12).float()
    said = decoder_that_says(1, 7, 8, 9, END, 10).greedy(sight[1:])
    assert said.tolist() == [[1, 7, 8, 9, END]]
    said = decoder_that_says(1, 3, 4, 7, END, 8).greedy(sight)
    assert said.tolist() == [[END] * 5, [1, 3, 4, 7, END]]


def test_teacher_forcing_scores_each_word_from_those_before() -> None:
    decoder = Decoder(CAPTIONER).eval()
    features = torch.randn(3, 6)
    logits = decoder(features, IDS, LENGTHS)
    assert logits.shape == (7, 12)
    assert pack_words(IDS, LENGTHS).tolist() == [5, 3, 9, 6, 4, 7, 8]  # the longest caption first
    inputs = torch.cat([features[1, None], decoder.embedding(IDS[1, :3])])  # alone, step by step
    state, alone = None, []
    for one in inputs:
        output, state = decoder.lstm(one[None, None], state)
        alone.append(decoder.linear(output[0, 0]))
    torch.testing.assert_close(logits[[0, 3, 5, 6]], torch.stack(alone))


def test_words_are_missed_where_a_caption_has_them_and_found_where_it_has_none() -> None:
    ids = torch.tensor([[1, 5, 7, END], [1, 7, END, 0]])
    blind = torch.full((2, 12), -9.0)
    told = blind.scatter(1, ids, 9.0)
    assert missed_words(told, ids).item() < 0.01
    assert missed_words(blind, ids).item() == pytest.approx(9 * 1.5, rel=0.01)  # 2 words and 1
    assert missed_words(-told, ids).item() > 50


def test_teaching_and_speaking_agree() -> None:
    decoder = Decoder(CAPTIONER).eval()
    features = torch.randn(4, 6)
    said = decoder.greedy(features)
    full = torch.full((4,), 5)
    likeliest = decoder(features, said, full).argmax(dim=1)
    before_end = (said == END).cumsum(dim=1) <= 1  # what is behind <end> was filled in
    agree = likeliest == pack_words(said, full)
    assert agree[pack_words(before_end, full)].all()


def test_the_captioner_learns_and_describes() -> None:
    network = Captioner(replace(CAPTIONER, vocabulary=10, layers=2)).train()
    pictures = torch.randn(3, 3, 32, 32)
    loss = functional.cross_entropy(network(pictures, IDS, LENGTHS), pack_words(IDS, LENGTHS))
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    network.eval()
    said = network.describe(pictures)
    assert said.shape == (3, 5) and said.dtype == torch.int64
    assert torch.equal(said[1:2], network.describe(pictures[1:2]))


@pytest.mark.parametrize(
    "backbone",
    ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "vit_b_16", "googlenet"],
)
def test_any_backbone_encodes(backbone: str) -> None:
    with torch.device("meta"):
        encoder = Encoder(CaptionerConfig(5, backbone, size=64)).eval()
        assert encoder(torch.empty(2, 3, 64, 64)).shape == (2, 256)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [("resnet15", "has .*resnet18"), ("fcn_resnet50", "unknown"), ("squeezenet1_0", "Linear")],
)
def test_what_is_no_backbone_is_refused(backbone: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Encoder(replace(CAPTIONER, backbone=backbone))


# Image encoder


@pytest.mark.parametrize(
    ("backbone", "regions", "side"),
    [("inception_v3", "", 17), ("mobilenet_v3_small", "8", 19), ("resnet18", "layer3", 19)],
)
def test_regions_and_whole_have_their_shapes(backbone: str, regions: str, side: int) -> None:
    with torch.device("meta"):
        encoder = ImageEncoder(ImageEncoderConfig(backbone, regions=regions)).eval()
        found, whole = encoder(torch.empty(2, 3, 64, 64))
    assert found.shape == (2, 256, side, side) and whole.shape == (2, 256)


def test_an_image_encoder_can_keep_the_first_layers_only() -> None:
    torch.manual_seed(0)
    cut = ImageEncoder(replace(IMAGE, last="10")).eval()
    whole = ImageEncoder(IMAGE).eval()
    weights = cut.state_dict()
    assert set(weights) < set(whole.state_dict())
    same = {name: w for name, w in weights.items() if name.startswith("backbone.")}
    whole.load_state_dict(same, strict=False)
    picture = torch.randn(2, 3, 48, 48)
    with torch.inference_mode():
        assert torch.equal(cut.see(picture)[0], whole.see(picture)[0])
        assert cut.see(picture)[1].shape[1] == cut.whole.in_features < whole.whole.in_features


def test_the_image_encoder_learns() -> None:
    encoder = ImageEncoder(IMAGE).train()
    regions, whole = encoder(torch.randn(3, 3, 48, 48))
    assert regions.shape == (3, 8, 4, 4)
    (regions.square().sum() + whole.square().sum()).backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"regions": ""}, "no layer ''.*it has 0, 1"),
        ({"regions": "layer3"}, "no layer 'layer3'"),
        ({"last": "layer3"}, "no layer 'layer3' to end with.*it has 0, 1"),
        ({"regions": "5", "last": "4"}, "no layer '5' to take regions from"),
        ({"backbone": "mobilenet"}, "unknown backbone 'mobilenet'.*mobilenet_v"),
        ({"backbone": "shufflenet_v2_x0_5"}, "no `features`"),
    ],
)
def test_an_image_encoder_that_cannot_be_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageEncoder(replace(IMAGE, **wrong))


# Discriminator


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_discriminator_judges_and_learns(size: int) -> None:
    network = Discriminator(size, width=2, sentence=8).train()
    features = network(torch.randn(3, 3, size, size))
    assert features.shape == (3, 16, 4, 4)
    fits, real = network.conditional(features, torch.randn(3, 8)), network.unconditional(features)
    assert fits.shape == real.shape == (3,)
    assert_every_parameter_learns(network, fits.square().sum() + real.square().sum())


@pytest.mark.parametrize("size", [0, 32, 96])
def test_a_size_that_cannot_be_halved_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of 2"):
        Discriminator(size)


# DAMSM


def slow_words_similarity(regions: Tensor, words: Tensor) -> float:
    """Equations 7 to 10 for one picture (D, N) and one caption (D, T), term by term."""
    places, terms = regions.T.tolist(), words.T.tolist()
    dot = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))  # noqa: E731
    total = 0.0
    shares = []  # equation 8, (N, T)
    for place in places:
        raw = [exp(dot(place, term)) for term in terms]
        shares.append([x / sum(raw) for x in raw])
    for t, term in enumerate(terms):
        raw = [exp(4.0 * share[t]) for share in shares]
        alpha = [x / sum(raw) for x in raw]  # equation 9
        context = [
            sum(a * p[d] for a, p in zip(alpha, places, strict=True)) for d in range(len(term))
        ]
        cosine = dot(context, term) / (dot(context, context) * dot(term, term)) ** 0.5
        total += exp(5.0 * cosine)
    return log(total)


def test_words_similarity_is_the_papers() -> None:
    regions, words = torch.randn(2, 3, 2, 2), torch.randn(3, 3, 4)
    found = words_similarity(regions, words, PADDING)
    assert found.shape == (2, 3)
    for p in range(2):
        for c, real in enumerate(LENGTHS.tolist()):
            slow = slow_words_similarity(regions[p].flatten(1), words[c, :, :real])
            assert found[p, c].item() == pytest.approx(slow, abs=1e-5)


def test_padding_does_not_touch_the_words_loss() -> None:
    regions, words = torch.randn(3, 8, 2, 2), torch.randn(3, 8, 4)
    first = words_loss(regions, words, PADDING)
    words.transpose(1, 2)[PADDING] = 5.0
    assert torch.equal(words_loss(regions, words, PADDING), first)


def test_similarity_is_the_cosine() -> None:
    whole, sentence = torch.randn(2, 8), torch.randn(3, 8)
    found = similarity(whole, sentence)
    assert found.shape == (2, 3)
    torch.testing.assert_close(found[1], functional.cosine_similarity(whole[1, None], sentence))


def test_what_belongs_together_costs_less() -> None:
    whole = torch.eye(4)
    assert sentence_loss(whole, whole) < 0.01 < sentence_loss(whole, whole.roll(1, dims=0))


def test_matching_is_asked_in_both_directions_and_twins_are_no_wrong_answers() -> None:
    similar = torch.tensor([[1.0, 0.9, 0.0], [0.7, 1.2, 0.1], [0.3, 0.2, 0.8]])

    def surprise(right: float, *wrong: float) -> float:
        return log(sum(exp(2 * x) for x in (right, *wrong))) - 2 * right

    rows = [surprise(1.0, 0.9, 0.0), surprise(1.2, 0.7, 0.1), surprise(0.8, 0.3, 0.2)]
    columns = [surprise(1.0, 0.7, 0.3), surprise(1.2, 0.9, 0.2), surprise(0.8, 0.0, 0.1)]
    strangers = sum(rows + columns) / 3
    assert matching_loss(similar, None, 2.0).item() == pytest.approx(strangers, abs=1e-5)
    assert matching_loss(similar, torch.tensor([4, 5, 6]), 2.0).item() == pytest.approx(
        strangers, abs=1e-5
    )
    rows[:2] = surprise(1.0, 0.0), surprise(1.2, 0.1)  # the first two are twins
    columns[:2] = surprise(1.0, 0.3), surprise(1.2, 0.2)
    twins = sum(rows + columns) / 3
    assert matching_loss(similar, torch.tensor([5, 5, 6]), 2.0).item() == pytest.approx(
        twins, abs=1e-5
    )


def test_text_and_image_encoder_learn_from_each_other() -> None:
    networks = nn.ModuleDict({"text": TextEncoder(TEXT), "image": ImageEncoder(IMAGE)}).train()
    words, sentence = networks["text"](IDS, LENGTHS)
    regions, whole = networks["image"](torch.randn(3, 3, 64, 64))
    (words_loss(regions, words, PADDING) + sentence_loss(whole, sentence)).backward()
    for name, parameter in networks.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    for head in (networks["image"].regions, networks["image"].whole, networks["text"].embedding):
        assert head.weight.grad.any()


# All of them


def test_networks_hold_nothing_of_a_call() -> None:
    """Two threads that use the same networks get what one gets."""
    text, generator = TextEncoder(TEXT).eval(), Generator(TINY).eval()
    captioner, image = Captioner(CAPTIONER).eval(), ImageEncoder(IMAGE).eval()
    games = []
    for length in (1, 4, 2, 3):
        ids = torch.randint(1, 20, (1, length))
        games.append((ids, *noise(TINY, 1), torch.randn(1, 3, 32, 32)))

    @torch.inference_mode()
    def play(game: tuple[Tensor, ...]) -> list[Tensor]:
        ids, z, eps, picture = game
        words, sentence = text(ids, torch.tensor([ids.shape[1]]))
        painting = generator(z, eps, words, sentence, torch.zeros_like(ids, dtype=torch.bool))
        return [
            *painting.pictures,
            *painting.attention,
            captioner.describe(picture),
            *image(picture),
        ]

    expected = [play(game) for game in games]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            for found, wanted in zip(pool.map(play, games), expected, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    "build",
    [
        lambda: TextEncoder(TEXT),
        lambda: Generator(TINY),
        lambda: Captioner(CAPTIONER),
        lambda: ImageEncoder(IMAGE),
        lambda: Discriminator(64, width=2, sentence=8),
    ],
    ids=["text", "generator", "captioner", "image", "discriminator"],
)
def test_a_network_without_memory_takes_over_weights(build) -> None:
    source = build()
    with torch.device("meta"):
        network = build()
    network.load_state_dict(source.state_dict(), assign=True)
    assert not any(tensor.is_meta for tensor in [*network.parameters(), *network.buffers()])
    saved = source.state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in network.state_dict().items())
    assert {name for name, _ in network.named_buffers()} <= saved.keys()
