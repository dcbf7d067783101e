"""The published checkpoints (microsoft/Bringing-Old-Photos-Back-to-Life, MIT), by their names.

The archive is ``global_checkpoints.zip`` of release v1.0. No digest of it has been published, so
no card can vouch for it and nothing here downloads it; what was imported is vouched for by cards
written at the import. The variant with patch attention for large pictures is left out.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping as Table
from pathlib import Path
from typing import Any

import tomli_w
import torch
from torch import Tensor, nn

from oldfix import EnvironmentProblem, WeightsError, first_line, write_network
from oldfix_triplet import mapping, vae

URL = (
    "https://github.com/microsoft/Bringing-Old-Photos-Back-to-Life/"
    "releases/download/v1.0/global_checkpoints.zip"
)
#: For each kind of restoration: the files of VAE1, of VAE2 and of T, and the arguments of T.
KINDS: dict[str, tuple[tuple[str, str, str], dict[str, Any]]] = {
    "quality": (
        (
            "VAE_A_quality/latest_net_G.pth",
            "VAE_B_quality/latest_net_G.pth",
            "mapping_quality/latest_net_mapping_net.pth",
        ),
        mapping.PUBLISHED,
    ),
    "scratch": (
        (
            "VAE_A_quality/latest_net_G.pth",
            "VAE_B_scratch/latest_net_G.pth",
            "mapping_scratch/latest_net_mapping_net.pth",
        ),
        mapping.PUBLISHED_WITH_MASK,
    ),
}
_PLUGIN = '''"""Cards of imported networks; written by ``oldfix import-triplet``."""

from pathlib import Path

from oldfix import hookimpl, read_cards


@hookimpl
def oldfix_weights():
    """The cards in the file beside this one."""
    return read_cards(Path(__file__).with_suffix(".toml"))
'''
_LIMITS = (
    "Trained on crops of 256 pixels; its autoencoder loses fine detail (about 24 dB in an "
    "independent reproduction) and may shift colours. Looks at the whole picture at once: memory "
    "grows with its size."
)


def vae_names() -> dict[str, str]:
    """Our names of an autoencoder's layers, and the published ones."""
    return {
        **{f"encoder.{i}.0": f"encoder.{j}" for i, j in enumerate((1, 4, 7))},
        **dict(_blocks("encoder", 3, "encoder", range(10, 14))),
        **dict(_blocks("decoder", 0, "decoder", range(4))),
        "decoder.4.0": "decoder.4",
        "decoder.5.0": "decoder.7",
        "decoder.6": "decoder.11",
    }


def mapping_names(*, attention: bool) -> dict[str, str]:
    """Our names of the mapping network's layers, and the published ones."""
    before, after, start = ("before_NL", "after_NL", 0) if attention else ("model", "model", 12)
    names = {f"entry.{i}.0": f"{before}.{3 * i}" for i in range(4)}
    names |= dict(_blocks("blocks", 0, after, range(start, start + 6)))
    names |= {f"back.{i}.0": f"{after}.{start + 6 + 3 * i}" for i in range(3)}
    names["exit"] = f"{after}.{start + 15}"
    if attention:
        ours_and_theirs = {"theta": "theta", "phi": "phi", "mu": "g", "nu": "W"}
        names |= {f"attention.{a}": f"NL.{b}" for a, b in ours_and_theirs.items()}
        names |= dict(_blocks("attention.rho", 0, "NL.res_block", range(3)))
    return names


def _blocks(ours: str, first: int, theirs: str, numbers: range) -> Iterator[tuple[str, str]]:
    """Both convolutions of residual blocks."""
    for index, number in enumerate(numbers, first):
        for name, layer in (("first", 1), ("second", 5)):
            yield f"{ours}.{index}.{name}", f"{theirs}.{number}.conv_block.{layer}"


def take(net: nn.Module, names: Table[str, str], state: Table[str, Tensor], where: str) -> None:
    """Give a network the tensors of a published checkpoint.

    Args:
        net: ours, in the published configuration.
        names: our names of its layers, and the published ones.
        state: the checkpoint.
        where: what to call it in messages.

    Raises:
        WeightsError: a layer is missing, left over, or of another shape.
    """
    state = {name.removeprefix("module."): value for name, value in state.items()}
    wanted = {
        f"{ours}.{kind}": f"{theirs}.{kind}"
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
    }
    missing, left = set(wanted.values()) - set(state), set(state) - set(wanted.values())
    if missing or left:
        lines = [f"{len(missing)} layers missing", f"{len(left)} left over"]
        example = sorted(missing or left)[0]
        raise WeightsError(f"{where}: is not the published network ({', '.join(lines)}: {example})")
    try:
        net.load_state_dict({ours: state[theirs] for ours, theirs in wanted.items()})
    except RuntimeError as error:
        line = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{where}: is not the published network ({line})") from None


def import_published(source: Path, out: Path) -> list[str]:
    """Convert the published networks, and write cards and a plugin that offers them.

    Args:
        source: the archive, or a folder that it was unpacked into.
        out: folder for the converted networks (float16), ``triplet_published.toml`` and ``.py``.

    Returns:
        Ids of the cards written; all kinds of `KINDS` whose files are there.

    Raises:
        WeightsError: no kind is complete, or a file is not what its name says; nothing but
            tensors is ever read.
        EnvironmentProblem: ``out`` cannot be written (a full disk, say).
    """
    files = _files(source)
    whole = {kind: names for kind, (names, _) in KINDS.items() if all(n in files for n in names)}
    if not whole:
        wanted = ", ".join(KINDS["quality"][0])
        raise WeightsError(f"{source}: holds none of the published sets, such as {wanted}")
    cards = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for kind, names in whole.items():
            cards += _import_kind(kind, {name: files[name] for name in names}, KINDS[kind][1], out)
        (out / "triplet_published.toml").write_text(tomli_w.dumps({"card": cards}), "utf-8")
        (out / "triplet_published.py").write_text(_PLUGIN, "utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"{out}: cannot be written ({error.strerror or error}); free some space, or choose "
            "another folder with -o"
        ) from error
    return [card["id"] for card in cards]


def _import_kind(
    kind: str, files: Table[str, Any], arguments: dict[str, Any], out: Path
) -> list[dict[str, Any]]:
    """Convert one pair of autoencoders and one mapping network; return their cards."""
    data = {name: read() for name, read in files.items()}
    states = [_tensors(name, content) for name, content in data.items()]
    names = list(data)
    pair, net = vae.VaePair(**vae.PUBLISHED), mapping.Mapping(**arguments)
    take(pair.found, vae_names(), states[0], names[0])
    take(pair.clean, vae_names(), states[1], names[1])
    take(net, mapping_names(attention=net.attention is not None), states[2], names[2])
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
    latent = _card(f"triplet-vae-{kind}", "triplet-latent", "vae", out, pair, digests)
    mapped = _card(f"triplet-mapping-{kind}", "triplet-mapping", "mapping", out, net, digests)
    latent["parts"] = {
        "encode": {"mode": "whole", "multiple_of": 8, "scale": 0.25},
        "decode": {"mode": "whole", "scale": 4.0},
    }
    mapped["parts"] = {part: {"mode": "whole"} for part in ("enter", "attend", "leave")}
    mapped |= {"requires": [latent["id"]], "rank": 20 if arguments["attention"] else 10}
    return [latent, mapped]


def _card(
    name: str, role: str, module: str, out: Path, net: Any, digests: Table[str, str]
) -> dict[str, Any]:
    """Write a network and return the table of its card, without its parts."""
    path = out / f"{name}.safetensors"
    write_network(path, net, config=net.config)
    content = path.read_bytes()
    members = "; ".join(f"{member} (sha256 {digest})" for member, digest in digests.items())
    return {
        "id": name,
        "role": role,
        "variant": "published",
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": "MIT",
        "source": f"microsoft/Bringing-Old-Photos-Back-to-Life, {URL}, converted from {members}",
        "load": f"oldfix_triplet.{module}:load",
        "tiny": f"oldfix_triplet.{module}:tiny",
        "limits": _LIMITS,
    }


def _files(source: Path) -> dict[str, Any]:
    """Functions that read the published files in an archive or folder, by the end of their path."""
    known = {name for names, _ in KINDS.values() for name in names}
    found: dict[str, Any] = {}
    if source.is_dir():
        for path in sorted(source.rglob("*.pth")):
            found["/".join(path.parts[-2:])] = path.read_bytes
    elif zipfile.is_zipfile(source):
        inside = _members(source)
        for name in inside:
            found["/".join(name.split("/")[-2:])] = _member(source, name)
    else:
        raise WeightsError(f"{source}: is neither a folder nor an archive; give {URL}, downloaded")
    return {name: read for name, read in found.items() if name in known}


def _members(archive: Path) -> list[str]:
    """The names in an archive whose end at least is there."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{archive}: cannot be read ({error}); download it again") from error


def _member(archive: Path, name: str) -> Any:
    def read() -> bytes:
        try:
            with zipfile.ZipFile(archive) as opened:
                return opened.read(name)
        # zlib fails on a damaged member; RuntimeError says that one is encrypted
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise WeightsError(
                f"{archive}: {name} cannot be read ({error}); download it again"
            ) from error

    return read


def _tensors(name: str, content: bytes) -> dict[str, Tensor]:
    """Read a checkpoint; tensors only, no code."""
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if not all(isinstance(value, Tensor) for value in state.values()):
            raise TypeError("holds more than tensors")
    except Exception as error:  # torch raises whatever it likes on a stranger's file
        problem = f"is not a checkpoint of tensors ({first_line(error)})"
        raise WeightsError(f"{name}: {problem}") from None
    return dict(state)
