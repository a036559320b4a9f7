"""What bundles with models of a hub need: disk, memory, and CPU seconds a caption or a picture.

    python benchmarks/models.py [blip-base|blip-large|git-base|sd-turbo|sd-1.5 ...]

Models of the published sizes with random weights are made in --folder (up to 5.2 GB each, deleted
afterwards), and played as a stage plays them, on one thread, each in a process of its own. The time
of captions is that of the tokens that are said at the most, which random weights say.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

SETTINGS: dict[str, dict[str, Any]] = {
    "blip-base": {"max_tokens": 30, "min_tokens": 30, "beams": 3},
    "blip-large": {"max_tokens": 30, "min_tokens": 30, "beams": 3},
    "git-base": {"max_tokens": 30, "min_tokens": 30, "beams": 3},
    "sd-turbo": {"steps": 1, "guidance": 0, "size": 512},
    "sd-1.5": {"steps": 2, "guidance": 7.5, "size": 512},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(SETTINGS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--play", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        return play(options.models[0], options.play)
    print("| model | disk, MB | memory, MB | loading, CPU s | once, CPU s |\n|---|---|---|---|---|")
    for name in options.models:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            subprocess.run(
                [sys.executable, "-c", f"import models; models.make({name!r}, {folder!r})"],
                cwd=Path(__file__).parent,
                check=True,
            )
            done = subprocess.run(
                [sys.executable, __file__, name, "--play", folder],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
            print(
                f"| {name} | {size / 1e6:,.0f} | {found['memory'] / 1e6:,.0f} | "
                f"{found['loading']:.1f} | {found['once']:.1f} |",
                flush=True,
            )


def play(name: str, folder: Path) -> None:
    """Loads the model and plays it twice, as a stage does."""
    import torch
    from PIL import Image

    from scripts.bundles import Bundle
    from scripts.players.diffusers_painter import Diffusers
    from scripts.players.transformers_captioner import Transformers

    torch.set_num_threads(1)
    role = "painter" if name.startswith("sd") else "captioner"
    own = {"model": str(folder), **SETTINGS[name]}
    bundle = Bundle(folder, {role: own})
    player = Diffusers(bundle) if role == "painter" else Transformers(bundle)
    loading = seconds(lambda: player.network("cpu"))

    def once() -> None:
        if role == "painter":
            player.paint(["a photo of a dog"], [torch.Generator("cpu").manual_seed(1)], "cpu")
        else:
            player.describe([Image.effect_noise((512, 512), 80).convert("RGB")], "cpu")

    once()
    found = {"loading": loading, "once": seconds(once)}
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(found))


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process, which other processes do not stretch much."""
    start = time.process_time()
    work()
    return time.process_time() - start


# --- models of the published sizes


def make(name: str, folder: str) -> None:
    """Saves a random model of this size."""
    import transformers as hf

    if name.startswith("sd"):
        return _stable_diffusion(name, folder)
    words = hf.BertTokenizer(
        vocab=_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], 30_522)
    )
    if name == "git-base":
        config = hf.GitConfig(vocab_size=30_522)
        pictures = hf.CLIPImageProcessor()
        model, processor = hf.GitForCausalLM(config), hf.GitProcessor(pictures, words)
    else:
        large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
        vision = {
            "image_size": 384,
            **(large | {"intermediate_size": 4096} if "large" in name else {}),
        }
        ends = {"bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3, "vocab_size": 30_522}
        text = {"encoder_hidden_size": vision.get("hidden_size", 768), **ends}
        config = hf.BlipConfig(text_config=text, vision_config=vision)
        pictures = hf.BlipImageProcessor()
        model, processor = (
            hf.BlipForConditionalGeneration(config),
            hf.BlipProcessor(pictures, words),
        )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _stable_diffusion(name: str, folder: str) -> None:
    import diffusers
    import transformers as hf

    turbo = name == "sd-turbo"  # which is of the sizes of Stable Diffusion 2.1
    words = _vocabulary(["<|startoftext|>", "<|endoftext|>"], 49_408)
    text = hf.CLIPTextConfig(
        hidden_size=1024 if turbo else 768,
        intermediate_size=4096 if turbo else 3072,
        num_hidden_layers=23 if turbo else 12,
        num_attention_heads=16 if turbo else 12,
        vocab_size=49_408,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        cross_attention_dim=1024 if turbo else 768,
        attention_head_dim=(5, 10, 20, 20) if turbo else 8,
        use_linear_projection=turbo,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        layers_per_block=2,
        latent_channels=4,
    )
    diffusers.StableDiffusionPipeline(
        unet=unet,
        vae=vae,
        text_encoder=hf.CLIPTextModel(text),
        tokenizer=hf.CLIPTokenizer(vocab=words, merges=[], model_max_length=77),
        scheduler=diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def _vocabulary(first: list[str], size: int) -> dict[str, int]:
    letters = [letter for letter in "abcdefghijklmnopqrstuvwxyz"]
    letters += [f"{letter}</w>" for letter in letters]
    words = [*first, *letters]
    words += [f"word{number}" for number in range(size - len(words))]
    return {word: number for number, word in enumerate(words)}


if __name__ == "__main__":
    main()
