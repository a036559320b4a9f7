"""What networks compute on."""

from scripts.errors import UserError


def choose_device(name: str) -> str:
    """The device to compute on: `auto` is the first graphics card, or the CPU.

    Raises UserError if the device is not there.
    """
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if cards else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = name.partition(":")
    there = {"cpu": True, "cuda": int(number or 0) < cards}.get(kind)
    if there is None:
        there = torch.backends.mps.is_available()
    if not there:
        raise UserError(f"config: this machine has no device {name}; set device to auto or cpu.")
    return name
