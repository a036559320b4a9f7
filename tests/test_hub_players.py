"""Captioners and painters whose networks are models of a hub: tiny random ones, really played."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import modern
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT
from hubs import serving
from PIL import Image
from safetensors.torch import load_file, save_file

from scripts import bundles, networks, once
from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.players import Said, Sampling
from scripts.players.diffusers_painter import Diffusers
from scripts.players.from_hub import PACKAGES
from scripts.players.transformers_captioner import Transformers
from scripts.words import Vocabulary

PICTURES = [
    Image.effect_noise((40, 30), 80).convert("RGB"),
    Image.linear_gradient("L").resize((70, 33)).convert("RGB"),
    Image.new("RGB", (20, 50), "red"),
]
PROMPTS = {"llava": "Say.", "qwen": "Say.", "smolvlm": "Say.", "florence": "<CAPTION>"}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model, made when it is first asked for."""
    root, made = tmp_path_factory.mktemp("hub"), {}

    def find(name: str) -> Path:
        if name not in made:
            make = modern.CAPTIONERS.get(name) or modern.PAINTERS[name]
            made[name] = make(root / name)
        return made[name]

    return find


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As stages play."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def captioner(folder: Path, model: Path | str, **settings) -> Transformers:
    own = {"kind": "transformers", "model": str(model), "max_tokens": 8, **settings}
    return Transformers(Bundle(folder / "modern", {"captioner": own}))


def painter(folder: Path, model: Path | str, **settings) -> Diffusers:
    own = {"kind": "diffusers", "model": str(model), "steps": 2, "size": 32, **settings}
    return Diffusers(Bundle(folder / "modern", {"painter": own}))


def seeds(*numbers: int) -> list[torch.Generator]:
    return [torch.Generator("cpu").manual_seed(number) for number in numbers]


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def changed(source: Path, folder: Path, file: str, change: Callable) -> Path:
    """A copy of a model whose weights in a file were changed."""
    shutil.copytree(source, folder)
    weights = load_file(folder / file)
    change(weights)
    save_file(weights, folder / file, metadata={"format": "pt"})
    return folder


def message(play: Callable[[], object]) -> str:
    with pytest.raises(UserError) as raised:
        play()
    assert "\n" not in str(raised.value)
    return str(raised.value)


# --- captioners


@pytest.mark.parametrize("name", modern.CAPTIONERS)
def test_every_class_of_captioners_speaks(tmp_path, model, no_network, name: str) -> None:
    prompt = {"prompt": PROMPTS[name]} if name in PROMPTS else {}
    player = captioner(tmp_path, model(name), min_tokens=4, **prompt)
    alone = [player.describe([picture], "cpu")[0][0] for picture in PICTURES]
    assert any(said.caption for said in alone)  # random models may say nothing but an end
    assert alone == [player.describe([picture], "cpu")[0][0] for picture in PICTURES]
    assert len({said.log_probability for said in alone}) == len(alone)  # it looked
    together = player.describe(PICTURES, "cpu")
    assert [said[0].caption for said in together] == [said.caption for said in alone]
    for said, other in zip(together, alone, strict=True):
        assert said[0].log_probability == pytest.approx(other.log_probability, abs=1e-3)


def test_the_log_probability_is_that_of_the_caption(tmp_path, model) -> None:
    player = captioner(tmp_path, model("vit_gpt2"), max_tokens=6)
    for picture in PICTURES:
        for said in player.describe([picture], "cpu", beam=3)[0]:
            loaded = player.network("cpu")
            seen = loaded.translators.pictures([picture], return_tensors="pt")["pixel_values"]
            tokens = loaded.translators.words(said.caption, return_tensors="pt")["input_ids"]
            if tokens.shape[1] < 6:
                tokens = torch.cat([tokens, torch.zeros(1, 1, dtype=torch.long)], dim=1)
            start = torch.zeros(1, 1, dtype=torch.long)
            logits = loaded.model(
                pixel_values=seen, decoder_input_ids=torch.cat([start, tokens[:, :-1]], dim=1)
            ).logits
            scores = logits.log_softmax(-1).gather(2, tokens[..., None])
            assert said.log_probability == pytest.approx(float(scores.sum()), abs=1e-3)


def test_more_beams_give_more_captions(tmp_path, model) -> None:
    player = captioner(tmp_path, model("git"), beams=4)
    assert len(player.describe(PICTURES[:1], "cpu")[0]) == 1
    wide = player.describe(PICTURES[:2], "cpu", beam=3)
    assert [len(said) for said in wide] == [3, 3]
    assert len({said.caption for said in wide[0]}) > 1


def test_lengths_are_obeyed(tmp_path, model) -> None:
    short = captioner(tmp_path, model("blip"), max_tokens=3).describe(PICTURES[:1], "cpu")
    long = captioner(tmp_path, model("blip"), max_tokens=30, min_tokens=12)
    assert len(short[0][0].caption.split()) <= 3
    assert len(long.describe(PICTURES[:1], "cpu")[0][0].caption.split()) > 3


def test_a_prompt_is_no_part_of_the_caption(tmp_path, model) -> None:
    plain = captioner(tmp_path, model("blip")).describe(PICTURES[:1], "cpu")
    asked = captioner(tmp_path, model("blip"), prompt="a red").describe(PICTURES[:1], "cpu")
    assert plain != asked and not asked[0][0].caption.startswith("a red")
    chat = captioner(tmp_path, model("llava"), prompt="Say.").describe(PICTURES[:1], "cpu")
    assert "Say." not in chat[0][0].caption


def test_a_model_that_answers_questions_must_be_asked(tmp_path, model) -> None:
    ask = lambda: captioner(tmp_path, model("llava")).describe(PICTURES[:1], "cpu")  # noqa: E731
    assert "`prompt: Describe this picture in one sentence.`" in message(ask)


def test_a_model_that_takes_no_prompt_says_so(tmp_path, model) -> None:
    player = captioner(tmp_path, model("vit_gpt2"), prompt="a photograph of")
    assert "delete `prompt`" in message(lambda: player.describe(PICTURES[:1], "cpu"))


@pytest.mark.parametrize("name", modern.CAPTIONERS)
def test_captions_are_sampled_with_chance_of_their_own(tmp_path, model, name: str) -> None:
    prompt = {"prompt": PROMPTS[name]} if name in PROMPTS else {}
    player = captioner(tmp_path, model(name), beams=3, min_tokens=4, **prompt)

    def say(seed: int, top_p: float = 1.0) -> Said:
        (chance,) = seeds(seed)
        (said,) = player.sample(PICTURES[0], "cpu", Sampling(1.0, top_p, chance))
        return said

    alone = [say(seed) for seed in range(6)]
    assert len({said.log_probability for said in alone}) > 3
    with ThreadPoolExecutor(3) as threads:  # no thread takes another one's chance
        assert list(threads.map(say, range(6))) == alone
    greedy = captioner(tmp_path, model(name), min_tokens=4, **prompt)
    (likeliest,) = greedy.describe(PICTURES[:1], "cpu")[0]
    said = say(1, top_p=0.01)  # the likeliest token alone
    assert said.caption == likeliest.caption
    assert said.log_probability == pytest.approx(likeliest.log_probability, abs=1e-3)


def test_sampled_tokens_are_as_frequent_as_the_model_says(tmp_path, model) -> None:
    player = captioner(tmp_path, model("vit_gpt2"), max_tokens=1)
    loaded = player.network("cpu")
    seen = loaded.translators.pictures(PICTURES[:1], return_tensors="pt")["pixel_values"]
    start = torch.zeros(1, 1, dtype=torch.long)
    logits = loaded.model(pixel_values=seen, decoder_input_ids=start).logits[0, -1]
    wanted = (logits / 0.5).softmax(dim=0).topk(3)
    drawn = [
        player.sample(PICTURES[0], "cpu", Sampling(0.5, 1.0, *seeds(seed)))[0]
        for seed in range(200)
    ]
    for share, token in zip(*wanted, strict=True):
        word = loaded.translators.words.decode([token], skip_special_tokens=True).strip()
        found = [said for said in drawn if said.caption == word]
        assert len(found) / len(drawn) == pytest.approx(float(share), abs=0.12)
        for said in found:
            own = float(logits.log_softmax(0)[token])
            assert said.log_probability == pytest.approx(own, abs=1e-3)


def test_a_captioner_that_cannot_be_sampled_says_so_before_anything_is_played(
    tmp_path, model, monkeypatch
) -> None:
    bundle = captioner(tmp_path, model("git")).bundle
    bundle.check_sampling("cow+modern~temperature-1")
    monkeypatch.setattr(Transformers, "samples", False)
    told = message(lambda: bundle.check_sampling("cow+modern~temperature-1"))
    assert "cow+modern~temperature-1: captions of the bundle modern cannot be sampled" in told


@pytest.mark.parametrize("name", ["blip", "qwen"])
def test_threads_hear_the_same(tmp_path, model, name: str) -> None:
    player = captioner(tmp_path, model(name), **({"prompt": "Say."} if name == "qwen" else {}))
    expected = [player.describe([picture], "cpu") for picture in PICTURES]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(2):
            told = threads.map(lambda picture: player.describe([picture], "cpu"), PICTURES * 3)
            assert list(told) == expected * 3


def test_a_model_is_loaded_once_by_all_threads(tmp_path, model, monkeypatch) -> None:
    loads = []
    load = Transformers.load

    def counted(self, *arguments):
        loads.append(threading.get_ident())
        return load(self, *arguments)

    monkeypatch.setattr(Transformers, "load", counted)
    players = [captioner(tmp_path, model("git"), max_tokens=5) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        networks = list(threads.map(lambda player: player.network("cpu"), players))
    assert len(loads) == 1 and len({id(network) for network in networks}) == 1


def test_half_precision_is_played_and_told(tmp_path, model) -> None:
    player = captioner(tmp_path, model("git"), dtype="bfloat16")
    assert player.network("cpu").model.dtype == torch.bfloat16
    assert player.describe(PICTURES[:1], "cpu")[0][0].caption
    assert player.provenance()["dtype"] == "bfloat16"


# --- painters


@pytest.mark.parametrize("name", modern.PAINTERS)
def test_every_class_of_painters_paints(tmp_path, model, no_network, name: str) -> None:
    player = painter(tmp_path, model(name))
    (first,) = player.paint(["a red kite"], seeds(1), "cpu")
    assert first.size == (32, 32) and first.mode == "RGB" and pixels(first).std() > 5
    if name in ("stable_diffusion", "sdxl", "lcm"):
        (other,) = player.paint(["a red kite"], seeds(2), "cpu")
        assert (pixels(first) != pixels(other)).any()


@pytest.mark.parametrize("name", ["stable_diffusion", "sdxl", "lcm"])
def test_a_picture_is_the_same_again_and_in_company(tmp_path, model, name: str) -> None:
    player = painter(tmp_path, model(name))
    (alone,) = player.paint(["a red kite"], seeds(1), "cpu")
    (again,) = player.paint(["a red kite"], seeds(1), "cpu")
    both = player.paint(["a blue cow", "a red kite"], seeds(2, 1), "cpu")
    assert (pixels(alone) == pixels(again)).all()
    assert abs(pixels(both[1]) - pixels(alone)).max() <= 1
    assert abs(pixels(both[0]) - pixels(alone)).max() > 1


@pytest.mark.parametrize(("name", "draws"), [("stable_diffusion", 1), ("sdxl", 3)])
def test_chance_is_drawn_in_the_order_that_is_documented(tmp_path, model, name, draws) -> None:
    (used,) = seeds(1)
    painter(tmp_path, model(name)).paint(["a red kite"], [used], "cpu")
    (fresh,) = seeds(1)
    for _ in range(draws):  # the latents, and the noise of each of two steps if there is any
        torch.randn(1, 4, 16, 16, generator=fresh)
    assert torch.equal(torch.rand(5, generator=used), torch.rand(5, generator=fresh))


def test_settings_change_the_picture(tmp_path, model) -> None:
    def paint(**settings) -> np.ndarray:
        player = painter(tmp_path, model("stable_diffusion"), **settings)
        return pixels(player.paint(["a red kite"], seeds(1), "cpu")[0])

    plain = paint()
    assert paint(size=[48, 32]).shape == (32, 48, 3)
    for settings in (
        {"steps": 3},
        {"guidance": 1},
        {"negative_prompt": "a cow"},
        {"scheduler": "EulerDiscreteScheduler"},
    ):
        assert (paint(**settings) != plain).any(), settings


def test_the_end_of_a_caption_that_is_too_long_is_told(tmp_path, model) -> None:
    player = painter(tmp_path, model("stable_diffusion"))
    assert player.read("a red kite").unread is None
    long = "kite " * 18 + "abc the end"  # 75 tokens of one letter each, and more
    assert player.read(long).unread == "the end"
    (cut,) = player.paint([long], seeds(1), "cpu")
    (same,) = player.paint([long.removesuffix("the end")], seeds(1), "cpu")
    assert (pixels(cut) == pixels(same)).all()


def test_the_end_of_a_caption_is_read_where_one_of_the_text_encoders_reads_it(
    tmp_path, model
) -> None:
    """As with Stable Diffusion 3 and Flux: CLIP's read the beginning, T5's reads on."""
    source = shutil.copytree(model("sdxl"), tmp_path / "sdxl")
    long = "kite " * 18 + "abc the end"
    assert painter(tmp_path, source).read(long).unread == "the end"
    index = json.loads((source / "model_index.json").read_text())
    index["tokenizer_2"] = ["transformers", "T5Tokenizer"]
    (source / "model_index.json").write_text(json.dumps(index))
    assert painter(tmp_path, source).read(long).unread is None


def test_threads_see_the_same(tmp_path, model) -> None:
    player = painter(tmp_path, model("sdxl"))
    captions = ["a red kite", "a blue cow", "the old boat"]
    expected = [pixels(player.paint([caption], seeds(1), "cpu")[0]) for caption in captions]
    with ThreadPoolExecutor(4) as threads:
        painted = threads.map(
            lambda caption: pixels(player.paint([caption], seeds(1), "cpu")[0]), captions * 2
        )
        assert all((a == b).all() for a, b in zip(painted, expected * 2, strict=True))


def test_what_no_picture_needs_is_not_fetched(tmp_path, model, monkeypatch) -> None:
    half = tmp_path / "half"
    shutil.copytree(model("stable_diffusion"), half)
    for part in ("unet", "vae"):
        weights = half / part / "diffusion_pytorch_model.safetensors"
        save_file(
            {name: tensor.half() for name, tensor in load_file(weights).items()},
            weights.with_name("diffusion_pytorch_model.fp16.safetensors"),
            metadata={"format": "pt"},
        )
        shutil.copy(weights, weights.with_name("diffusion_pytorch_model.bin"))
    (half / "v1-5-pruned.safetensors").write_bytes(b"all of it again")
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        hub.upload("org/sd", half)
        player = painter(tmp_path, "org/sd", dtype="float16")
        player.fetch()
        asked = set(hub.files_asked)
        full = painter(tmp_path / "full", "org/sd")
        full.fetch()
    names = set(player.snapshot().names)
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in names
    assert "text_encoder/model.safetensors" in names  # which has no smaller variant
    assert not any(name.startswith(("safety_checker", "feature_extractor")) for name in names)
    assert not any(name.endswith(".bin") or "pruned" in name for name in names)
    assert "diffusion_pytorch_model.safetensors" not in asked
    assert "unet/diffusion_pytorch_model.safetensors" in full.snapshot().names
    assert "unet/diffusion_pytorch_model.fp16.safetensors" not in full.snapshot().names
    (picture,) = player.paint(["a red kite"], seeds(1), "cpu")
    assert picture.size == (32, 32)
    assert player.network("cpu").pipeline.unet.dtype == torch.float16
    assert player.network("cpu").pipeline.safety_checker is None


# --- from the hub


def test_what_was_fetched_plays_without_a_network(tmp_path, model, monkeypatch) -> None:
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        hub.upload("org/seer", model("blip"))
        player = captioner(tmp_path, "org/seer")
        with pytest.raises(FileNotFoundError):
            player.digests()
        player.fetch()
    assert player.files == [tmp_path / "modern" / "captioner" / "fetched.json"]
    assert player.describe(PICTURES[:1], "cpu") == captioner(tmp_path, model("blip")).describe(
        PICTURES[:1], "cpu"
    )
    assert "captioner/model.safetensors" in player.digests()
    assert player.provenance()["commit"] == hub.models["org/seer"].names["main"]
    assert player.provenance()["class"] == "BlipForConditionalGeneration"
    assert player.provenance()["image_processor"] == "BlipImageProcessor"


def test_a_folder_called_like_the_model_does_not_stand_in_for_it(
    tmp_path, model, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    modern.blip(tmp_path / "org" / "seer", seed=7)
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        hub.upload("org/seer", model("blip"))
        player = captioner(tmp_path, "org/seer")
        player.fetch()
    said = player.describe(PICTURES, "cpu")
    assert said == captioner(tmp_path, model("blip")).describe(PICTURES, "cpu")
    assert said != captioner(tmp_path, "./org/seer").describe(PICTURES, "cpu")


def test_a_file_that_changed_since_is_refused(tmp_path, model, monkeypatch) -> None:
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        hub.upload("org/seer", model("blip"))
        player = captioner(tmp_path, "org/seer")
        player.fetch()
    weights = player.snapshot().folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert "changed since it was fetched" in message(lambda: player.describe(PICTURES, "cpu"))


# --- what can be wrong with a model


def test_weights_that_are_missing_are_not_made_up(tmp_path, model) -> None:
    def forget(weights: dict) -> None:
        del weights[next(name for name in weights if "layer" in name and name.endswith("weight"))]

    source = changed(model("blip"), tmp_path / "blip", "model.safetensors", forget)
    told = message(lambda: captioner(tmp_path, source).describe(PICTURES, "cpu"))
    assert "its weights lack 1 tensors" in told
    for part, file in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        source = changed(
            model("stable_diffusion"),
            tmp_path / part,
            f"{part}/{file}.safetensors",
            lambda weights: weights.pop(sorted(weights)[5]),
        )
        told = message(
            lambda source=source: painter(tmp_path, source).paint(["a"], seeds(1), "cpu")
        )
        assert f"the weights of its {part} lack 1 tensors" in told


def test_weights_that_are_no_numbers_are_told(tmp_path, model) -> None:
    def spoil(weights: dict) -> None:
        for tensor in weights.values():
            tensor.fill_(torch.nan)

    source = changed(model("git"), tmp_path / "git", "model.safetensors", spoil)
    told = message(lambda: captioner(tmp_path, source).describe(PICTURES, "cpu"))
    assert "not a number" in told
    file = "vae/diffusion_pytorch_model.safetensors"
    source = changed(model("stable_diffusion"), tmp_path / "sd", file, spoil)
    told = message(lambda: painter(tmp_path, source).paint(["a"], seeds(1), "cpu"))
    assert "not a number" in told


def test_a_tokenizer_of_another_size_is_refused(tmp_path, model) -> None:
    from transformers import CLIPTokenizer

    source = tmp_path / "sd"
    shutil.copytree(model("stable_diffusion"), source)
    shutil.rmtree(source / "tokenizer")
    CLIPTokenizer().save_pretrained(source / "tokenizer")  # what missing vocabularies become
    told = message(lambda: painter(tmp_path, source).paint(["a"], seeds(1), "cpu"))
    assert "its tokenizer has 2 tokens, but the model expects 190" in told
    source = tmp_path / "blip"
    shutil.copytree(model("blip"), source)
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = dict(list(vocabulary.items())[:10])
    (source / "tokenizer.json").write_text(json.dumps(tokenizer))
    told = message(lambda: captioner(tmp_path, source).describe(PICTURES, "cpu"))
    assert "its tokenizer has 10 tokens, but the model expects 33" in told


def test_pickles_are_not_opened(tmp_path, model) -> None:
    for name, file in (("blip", "model"), ("sdxl", "text_encoder_2/model")):
        source = tmp_path / name
        shutil.copytree(model(name), source)
        (source / f"{file}.safetensors").rename(source / f"{file}.bin")
        player = captioner(tmp_path, source) if name == "blip" else painter(tmp_path, source)
        told = message(lambda player=player: player.files)
        assert f"it has no {file}.safetensors, and other formats are not opened" in told


def test_code_from_a_hub_is_not_run(tmp_path, model) -> None:
    source = tmp_path / "blip"
    shutil.copytree(model("blip"), source)
    config = json.loads((source / "config.json").read_text())
    config |= {"model_type": "moondream1", "auto_map": {"AutoModel": "moondream.Moondream"}}
    (source / "config.json").write_text(json.dumps(config))
    (source / "moondream.py").write_text("raise SystemExit('it was run')")
    assert "no code from a hub is run here" in message(lambda: captioner(tmp_path, source).files)
    source = tmp_path / "sd"
    shutil.copytree(model("stable_diffusion"), source)
    index = json.loads((source / "model_index.json").read_text())
    for wrong in (
        {**index, "_class_name": ["pipeline", "Mine"]},
        {**index, "unet": ["my_unet", "Mine"]},
    ):
        (source / "model_index.json").write_text(json.dumps(wrong))
        assert "no code from a hub is run here" in message(lambda: painter(tmp_path, source).files)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scheduler": "EulerScheduler"}, "has no scheduler called EulerScheduler"),
        ({"scheduler": "FlowMatchEulerDiscreteScheduler"}, "does not fit this model, whose own is"),
        ({"size": 33}, "33"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_message(tmp_path, model, settings, words) -> None:
    player = painter(tmp_path, model("stable_diffusion"), **settings)
    assert words in message(lambda: player.paint(["a red kite"], seeds(1), "cpu"))


def test_a_pipeline_that_paints_no_captions_is_refused(tmp_path, model) -> None:
    source = tmp_path / "sd"
    shutil.copytree(model("stable_diffusion"), source)
    index = json.loads((source / "model_index.json").read_text())
    for kind, words in (
        ("DiTPipeline", "a DiTPipeline does not paint captions alone"),
        ("SomePipelineOfTomorrow", "has no SomePipelineOfTomorrow"),
    ):
        (source / "model_index.json").write_text(json.dumps({**index, "_class_name": kind}))
        player = painter(tmp_path, source)
        assert words in message(lambda player=player: player.paint(["a"], seeds(1), "cpu"))


def test_missing_packages_are_one_message(tmp_path, model, monkeypatch) -> None:
    monkeypatch.setattr(once, "_held", {})
    source = model("stable_diffusion")
    for name in ("diffusers", "accelerate"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, name, None)
            player = painter(tmp_path, source)
            told = message(lambda player=player: player.paint(["a"], seeds(1), "cpu"))
        assert f"the package {name} is not installed; `make models`" in told


def test_packages_are_asked_for_that_make_models_installs() -> None:
    pins = (ROOT / "requirements-models.txt").read_text()
    assert {line.partition("==")[0] for line in pins.splitlines() if "==" in line} == set(PACKAGES)


def test_a_tokenizer_of_sentencepiece_is_read(tmp_path, model, monkeypatch) -> None:
    """As T5's lies on the hub, in PixArt for one: spiece.model, and no tokenizer.json."""
    import sentencepiece

    source = shutil.copytree(model("pixart"), tmp_path / "pixart")
    for path in (source / "tokenizer").iterdir():
        path.unlink()
    (tmp_path / "text").write_text("a red kite\na blue cow\nthe old boat near a tree\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(source / "tokenizer" / "spiece"),
        vocab_size=22, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (source / "tokenizer" / "spiece.vocab").unlink()
    config = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0}
    (source / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(config))
    weights = source / "text_encoder" / "model.safetensors"
    tensors = {name: each[:22] if "shared" in name or "embed_tokens" in name else each
               for name, each in load_file(weights).items()}  # fmt: skip
    save_file({name: each.clone() for name, each in tensors.items()}, weights, {"format": "pt"})
    described = source / "text_encoder" / "config.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"vocab_size": 22}))
    player = painter(tmp_path, source)
    assert any(path.name == "spiece.model" for path in player.files)
    (picture,) = player.paint(["a red kite"], seeds(1), "cpu")
    assert pixels(picture).std() > 5


def test_a_package_that_a_model_needs_is_named(tmp_path, model) -> None:
    player = captioner(tmp_path, model("git"))
    for error, package in (
        ("SmolVLM: Package `num2words` is required to run SmolVLM processor.", "num2words"),
        ("T5Tokenizer requires the SentencePiece library but it was not found.", "sentencepiece"),
        ("requires the protobuf library\nbut it was not found", "protobuf"),
    ):
        with pytest.raises(UserError) as raised, player.explained():
            raise ImportError(error)
        assert f"the package {package} is not installed; `make models`" in str(raised.value)


CAPTIONS = {
    "lengths": ({"max_tokens": 4, "min_tokens": 6}, "`min_tokens` is 6, and `max_tokens` 4"),
    "places": ({"max_tokens": 200}, "`max_tokens` is 200, but it says 128 at the most"),
}


@pytest.mark.parametrize(("settings", "words"), CAPTIONS.values(), ids=CAPTIONS)
def test_captions_that_cannot_be_so_long_are_one_message(tmp_path, model, settings, words) -> None:
    player = captioner(tmp_path, model("blip"), **settings)
    assert words in message(lambda: player.describe(PICTURES[:1], "cpu"))


def test_an_endless_caption_ends(tmp_path, model) -> None:
    """A model that never says its end stops at max_tokens; one that says nothing else, at once."""
    for bias, length in ((-1e4, 12), (1e4, 0)):

        def steer(weights: dict, bias: float = bias) -> None:
            weights["text_decoder.cls.predictions.bias"][3] = bias

        folder = tmp_path / str(length)
        source = changed(model("blip"), folder / "blip", "model.safetensors", steer)
        (said,) = captioner(folder, source, max_tokens=12).describe(PICTURES[:1], "cpu")[0]
        assert (len(said.caption.split()) > 6) == bool(length)
        assert bool(said.caption) == bool(length)


def test_what_no_text_file_may_hold_is_no_part_of_a_caption(tmp_path, model, monkeypatch) -> None:
    player = captioner(tmp_path, model("git"))
    odd = "caf\u00e9 \u732b\u2028\x00\x1b[31m \ud800 \U0001f404"
    words = player.network("cpu").translators.words
    monkeypatch.setattr(type(words), "batch_decode", lambda *_, **how: [odd])
    (said,) = player.describe(PICTURES[:1], "cpu")[0]
    assert said.caption == "caf\u00e9 \u732b [31m \U0001f404"


@pytest.mark.parametrize("name", ["blip", "qwen"])
def test_half_precision_plays_on_a_cpu_or_says_why_not(tmp_path, model, name: str) -> None:
    prompt = {"prompt": PROMPTS[name]} if name in PROMPTS else {}
    player = captioner(tmp_path, model(name), dtype="float16", min_tokens=4, **prompt)
    assert player.network("cpu").model.dtype == torch.float16
    assert player.describe(PICTURES[:1], "cpu")


DAMAGED = {"a list": ("model_index.json", "[]", "model_index.json is damaged (it holds no names"),
           "no pair": ("model_index.json", '{"_class_name": "A", "unet": []}', "damaged at unet"),
           "no index": ("unet/diffusion_pytorch_model.safetensors.index.json", "{}", "weight_map"),
           "no JSON": ("model_index.json", "{", "model_index.json is damaged")}  # fmt: skip


@pytest.mark.parametrize(("file", "content", "words"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_descriptions_are_one_message(
    tmp_path, model, monkeypatch, file: str, content: str, words: str
) -> None:
    """In a folder of one's own, and on a hub."""
    source = shutil.copytree(model("stable_diffusion"), tmp_path / "sd")
    (source / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (source / file).write_text(content)
    assert words in message(lambda: painter(tmp_path, source).files)
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        hub.upload("org/sd", source)
        with pytest.raises(UserError) as raised:
            painter(tmp_path, "org/sd").fetch()
    assert words in str(raised.value) and "cannot be used" in str(raised.value)


@pytest.mark.parametrize("left", [0, 4, 5000])
@pytest.mark.parametrize(("name", "folder"), [("blip", "."), ("stable_diffusion", "vae")])
def test_weights_that_are_cut_short_are_named(
    tmp_path, model, name: str, folder: str, left: int
) -> None:
    source = shutil.copytree(model(name), tmp_path / name)
    weights = next((source / folder).glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:left])
    player = (captioner if name == "blip" else painter)(tmp_path, source)
    told = message(lambda: player.network("cpu"))
    assert f"{weights} is damaged or cut short; copy or download it again." in told


PARTS = {"tokenizer": ("blip", "token*"), "image processor": ("blip", "*processor*"),
         "scheduler": ("stable_diffusion", "scheduler/*"),
         "configuration": ("stable_diffusion", "unet/config.json")}  # fmt: skip


@pytest.mark.parametrize(("name", "pattern"), PARTS.values(), ids=PARTS)
def test_files_that_a_model_lacks_are_one_message(tmp_path, model, name: str, pattern: str) -> None:
    source = shutil.copytree(model(name), tmp_path / name)
    for path in source.glob(pattern):
        path.unlink()
    if name == "blip":
        told = message(lambda: captioner(tmp_path, source).describe(PICTURES[:1], "cpu"))
    else:
        told = message(lambda: painter(tmp_path, source).paint(["a"], seeds(1), "cpu"))
    assert told.startswith(f"{tmp_path}/modern/bundle.yaml: ")


def test_a_folder_of_something_else_is_one_message(tmp_path, model) -> None:
    told = message(lambda: captioner(tmp_path, model("stable_diffusion")).files)
    assert "it has no config.json" in told
    assert "it has no model_index.json" in message(lambda: painter(tmp_path, model("blip")).files)


def test_a_folder_that_is_missing_or_has_a_revision_is_one_message(tmp_path) -> None:
    assert "there is no such folder" in message(lambda: captioner(tmp_path, "/none/here").files)
    player = captioner(tmp_path, "/none/here", revision="main")
    assert "a folder has no revisions" in message(lambda: player.files)


# --- games, and the bundles that ship


def test_a_game_fetches_once_and_then_needs_no_network(new_game, model, monkeypatch) -> None:
    game = new_game()
    game.path("models", "modern").mkdir()
    settings = {
        "captioner": {"kind": "transformers", "model": "org/seer", "max_tokens": 8},
        "painter": {"from": "tiny"},
    }
    description = game.path("models", "modern", "bundle.yaml")
    description.write_text(yaml.safe_dump(settings))
    target = "results/cow+modern/round1.png"
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    refused = game.call(target)
    assert refused.code != 0 and "Traceback" not in refused.text
    assert "models/modern/bundle.yaml: captioner: the model org/seer could not be" in refused.text
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        first = hub.upload("org/seer", model("blip")).names["main"]
        game.play(target)
        assert f"org/seer main {first}" in game.path("models", "modern", "fetched.lock").read_text()
        before = game.contents()
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
        assert game.call(target).nothing
        game.path(target).unlink()
        game.play(target)
        assert game.contents() == before
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        files = hub.models["org/seer"].commits[first]
        second = hub.models["org/seer"].commit({**files, "generation_config.json": b"{}"}, "v2")
        settings["captioner"]["revision"] = "v2"
        description.write_text(yaml.safe_dump(settings))
        game.play(target)
    record = json.loads(game.path("results/cow+modern/round1.json").read_text())
    assert record["players"]["captioner"]["commit"] == second
    assert json.loads(before["cow+modern/round1.json"])["players"]["captioner"]["commit"] == first


@pytest.mark.parametrize("name", bundles.present(ROOT / "models"))
def test_every_bundle_that_ships_is_whole(name: str) -> None:
    bundle = Bundle.read(name, ROOT / "models")
    for player in bundle.players:
        assert player.files and player.settings
    bundle.check_files()
    assert name in (bundle.folder / "README.md").read_text().lower()


CLASSES = {
    "Salesforce/blip-image-captioning-base": "blip",
    "Salesforce/blip-image-captioning-large": "blip",
    "microsoft/git-base-coco": "git",
    "florence-community/Florence-2-base": "florence",
    "stabilityai/sd-turbo": "stable_diffusion",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "stable_diffusion",
    "stabilityai/sdxl-turbo": "sdxl",
}


@pytest.mark.parametrize("name", ["blip-turbo", "blip-sd", "git-turbo", "florence-sdxl"])
def test_a_bundle_that_ships_plays_with_small_models_of_its_classes(
    tmp_path, model, monkeypatch, name: str
) -> None:
    """With its own settings and revisions, at a smaller size; mixes take these players."""
    for other in ("blip-turbo", name):
        folder = tmp_path / "models" / other
        folder.mkdir(parents=True, exist_ok=True)
        settings = (ROOT / "models" / other / "bundle.yaml").read_text()
        (folder / "bundle.yaml").write_text(settings.replace("size: 512", "size: 32"))
    bundle = Bundle.read(name, tmp_path / "models")
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        for player in bundle.players:
            there = hub.upload(player.own["model"], model(CLASSES[player.own["model"]]))
            files = there.commits[there.names["main"]]
            there.commit(files, player.own.get("revision", "main"))
            player.fetch()
    (said,) = bundle.captioner.describe(PICTURES[:1], "cpu")[0]
    (picture,) = bundle.painter.paint([said.caption or "a red kite"], seeds(1), "cpu")
    assert picture.size == (32, 32) and pixels(picture).std() > 5


def test_weights_stay_out_of_git() -> None:
    paths = [
        "models/blip-turbo/captioner/fetched.json",
        "models/blip-turbo/painter/0000/unet/diffusion_pytorch_model.safetensors",
        "models/blip-turbo/.downloading",
        "models/bird/generator.safetensors",
        "models/bird/bird_AttnGAN2.pth",
    ]
    asked = ["git", "check-ignore", "--no-index", *paths]
    ignored = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert ignored == paths
    kept = ["models/blip-turbo/fetched.lock", "models/bird/fetched.lock", "models/bird/bundle.yaml"]
    asked = ["git", "check-ignore", "--no-index", *kept]
    assert not subprocess.run(asked, cwd=ROOT, capture_output=True).stdout


def test_the_bird_models_are_as_large_as_the_published_ones() -> None:
    bundle = Bundle.read("bird", ROOT / "models")
    generator = networks.described(bundle, "generator")
    words = Vocabulary(tuple(map(str, range(5450))))
    reader = networks.described(bundle, "text_encoder", words)
    assert sum(weights.numel() for weights in generator.parameters()) == 7_084_592
    assert sum(weights.numel() for weights in reader.parameters()) * 4 == pytest.approx(
        8_302_463, abs=5_000
    )
