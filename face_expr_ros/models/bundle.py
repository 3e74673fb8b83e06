"""Opens model files against weights/manifest.yaml."""

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
from face_expr_ros.models.decimation import with_decimation

FloatArray = NDArray[np.float64]
MANIFEST = "weights/manifest.yaml"
RECORD = "installed.json"
_RESTORE = "restore it from the repository or rebuild it"
PARAMETERS = 12  # numbers of the weak perspective, before the coefficients


@dataclass(frozen=True)
class Network:
    """An ONNX file with what is needed to read its answer.

    Attributes:
        path, sha256: the file.
        input_name, output_name: of the ONNX graph; the output has P numbers or P + 1, the last a face's logit.
        input_size: side of the square crop it looks at, pixels.
        mean, std: (P,), P = 12 + shape_count + expression_count; parameters = output * std + mean.
        shape_count, expression_count: coefficients, as many as the face model has.
        model_unit: meters per unit of the network's model coordinates: 1e-6 for the Basel Face Model.
        origin: (3,) meters, what was subtracted from those coordinates to put the sellion at the origin.
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


@dataclass(frozen=True)
class Bundle:
    """A face model, with a network that fits it and a face detector where the bundle has them.

    Attributes:
        name: in the manifest.
        sparse: the face model is the 68 iBUG points alone.
        model: the face model.
        network: fits the model to a crop; None where the bundle has none.
        detector_path: FaceBoxes as ONNX; None where the bundle has none.
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
    """The bundles by name, each with licence, source, its files, and what they are made from."""
    bundles: dict[str, Any] = _whole_manifest()["bundles"]
    return bundles


def bundle_entry(name: str) -> dict[str, Any]:
    """What the manifest says of a bundle. Raises BundleError when there is none of this name."""
    if name not in manifest():
        raise BundleError(f"there is no bundle {name!r} in {MANIFEST}; there are {', '.join(manifest())}")
    entry: dict[str, Any] = manifest()[name]
    return entry


def bundle_folder(name: str) -> Path:
    """Where a fetched bundle is installed: in $FACE_EXPR_HOME, or face_expr_ros in $XDG_DATA_HOME (~/.local/share)."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    home = os.environ.get("FACE_EXPR_HOME") or Path(data) / PACKAGE
    return Path(home) / "bundles" / name


def open_bundle(name: str, network: str = "") -> Bundle:
    """A bundle, after the hashes of its files are checked and network and face model are seen to fit.

    Args:
        name: a bundle of the manifest.
        network: one of its networks; "" is the first.

    Raises:
        BundleError: there is no such bundle or network, it is not installed, a file is missing or not the right one, or
            the files do not fit each other.
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
    """The face model of a bundle, after its hash is checked.

    Raises:
        BundleError: there is no such bundle, it is not installed, or a file is missing or not the right one.
    """
    files = _Files(bundle)
    return _open_model(files)


def package_file(entry: str, name: str) -> Path:
    """A file that every bundle uses, by its entry in the manifest, after its hash is checked.

    Raises:
        BundleError: it is missing or not the right one.
    """
    wanted = _whole_manifest()[entry][name]
    return _checked(resource_path(wanted["file"]), wanted["sha256"], entry, _RESTORE)


class _Files:
    """The files of a bundle, checked when they are asked for."""

    def __init__(self, bundle: str) -> None:
        self.bundle = bundle
        self.entry = bundle_entry(bundle)
        self.installed = _read_record(bundle) if "fetch" in self.entry else {}

    def path(self, entry: dict[str, str]) -> Path:
        """The path of a file of the package, or of an installed one."""
        path, wanted, advice = self._location(entry)
        return _checked(path, wanted, f"bundle {self.bundle!r}", advice)

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


def _checked(path: Path, wanted: str, owner: str, advice: str) -> Path:
    """The path, after the file's hash is seen to be the wanted one."""
    try:
        given = sha256_of(path)
    except OSError as error:
        raise BundleError(f"{path} of {owner} cannot be read: {error.strerror}; {advice}") from error
    if given != wanted:
        raise BundleError(
            f"{path} is not the file that {owner} needs: its sha256 should be {wanted} and is {given}; {advice}"
        )
    return path


def _read_record(bundle: str) -> dict[str, str]:
    """The sha256 of each file that fetch-models has installed; what they were made from must be the manifest's."""
    path = bundle_folder(bundle) / RECORD
    if not path.is_file():
        raise BundleError(f"bundle {bundle!r} is not installed in {path.parent}: run face_expr fetch-models {bundle}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        sources = dict(record["sources"])
        files = {name: str(file["sha256"]) for name, file in record["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is damaged ({error}); {_fetch_again(bundle)}") from error
    wanted = {file["name"]: file["sha256"] for file in bundle_entry(bundle)["fetch"]["files"]}
    if other := [name for name, sha256 in sources.items() if wanted.get(name) != sha256]:
        raise BundleError(
            f"{path} says that the bundle was made from another {', '.join(other)} than {MANIFEST} names; "
            f"{_fetch_again(bundle)}"
        )
    return files


def _open_model(files: _Files) -> MorphableModel:
    model = load_face_model(files.path(files.entry["face_model"]))
    decimation = files.entry.get("decimation")
    return with_decimation(model, files.path(decimation)) if decimation else model


def _open_network(files: _Files, model: MorphableModel, name: str) -> Network | None:
    networks = files.entry.get("networks", {})
    if name and name not in networks:
        has = ", ".join(networks) or "none"
        raise BundleError(f"bundle {files.bundle!r} has no network {name!r}; it has {has}")
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
        **_read_mean_std(mean_std),
    )
    _check_network(network, model)
    return network


def _read_mean_std(path: Path) -> dict[str, FloatArray]:
    """mean and std (P,), and origin (3,), which is zero where the file has none."""
    arrays = {"origin": np.zeros(3), **read_arrays(path.read_bytes(), path)}
    if missing := {"mean", "std"} - set(arrays):
        raise BundleError(f"{path} lacks {', '.join(sorted(missing))}")
    for name in ("mean", "std", "origin"):
        if arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
            raise BundleError(f"{path} has {name} with values that are not finite numbers")
    return {name: arrays[name].astype(np.float64) for name in ("mean", "std", "origin")}


def _check_network(network: Network, model: MorphableModel) -> None:
    """Raise BundleError unless the network's file, its mean and std, and the face model fit each other."""
    counts, bases = (network.shape_count, network.expression_count), (len(model.identity), len(model.expression))
    if counts != bases:
        raise BundleError(
            f"{network.path} gives {counts[0]} shape and {counts[1]} expression coefficients, and the face model "
            f"{model.name!r} has {bases[0]} and {bases[1]}: they do not fit"
        )
    width = PARAMETERS + sum(counts)
    shapes = (network.mean.shape, network.std.shape, network.origin.shape)
    if shapes != ((width,), (width,), (3,)):
        raise BundleError(
            f"{network.path} has mean, std and origin of shapes {shapes}; ({width},) and (3,) were wanted"
        )
    _check_shapes(network, width)


def _check_shapes(network: Network, width: int) -> None:
    # onnxruntime is loaded only where a network is opened: the synthetic camera opens the face model alone.
    from face_expr_ros.models.onnx_session import input_and_output_shapes

    inputs, outputs = input_and_output_shapes(network.path)
    size = network.input_size
    if list(inputs) != [network.input_name] or inputs[network.input_name][1:] != (3, size, size):
        wanted = f"{network.input_name!r} of shape (n, 3, {size}, {size})"
        raise BundleError(f"{network.path} has the inputs {inputs}; {wanted} was wanted")
    output = outputs.get(network.output_name, ())
    if len(output) != 2 or output[1] not in (width, width + 1):
        wanted = f"{network.output_name!r} of shape (n, {width}) or (n, {width + 1})"
        raise BundleError(f"{network.path} has the outputs {outputs}; {wanted} was wanted")


def _fetch_again(bundle: str) -> str:
    return f"run face_expr fetch-models {bundle} again"


def write_hash(path: Path) -> None:
    """Write the sha256 of a rebuilt file into the source tree's manifest; a file the manifest does not name is left."""
    target = resource_path(MANIFEST)
    pattern = rf"(file: \S*{re.escape(path.name)}\n\s*sha256: )\S*"
    text = target.read_text(encoding="utf-8")
    target.write_text(re.sub(pattern, rf"\g<1>{sha256_of(path)}", text), encoding="utf-8")


def sha256_of(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
