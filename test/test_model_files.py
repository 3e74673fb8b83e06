"""Released files of others become files of arrays: what is read, what is refused, and that nothing in them is run."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import scipy.io
from numpy.typing import NDArray

from face_expr_ros.bundle import open_bundle
from face_expr_ros.face_model import BundleError, load_face_model
from face_expr_ros.models.basel import write_basel_model, write_mean_and_deviation
from face_expr_ros.models.networks import write_faceboxes, write_mobilenet
from face_expr_ros.models.pickles import read_pickled_arrays
from face_expr_ros.models.torch_files import read_torch_weights

AFLW2000 = Path(__file__).parents[2] / "shared/data/aflw2000"
Weights = dict[str, NDArray[Any]]


# Pickles


class Evil:
    """Makes a folder when it is unpickled without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(5))  # the fifth is for buffers outside the file
def test_arrays_of_every_protocol_are_read(protocol: int) -> None:
    arrays = {"mean": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array([1, 2], ">i8")}
    read = read_pickled_arrays(pickle.dumps(arrays, protocol=protocol), "x.pkl")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)


def test_a_lone_array_has_the_empty_name() -> None:
    np.testing.assert_array_equal(read_pickled_arrays(pickle.dumps(np.arange(3)), "x.pkl")[""], [0, 1, 2])


@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"u": evil}, lambda evil: {"u": np.array([evil])}])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_before_anything_is_called(
    tmp_path: Path, wrap: Callable[[Evil], Any], protocol: int
) -> None:
    data = pickle.dumps(wrap(Evil(tmp_path / "made")), protocol=protocol)
    with pytest.raises(BundleError, match=r"x\.pkl is not a whole pickle of arrays: it names posix\.mkdir"):
        read_pickled_arrays(data, "x.pkl")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"u": [1, 2]}, "x.pkl holds list as 'u'; arrays of numbers were wanted"),
        ("text", "x.pkl holds str as ''"),
        ({"u": np.array([None])}, "x.pkl holds an array of object as 'u'"),
        ({"u": np.array(["a"])}, "x.pkl holds an array of <U1 as 'u'"),
    ],
)
def test_a_pickle_of_anything_but_arrays_is_refused(value: Any, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        read_pickled_arrays(pickle.dumps(value), "x.pkl")


@pytest.mark.parametrize("kept", [0, 1, 20, 100])
def test_a_truncated_pickle_is_refused(kept: int) -> None:
    data = pickle.dumps({"u": np.zeros(100)})
    with pytest.raises(BundleError, match="is not a whole pickle of arrays"):
        read_pickled_arrays(data[:kept], "x.pkl")


# Checkpoints of PyTorch, written here without it


class FakeStorage:
    """Numbers that tensors are views of."""

    def __init__(self, key: str, numbers: NDArray[Any]) -> None:
        self.key, self.numbers = key, numbers


class FakeTensor:
    """A view of a storage, pickled as PyTorch does it."""

    def __init__(self, storage: FakeStorage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.view = (storage, offset, shape, stride)

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (*self.view, False, OrderedDict())


class TorchPickler(pickle.Pickler):
    """Names storages instead of writing them."""

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, FakeStorage):
            return None
        kind = {"f": "FloatStorage", "i": "LongStorage"}[obj.numbers.dtype.kind]
        return ("storage", getattr(sys.modules["torch"], kind), obj.key, "cpu", obj.numbers.size, None)[: self.parts]

    parts = 6  # the legacy format has a sixth, for views


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of PyTorch as a pickle names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None:
        raise AssertionError("PyTorch is not called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    monkeypatch.setattr(utils, "_rebuild_tensor_v2", _rebuild_tensor_v2, raising=False)
    for name in ("FloatStorage", "LongStorage"):
        monkeypatch.setattr(torch, name, type(name, (), {"__module__": "torch"}), raising=False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def storages_of(value: Any) -> dict[str, FakeStorage]:
    if isinstance(value, FakeTensor):
        return {value.view[0].key: value.view[0]}
    values = value.values() if isinstance(value, dict) else ()
    return {key: storage for entry in values for key, storage in storages_of(entry).items()}


def pickled(value: Any, parts: int) -> bytes:
    buffer = io.BytesIO()
    pickler = TorchPickler(buffer, protocol=2)
    pickler.parts = parts
    pickler.dump(value)
    return buffer.getvalue()


def legacy(value: Any) -> bytes:
    """A checkpoint as PyTorch wrote it before 1.6."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    storages = storages_of(value)
    parts = [pickle.dumps(part, protocol=2) for part in head]
    parts += [pickled(value, 6), pickle.dumps(sorted(storages), protocol=2)]
    for key in sorted(storages):
        parts += [np.int64(storages[key].numbers.size).tobytes(), storages[key].numbers.tobytes()]
    return b"".join(parts)


def zipped(value: Any) -> bytes:
    """A checkpoint as PyTorch writes it since 1.6."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("name/data.pkl", pickled(value, 5))
        archive.writestr("name/byteorder", "little")
        for key, storage in storages_of(value).items():
            archive.writestr(f"name/data/{key}", storage.numbers.tobytes())
    return buffer.getvalue()


def checkpoint(weights: Weights, prefix: str = "module.") -> dict[str, Any]:
    """Every weight a tensor with a storage of its own."""
    tensors = {}
    for number, (name, weight) in enumerate(weights.items()):
        stride = tuple(step // weight.itemsize for step in np.zeros(weight.shape, weight.dtype).strides)
        tensors[prefix + name] = FakeTensor(FakeStorage(str(number), weight.ravel()), 0, weight.shape, stride)
    return {"epoch": 7, "state_dict": OrderedDict(tensors)}


FORMATS = pytest.mark.parametrize("write", [legacy, zipped])


@FORMATS
def test_weights_of_both_formats_are_read_without_pytorch(write: Callable[[Any], bytes]) -> None:
    weights = {
        "conv.weight": np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32),
        "bn.num_batches_tracked": np.array(12),
    }
    read = read_torch_weights(write(checkpoint(weights)), "x.pth")
    assert read.keys() == weights.keys()
    for name, weight in weights.items():
        np.testing.assert_array_equal(read[name], weight)
        assert read[name].shape == weight.shape


@FORMATS
def test_a_transposed_view_of_a_shared_storage_is_read_as_what_it_shows(write: Callable[[Any], bytes]) -> None:
    storage = FakeStorage("0", np.arange(20, dtype=np.float32))
    value = {"a": FakeTensor(storage, 4, (2, 3), (1, 2)), "b": FakeTensor(storage, 19, (), ())}
    read = read_torch_weights(write(value), "x.pth")
    np.testing.assert_array_equal(read["a"], [[4, 6, 8], [5, 7, 9]])
    assert read["b"] == 19


@FORMATS
@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(0, (21,), (1,)), (15, (2, 3), (3, 1)), (-1, (2,), (1,)), (4, (3,), (-2,)), (0, (2,), (10**15,))],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(
    write: Callable[[Any], bytes], offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    value = {"a": FakeTensor(FakeStorage("0", np.arange(20, dtype=np.float32)), offset, shape, stride)}
    with pytest.raises(BundleError, match=r"x\.pth is not a whole file of PyTorch weights: .* reaches beyond its 20"):
        read_torch_weights(write(value), "x.pth")


@FORMATS
@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(write: Callable[[Any], bytes], part: float) -> None:
    data = write(checkpoint({"conv.weight": np.zeros((32, 3, 3, 3), np.float32)}))
    with pytest.raises(BundleError, match="is not a whole file of PyTorch weights"):
        read_torch_weights(data[: int(part * len(data))], "x.pth")


@FORMATS
def test_a_malicious_checkpoint_is_refused_before_anything_is_called(
    write: Callable[[Any], bytes], tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"it names posix\.mkdir, and only arrays are read"):
        read_torch_weights(write({"state_dict": Evil(tmp_path / "made")}), "x.pth")
    assert not (tmp_path / "made").exists()


@FORMATS
def test_anything_but_tensors_among_the_weights_is_refused(write: Callable[[Any], bytes]) -> None:
    with pytest.raises(BundleError, match="it holds str among its weights"):
        read_torch_weights(write({"state_dict": {"a": "text"}}), "x.pth")


# Networks


def batch_norm(name: str, width: int, random: np.random.Generator) -> Weights:
    return {
        f"{name}.weight": random.uniform(0.5, 1.5, width).astype(np.float32),
        f"{name}.bias": random.normal(0, 0.1, width).astype(np.float32),
        f"{name}.running_mean": random.normal(0, 0.1, width).astype(np.float32),
        f"{name}.running_var": random.uniform(0.5, 1.5, width).astype(np.float32),
        f"{name}.num_batches_tracked": np.array(5),
    }


def mobilenet_weights(widen: float, outputs: int = 62) -> Weights:
    """Random weights with the names and shapes of 3DDFA_V2's MobileNet V1."""
    random = np.random.default_rng(3)
    widths = [int(widen * width) for width in (32, 64, 128, 128, 256, 256, 512, *[512] * 5, 1024, 1024)]
    names = ["dw2_1", "dw2_2", "dw3_1", "dw3_2", "dw4_1", "dw4_2", *(f"dw5_{i}" for i in range(1, 7)), "dw6"]

    def filters(*shape: int) -> NDArray[np.float32]:
        return (random.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)

    weights: Weights = {"conv1.weight": filters(widths[0], 3, 3, 3), **batch_norm("bn1", widths[0], random)}
    for name, before, after in zip(names, widths[:-1], widths[1:], strict=True):
        weights[f"{name}.conv_dw.weight"] = filters(before, 1, 3, 3)
        weights |= batch_norm(f"{name}.bn_dw", before, random)
        weights[f"{name}.conv_sep.weight"] = filters(after, before, 1, 1)
        weights |= batch_norm(f"{name}.bn_sep", after, random)
    weights |= {"fc_param.weight": filters(outputs, widths[-1]), "fc_param.bias": filters(outputs, 1)[:, 0]}
    return weights | {"fc_lm.weight": filters(136, widths[-1]), "fc_lm.bias": filters(136, 1)[:, 0]}


def faceboxes_weights() -> Weights:
    """Random weights with the names and shapes of FaceBoxes."""
    random = np.random.default_rng(4)
    layers = {"conv1": (24, 3, 7), "conv2": (64, 48, 5)}
    for i in (1, 2, 3):
        layers |= {f"inception{i}.branch1x1{end}": (32, 128, 1) for end in ("", "_2")}
        layers |= {f"inception{i}.branch3x3_reduce{end}": (24, 128, 1) for end in ("", "_2")}
        layers |= {f"inception{i}.branch3x3{end}": (32, 24, 3) for end in ("", "_2")}
        layers[f"inception{i}.branch3x3_3"] = (32, 32, 3)
    layers |= {"conv3_1": (128, 128, 1), "conv3_2": (256, 128, 3), "conv4_1": (128, 256, 1), "conv4_2": (256, 128, 3)}
    weights: Weights = {}
    for name, (after, before, kernel) in layers.items():
        size = (after, before, kernel, kernel)
        weights[f"{name}.conv.weight"] = (random.normal(size=size) / kernel / np.sqrt(before)).astype(np.float32)
        weights |= batch_norm(f"{name}.bn", after, random)
    for head, numbers in (("loc", 4), ("conf", 2)):
        for level, (before, priors) in enumerate(((128, 21), (256, 1), (256, 1))):
            size = (numbers * priors, before, 3, 3)
            weights[f"{head}.{level}.weight"] = (random.normal(size=size) / 60).astype(np.float32)
            weights[f"{head}.{level}.bias"] = random.normal(size=numbers * priors).astype(np.float32)
    return weights


def run(path: Path, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": x})


def convolve(x: NDArray[Any], weight: NDArray[Any], stride: int, depthwise: bool = False) -> NDArray[np.float64]:
    """(C, h, w) -> (out, ...), zero-padded by half a kernel: the definition, written down."""
    size = weight.shape[2]
    padded = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    if depthwise:
        return np.einsum("chwij,cij->chw", windows, weight[:, 0])
    return np.einsum("chwij,ocij->ohw", windows, weight)


def reference_mobilenet(weights: Weights, x: NDArray[Any]) -> NDArray[np.float64]:
    """One image through the network, batch normalization as it was trained, in float64."""

    def layer(x: NDArray[Any], conv: str, norm: str, stride: int = 1, depthwise: bool = False) -> NDArray[np.float64]:
        y = convolve(x, weights[f"{conv}.weight"].astype(np.float64), stride, depthwise)
        w, b, mean, variance = (
            weights[f"{norm}.{part}"].astype(np.float64)[:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return np.maximum((y - mean) / np.sqrt(variance + 1e-5) * w + b, 0)

    x = layer(x, "conv1", "bn1", 2)
    for name in [n.removesuffix(".conv_dw.weight") for n in weights if n.endswith(".conv_dw.weight")]:
        stride = 2 if name in ("dw2_2", "dw3_2", "dw4_2", "dw5_6") else 1
        x = layer(x, f"{name}.conv_dw", f"{name}.bn_dw", stride, depthwise=True)
        x = layer(x, f"{name}.conv_sep", f"{name}.bn_sep")
    return weights["fc_param.weight"] @ x.mean(axis=(1, 2)) + weights["fc_param.bias"]


@pytest.mark.parametrize("widen", [0.125, 0.25])
def test_a_mobilenet_of_any_width_gives_what_its_definition_gives_for_a_batch(tmp_path: Path, widen: float) -> None:
    weights = mobilenet_weights(widen)
    write_mobilenet(weights, tmp_path / "mb.onnx")
    x = np.random.default_rng(5).uniform(-1, 1, (3, 3, 120, 120)).astype(np.float32)
    (answers,) = run(tmp_path / "mb.onnx", x)
    expected = np.stack([reference_mobilenet(weights, image) for image in x.astype(np.float64)])
    np.testing.assert_allclose(answers, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("height", "width"), [(1, 1), (31, 33), (128, 128), (97, 300)])
def test_faceboxes_takes_any_size_and_answers_for_every_prior(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int
) -> None:
    path = tmp_path_factory.mktemp("faceboxes") / "faceboxes.onnx"
    write_faceboxes(faceboxes_weights(), path)
    loc, conf = run(path, np.zeros((1, 3, height, width), np.float32))
    count = sum(n * -(-height // step) * -(-width // step) for step, n in ((32, 21), (64, 1), (128, 1)))
    assert loc.shape == (1, count, 4)
    assert conf.shape == (1, count, 2)
    np.testing.assert_allclose(conf.sum(axis=2), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dw3_1.conv_sep.weight": None}, "lack 'dw3_1.conv_sep.weight'"),
        ({"extra.weight": np.zeros(3, np.float32)}, "have extra.weight, which the network does not"),
        ({"conv1.weight": np.full((4, 3, 3, 3), np.nan, np.float32)}, "'conv1.weight' with values that are not finite"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    weights = {name: w for name, w in (mobilenet_weights(0.125) | change).items() if w is not None}
    with pytest.raises(BundleError, match=words):
        write_mobilenet(weights, tmp_path / "mb.onnx")
    assert not (tmp_path / "mb.onnx").exists()


# The Basel Face Model: a made-up one, a bowl whose points are on its surface


@pytest.fixture
def release(tmp_path: Path) -> dict[str, Path]:
    """Files of the layout of bfm_noneck_v3.pkl and its companions."""
    random = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 20), np.linspace(-1, 1, 20)), axis=-1).reshape(-1, 2)
    mean = np.column_stack([grid * 80_000, 120_000 - 50_000 * (grid**2).sum(axis=1)])  # micrometers, z out of the face
    corner = (np.arange(19)[:, None] * 20 + np.arange(19)).ravel()
    quads = [[corner, corner + 20, corner + 1], [corner + 1, corner + 20, corner + 21]]  # clockwise seen from outside
    vertices = random.permutation(400)[:68]
    arrays = {
        "u": mean.reshape(-1, 1),
        "w_shp": random.normal(0, 0.003, (1200, 40)).astype(np.float32),
        "w_exp": random.normal(0, 3.0, (1200, 10)).astype(np.float32),
        "keypoints": (vertices[:, None] * 3 + np.arange(3)).ravel().astype(np.uint64),
        "tri": np.full((3, 5), 46_851),  # the model's own triangles, which are not to be used
    }
    kept = random.permutation(500)[:400].astype(np.int32)
    (tmp_path / "bfm_noneck_v3.pkl").write_bytes(pickle.dumps(arrays, protocol=3))
    (tmp_path / "tri.pkl").write_bytes(pickle.dumps(np.concatenate(quads, axis=1).astype(np.int32), protocol=4))
    np.save(tmp_path / "indices.npy", kept)
    uv = np.zeros((500, 2))
    uv[kept] = (grid + 1) / 2
    scipy.io.savemat(tmp_path / "BFM_UV.mat", {"UV": uv})
    (tmp_path / "bfm68").mkdir()
    for name, key in (("u_base", "u"), ("w_shp_base", "w_shp"), ("w_exp_base", "w_exp")):
        np.savetxt(tmp_path / f"bfm68/{name}.txt", arrays[key][arrays["keypoints"].astype(int)], fmt="%.8f")
    return {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}


def test_a_dense_basel_model_becomes_one_of_ours(release: dict[str, Path], tmp_path: Path) -> None:
    released = pickle.loads(release["bfm_noneck_v3.pkl"].read_bytes())
    origin = write_basel_model(release, tmp_path / "model.npz")
    model = load_face_model(tmp_path / "model.npz")
    assert not model.sparse
    np.testing.assert_array_equal(model.landmarks68, released["keypoints"][::3] // 3)
    np.testing.assert_array_equal(model.mean[model.sellion], 0)
    assert model.sellion == model.landmarks68[27]
    shape, expression = np.linspace(-3e5, 3e5, 40), np.linspace(-2, 2, 10)
    expected = released["u"][:, 0] + released["w_shp"] @ shape + released["w_exp"] @ expression
    vertices = model.vertices(shape, expression) + origin
    np.testing.assert_allclose(vertices, expected.reshape(-1, 3) * 1e-6, atol=1e-7)  # a tenth of a micrometer
    assert model.expression_names == tuple(f"bfm_exp_{i}" for i in range(10))
    corners = model.mean[model.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).all()  # counter-clockwise from outside: the bowl opens away from the camera
    np.testing.assert_allclose(model.uv, (model.mean + origin)[:, :2] / 0.16 + 0.5, atol=1e-6)
    np.testing.assert_array_equal(model.uv_triangles, model.triangles)
    assert len(model.mirror) == len(model.facemesh_triangle) == len(model.part_names) == 0


def test_the_sparse_model_is_the_dense_one_at_its_68_points(release: dict[str, Path], tmp_path: Path) -> None:
    origin = write_basel_model(release, tmp_path / "dense.npz")
    sparse_origin = write_basel_model(
        {name: path for name, path in release.items() if name != "bfm_noneck_v3.pkl"}, tmp_path / "sparse.npz"
    )
    dense, sparse = load_face_model(tmp_path / "dense.npz"), load_face_model(tmp_path / "sparse.npz")
    assert sparse.sparse
    assert sparse.mean.shape == (68, 3)
    np.testing.assert_array_equal(sparse.landmarks68, np.arange(68))
    np.testing.assert_allclose(sparse_origin, origin, atol=1e-9)
    shape, expression = np.full(40, 2e5), np.full(10, 1.5)
    expected = dense.vertices(shape, expression)[dense.landmarks68]
    np.testing.assert_allclose(sparse.vertices(shape, expression), expected, atol=1e-6)  # a micrometer: 8 decimals


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("bfm_noneck_v3.pkl", pickle.dumps({"u": np.zeros((9, 1))}), "lacks 'keypoints'; it has 'u'"),
        ("tri.pkl", pickle.dumps(np.full((3, 4), 400)), "the model has 400 vertices, the indices go beyond"),
        ("tri.pkl", pickle.dumps(np.full((4, 3), 1)), r"'triangles' of shape \(4, 3\); \(3, None\) was wanted"),
        ("indices.npy", b"\x93NUMPY", "indices.npy and BFM_UV.mat are damaged or do not fit"),
        ("BFM_UV.mat", b"MATLAB", "indices.npy and BFM_UV.mat are damaged or do not fit"),
    ],
)
def test_a_part_that_does_not_fit_is_named(
    release: dict[str, Path], tmp_path: Path, file: str, content: bytes, words: str
) -> None:
    release[file].write_bytes(content)
    with pytest.raises(BundleError, match=words):
        write_basel_model(release, tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()


def test_mean_and_deviation_of_different_lengths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"mean": np.zeros(62), "std": np.zeros(61)}))
    with pytest.raises(BundleError, match=r"x\.pkl has mean of \(62,\) and std of \(61,\)"):
        write_mean_and_deviation(tmp_path / "x.pkl", tmp_path / "x.npz", np.zeros(3))


# The real files, where they are


@pytest.mark.skipif(not AFLW2000.is_dir(), reason="the images are not here")
def test_the_released_network_gives_the_original_implementations_parameters_and_points(tddfa_bundle: Path) -> None:
    bundle = open_bundle("3ddfa_v2")
    assert bundle.sparse
    assert bundle.network is not None
    assert bundle.network.path.parent == tddfa_bundle
    network, truth = bundle.network, np.load(AFLW2000 / "ground_truth.npz")
    parameters, points = truth["mb05_params"][0], truth["mb05_pts68"][0]
    assert (len(parameters), network.mean.shape) == (62, (62,))
    weak = parameters[:12].reshape(3, 4)
    vertices = bundle.model.vertices(parameters[12:52], parameters[52:]) + network.origin
    projected = weak[:, :3] @ vertices.T / network.model_unit + weak[:, 3:]
    # Both are the same points in the crop's and the image's pixels: equal but for scale and shift of each axis.
    for axis, sign in ((0, 1), (1, -1)):
        slope, shift = np.polyfit(projected[axis], points[axis], 1)
        assert slope * sign > 0
        np.testing.assert_allclose(projected[axis] * slope + shift, points[axis], atol=0.01)  # pixels
