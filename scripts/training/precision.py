"""Half precision in training, on machines that multiply it faster."""

from contextlib import AbstractContextManager

import torch


def bfloat16(device: torch.device | str) -> AbstractContextManager:
    """A context in which convolutions and matrix products are computed in bfloat16, if it pays.

    It pays on graphics cards that know bfloat16, and on CPUs with instructions for it (AVX-512
    BF16, AMX), where a painter's step takes 0.6 of its time. Weights, norms and losses stay in
    float32. Elsewhere the context changes nothing.
    """
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=_pays(kind))


def _pays(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities()
    return kind == "cpu" and bool(known.get("avx512_bf16") or known.get("amx_bf16"))
