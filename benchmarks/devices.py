"""Where a run works: what `auto` means is decided once, before anything is known by it."""


def resolved_device(name: str | None) -> str | None:
    """The device to put into keys and tasks: "auto" is a GPU where there is one, else the CPU.

    Any other name stays as it is, None (the scale's own) as well.
    """
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
