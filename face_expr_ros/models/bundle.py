"""Opens the model files that weights/manifest.yaml lists, after checking their hashes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError, MorphableModel, load_face_model, read_arrays
from face_expr_ros.core.resources import PACKAGE, resource_path
from face_expr_ros.models.batch_network import input_and_output_shapes
from face_expr_ros.models.decimation import with_decimation

FloatArray = NDArray[np.float64]
MANIFEST = "weights/manifest.yaml"
RECORD = "installed.json"
_RESTORE = "restore it from the repository or rebuild it"
_BLOCK = 1 << 18  # bytes
PARAMETERS = 12  # of the weak perspective, before the coefficients


@dataclass(frozen=True)
class Network:
    """A network's file and the description of its input and output.

    Attributes:
        path, sha256: the file.
        input_name, output_name: in the file; the output has P values or P + 1, the last a face's logit.
        input_size: side of the square input crop, pixels.
        mean, std: (P,), P = 12 + shape_count + expression_count; parameters = output * std + mean.
        shape_count, expression_count: coefficients, as many as the face model has.
        model_unit: meters per unit of the network's model coordinates: 1e-6 for the Basel Face Model.
        origin: (3,) meters, the sellion in those coordinates.
        onnx_path: the same network as ONNX, for a GPU; ``path`` if that is ONNX.
        mirror: run on each crop and its mirror image, and average both; requires a symmetric face model.
    """

    path: Path
    sha256: str
    input_name: str
    output_name: str
    input_size: int
    mean: FloatArray
    std: FloatArray
    shape_count: int
    expression_count: int
    model_unit: float
    origin: FloatArray
    mirror: bool = False
    onnx_path: Path | None = None


@dataclass(frozen=True)
class Bundle:
    """A face model, optionally with a network that fits it and a face detector.

    Attributes:
        name: in the manifest.
        sparse: whether the face model has only the 68 iBUG points.
        model: the face model.
        network: fits the model to a crop; None if the bundle has none.
        detector_path: FaceBoxes as ONNX; None if the bundle has none.
    """

    name: str
    sparse: bool
    model: MorphableModel
    network: Network | None
    detector_path: Path | None


@cache
def _whole_manifest() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(resource_path(MANIFEST).read_text(encoding="utf-8"))
    return content


def manifest() -> dict[str, Any]:
    """The bundles by name, each with license, source, files, and the files they are converted from."""
    bundles: dict[str, Any] = _whole_manifest()["bundles"]
    return bundles


def bundle_entry(name: str) -> dict[str, Any]:
    """The manifest's entry of a bundle. Raises BundleError if there is no bundle of this name."""
    if name not in manifest():
        raise BundleError(f"expected one of the bundles {', '.join(manifest())} of {MANIFEST}, got {name!r}")
    entry: dict[str, Any] = manifest()[name]
    return entry


def bundle_folder(name: str) -> Path:
    """The folder of a fetched bundle, in $FACE_EXPR_HOME or face_expr_ros in $XDG_DATA_HOME (~/.local/share)."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    home = os.environ.get("FACE_EXPR_HOME") or Path(data) / PACKAGE
    return Path(home) / "bundles" / name


def open_bundle(name: str, network: str = "") -> Bundle:
    """A bundle, after checking the hashes of its files and that network and face model are consistent.

    Args:
        name: a bundle of the manifest.
        network: one of its networks; "" is the first.

    Raises:
        BundleError: the bundle or network does not exist or is not installed, a file is missing or has a wrong hash, or
            the files are inconsistent.
    """
    files = _Files(name)
    model = _open_model(files)
    detector = files.entry.get("detector")
    return Bundle(
        name=name,
        sparse=model.sparse,
        model=model,
        network=_open_network(files, model, network),
        detector_path=files.path(detector) if detector else None,
    )


def open_face_model(bundle: str) -> MorphableModel:
    """The face model of a bundle, after checking its hash.

    Raises:
        BundleError: the bundle does not exist or is not installed, or a file is missing or has a wrong hash.
    """
    files = _Files(bundle)
    return _open_model(files)


def package_file(entry: str, name: str) -> Path:
    """A file that all bundles share, by its entry in the manifest, after checking its hash.

    Raises:
        BundleError: it is missing or has a wrong hash.
    """
    file = _whole_manifest()[entry][name]
    return _checked(resource_path(file["file"]), file["sha256"], entry, _RESTORE)


class _Files:
    """The files of a bundle, checked on access."""

    def __init__(self, bundle: str) -> None:
        self.bundle = bundle
        self.entry = bundle_entry(bundle)
        self.installed = _read_record(bundle) if "fetch" in self.entry else {}

    def path(self, entry: dict[str, str]) -> Path:
        """The path of a file of the package, or of an installed one."""
        path, sha256, advice = self._location(entry)
        return _checked(path, sha256, f"bundle {self.bundle!r}", advice)

    def _location(self, entry: dict[str, str]) -> tuple[Path, str, str]:
        if "sha256" in entry:
            return resource_path(entry["file"]), entry["sha256"], _RESTORE
        folder = bundle_folder(self.bundle)
        if entry["file"] not in self.installed:
            raise BundleError(
                f"bundle {self.bundle!r} in {folder} was installed without {entry['file']}; "
                f"it has {', '.join(self.installed) or 'nothing'}; {_fetch_again(self.bundle)}"
            )
        return folder / entry["file"], self.installed[entry["file"]], _fetch_again(self.bundle)


def _checked(path: Path, sha256: str, owner: str, advice: str) -> Path:
    """The path, after checking the file's hash."""
    try:
        actual = sha256_of(path)
    except OSError as error:
        raise BundleError(f"{path} of {owner} cannot be read: {error.strerror}; {advice}") from error
    if actual != sha256:
        raise BundleError(f"{path} of {owner}: expected a file with sha256 {sha256}, got {actual}; {advice}")
    return path


def _read_record(bundle: str) -> dict[str, str]:
    """The sha256 of each file that fetch-models installed, after checking the hashes of their sources."""
    path = bundle_folder(bundle) / RECORD
    if not path.is_file():
        raise BundleError(f"bundle {bundle!r} is not installed in {path.parent}: run face_expr fetch-models {bundle}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        sources = dict(record["sources"])
        files = {name: str(file["sha256"]) for name, file in record["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is damaged ({error}); {_fetch_again(bundle)}") from error
    expected = {file["name"]: file["sha256"] for file in bundle_entry(bundle)["fetch"]["files"]}
    if other := [name for name, sha256 in sources.items() if expected.get(name) != sha256]:
        raise BundleError(
            f"{path}: expected the source files of {MANIFEST}, got another {', '.join(other)}; {_fetch_again(bundle)}"
        )
    return files


def _open_model(files: _Files) -> MorphableModel:
    model = load_face_model(files.path(files.entry["face_model"]))
    decimation = files.entry.get("decimation")
    return with_decimation(model, files.path(decimation)) if decimation else model


def _open_network(files: _Files, model: MorphableModel, name: str) -> Network | None:
    networks = files.entry.get("networks", {})
    if name and name not in networks:
        available = ", ".join(networks) or "none"
        raise BundleError(f"bundle {files.bundle!r}: expected one of the networks {available}, got {name!r}")
    if not networks:
        return None
    entry = networks[name or next(iter(networks))]
    path = files.path(entry)
    mean_std = files.path(entry["mean_std"])
    network = Network(
        path=path,
        sha256=sha256_of(path),
        input_name=entry["input"],
        output_name=entry["output"],
        input_size=entry["input_size"],
        shape_count=entry["shape_count"],
        expression_count=entry["expression_count"],
        model_unit=entry["model_unit"],
        mirror=entry.get("mirror", False),
        onnx_path=files.path(entry["onnx"]) if "onnx" in entry else path,
        **_read_mean_std(mean_std),
    )
    _check_network(network, model)
    return network


def _read_mean_std(path: Path) -> dict[str, FloatArray]:
    """mean and std (P,), and origin (3,), which is zero if the file has none."""
    arrays = {"origin": np.zeros(3), **read_arrays(path.read_bytes(), path)}
    if missing := {"mean", "std"} - set(arrays):
        raise BundleError(f"{path} lacks {', '.join(sorted(missing))}")
    for name in ("mean", "std", "origin"):
        if arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
            raise BundleError(f"{path}: expected finite numbers in {name}, got others")
    return {name: arrays[name].astype(np.float64) for name in ("mean", "std", "origin")}


def _check_network(network: Network, model: MorphableModel) -> None:
    """Raise BundleError unless the network's file, its mean and std, and the face model are consistent."""
    counts, bases = (network.shape_count, network.expression_count), (len(model.identity), len(model.expression))
    if counts != bases:
        raise BundleError(
            f"{network.path}: expected {bases[0]} shape and {bases[1]} expression coefficients, as in the face model "
            f"{model.name!r}, got {counts[0]} and {counts[1]}"
        )
    width = PARAMETERS + sum(counts)
    shapes = (network.mean.shape, network.std.shape, network.origin.shape)
    if shapes != ((width,), (width,), (3,)):
        raise BundleError(
            f"{network.path}: expected mean, std and origin of shapes ({width},), ({width},) and (3,), got {shapes}"
        )
    _check_shapes(network, width)


def _check_shapes(network: Network, width: int) -> None:
    inputs, outputs = input_and_output_shapes(network.path)
    size = network.input_size
    if list(inputs) != [network.input_name] or inputs[network.input_name][1:] != (3, size, size):
        expected = f"{network.input_name!r} of shape (n, 3, {size}, {size})"
        raise BundleError(f"{network.path}: expected the input {expected}, got {inputs}")
    output = outputs.get(network.output_name, ())
    if len(output) != 2 or output[1] not in (width, width + 1):
        expected = f"{network.output_name!r} of shape (n, {width}) or (n, {width + 1})"
        raise BundleError(f"{network.path}: expected the output {expected}, got {outputs}")


def _fetch_again(bundle: str) -> str:
    return f"run face_expr fetch-models {bundle} again"


def write_hash(path: Path) -> None:
    """Update the sha256 of a rebuilt file in the source tree's manifest, if the manifest lists the file."""
    target = resource_path(MANIFEST)
    pattern = rf"(file: \S*{re.escape(path.name)}\n\s*sha256: )\S*"
    text = target.read_text(encoding="utf-8")
    target.write_text(re.sub(pattern, rf"\g<1>{sha256_of(path)}", text), encoding="utf-8")


def sha256_of(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):  # a network at once would be the largest block of memory while loading
            digest.update(block)
    return digest.hexdigest()
