"""Tensor names of the published weight files, translated to the names of our networks.

One table for each network: patterns of whole names (Python's `re`) and what they become. The
names are those that AttnGAN (Xu et al. 2018) and the CNN-LSTM captioner save.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

Table = Mapping[str, str]
Value = TypeVar("Value")

GENERATOR: Table = {
    r"ca_net\.fc\.(\w+)": r"conditioning.linear.\1",
    r"h_net1\.fc\.0\.(\w+)": r"first.linear.\1",
    r"h_net1\.fc\.1\.(\w+)": r"first.norm.\1",
    **{
        rf"h_net1\.upsample{up}\.{place}\.(\w+)": rf"first.ups.{up - 1}.{part}.\1"
        for up in (1, 2, 3, 4)
        for place, part in ((1, "conv"), (2, "norm"))
    },
    **{
        rf"h_net{stage}\.{theirs}\.(\w+)": rf"later.{stage - 2}.{ours}.\1"
        for stage in (2, 3)
        for theirs, ours in ((r"att\.conv_context", "words"), (r"upsample\.1", "up.conv"))
    },
    **{rf"h_net{stage}\.upsample\.2\.(\w+)": rf"later.{stage - 2}.up.norm.\1" for stage in (2, 3)},
    **{
        rf"h_net{stage}\.residual\.(\d+)\.block\.{place}\.(\w+)": (
            rf"later.{stage - 2}.residuals.\1.{part}.\2"
        )
        for stage in (2, 3)
        for place, part in ((0, "conv1"), (1, "norm1"), (3, "conv2"), (4, "norm2"))
    },
    **{rf"img_net{stage}\.img\.0\.(\w+)": rf"paint.{stage - 1}.conv.\1" for stage in (1, 2, 3)},
    r"img_net\.img\.0\.(\w+)": r"paint.0.conv.\1",  # AttnDCGAN paints once
}

TEXT_ENCODER: Table = {r"encoder\.(\w+)": r"embedding.\1", r"rnn\.(\w+)": r"lstm.\1"}

IMAGE_ENCODER: Table = {
    r"((?:Conv2d|Mixed)_\w+\..+)": r"backbone.\1",
    r"emb_features\.(\w+)": r"regions.\1",
    r"emb_cnn_code\.(\w+)": r"whole.\1",
}

CAPTIONER_ENCODER: Table = {  # into Captioner; the ResNet was saved as a numbered sequence
    r"resnet\.0\.(\w+)": r"encoder.backbone.conv1.\1",
    r"resnet\.1\.(\w+)": r"encoder.backbone.bn1.\1",
    **{rf"resnet\.{i}\.(.+)": rf"encoder.backbone.layer{i - 3}.\1" for i in (4, 5, 6, 7)},
    r"linear\.(\w+)": r"encoder.linear.\1",
    r"bn\.(\w+)": r"encoder.norm.\1",
}

CAPTIONER_DECODER: Table = {  # into Captioner, beside its encoder
    r"embed\.(\w+)": r"decoder.embedding.\1",
    r"lstm\.(\w+)": r"decoder.lstm.\1",
    r"linear\.(\w+)": r"decoder.linear.\1",
}

DISCRIMINATOR: Table = {  # for each of the sizes 64, 128 and 256
    r"img_code_s16\.0\.(\w+)": r"first.\1",
    **{
        rf"img_code_s16\.{place + offset}\.(\w+)": rf"downs.{i}.{part}.\1"
        for i, place in enumerate((2, 5, 8))
        for offset, part in enumerate(("conv", "norm"))
    },
    **{
        rf"img_code_s{side}\.{place}\.(\w+)": rf"downs.{i}.{part}.\1"
        for i, side in ((3, 32), (4, 64))
        for place, part in enumerate(("conv", "norm"))
    },
    **{
        rf"img_code_s{name}\.{place}\.(\w+)": rf"narrows.{i}.{part}.\1"
        for name, i in (("32_1", 0), ("64_1", 0), ("64_2", 1))
        for place, part in enumerate(("conv", "norm"))
    },
    r"COND_DNET\.jointConv\.0\.(\w+)": r"joint.conv.\1",
    r"COND_DNET\.jointConv\.1\.(\w+)": r"joint.norm.\1",
    r"COND_DNET\.outlogits\.0\.(\w+)": r"fits.\1",
    r"UNCOND_DNET\.outlogits\.0\.(\w+)": r"real.\1",
}


def rename(name: str, table: Table) -> str:
    """Our name of a published tensor; raises ValueError if the table does not know it."""
    for theirs, ours in table.items():
        if match := re.fullmatch(theirs, name):
            return match.expand(ours)
    raise ValueError(f"unknown tensor {name!r}")


def translate(state: Mapping[str, Value], table: Table) -> dict[str, Value]:
    """The same tensors under our names, in the same order.

    A leading `module.`, which multi-GPU training leaves, is dropped. Raises ValueError if the
    table does not know a name: the file then belongs to another network.
    """
    return {rename(name.removeprefix("module."), table): value for name, value in state.items()}
