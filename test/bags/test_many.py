"""Several bags: worker processes and a Dask cluster give the results of single runs; failures are reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.bag_files import record, rows

from face_expr_ros.bags import BagError, many
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.many import annotate_many, jobs_of, summary
from face_expr_ros.cli import bags as verbs

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def folder(portrait: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bags and a file that is not a bag."""
    result = tmp_path_factory.mktemp("many") / "in"
    for name, count in (("a", 4), ("b", 6)):
        record(result / name, portrait, count)
    (result / "noise.mcap").write_bytes(b"not a bag")
    return result


def single(folder: Path, out: Path) -> dict[str, Any]:
    """Annotate each bag in a single run."""
    return {name: annotate(Job(folder / name, out / name), bar=False) for name in ("a", "b")}


def test_folder_has_one_job_per_bag(portrait: Image, tmp_path: Path) -> None:
    for name in ("day1/a", "day1/b.2", "c"):
        record(tmp_path / "in" / name, portrait, 1)
    record(tmp_path / "in/out/old", portrait, 1)
    jobs = jobs_of(Job(tmp_path / "in", tmp_path / "in/out"))
    assert [job.out.relative_to(tmp_path / "in/out") for job in jobs] == [Path("c"), Path("day1/a"), Path("day1/b.2")]
    (tmp_path / "in/day1/up").symlink_to(tmp_path / "in")
    assert jobs_of(Job(tmp_path / "in", tmp_path / "in/out")) == jobs, "a link to a parent folder adds no bags"
    (tmp_path / "empty").mkdir()
    (tmp_path / "in/c.mcap").touch()
    with pytest.raises(BagError, match=r"expected bags with different names, got .*/c and .*/c\.mcap"):
        jobs_of(Job(tmp_path / "in", tmp_path / "in/out"))
    with pytest.raises(BagError, match="expected a bag or a folder of bags, found none in"):
        jobs_of(Job(tmp_path / "empty", tmp_path / "out"))


@pytest.mark.slow
def test_worker_processes_give_the_results_of_single_runs(folder: Path, tmp_path: Path) -> None:
    single(folder, tmp_path / "one")
    result = annotate_many(jobs_of(Job(folder, tmp_path / "two")), 2, None, print)
    assert (result["frames"], result["faces"], len(result["bags"])) == (10, 10, 3)
    assert [Path(failure["source"]).name for failure in result["failed"]] == ["noise.mcap"]
    assert "can be read" in result["failed"][0]["error"]
    for name in ("a", "b"):
        assert rows(tmp_path / "two" / name) == rows(tmp_path / "one" / name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # warnings inside Dask
def test_cluster_gives_the_results_of_single_runs(folder: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    single(folder, tmp_path / "one")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        result = annotate_many(jobs_of(Job(folder, tmp_path / "two")), 1, cluster.scheduler_address, print)
    assert (result["frames"], len(result["failed"])) == (10, 1)
    for name in ("a", "b"):
        assert rows(tmp_path / "two" / name) == rows(tmp_path / "one" / name)


@pytest.mark.filterwarnings("ignore")
def test_unreachable_scheduler_is_reported(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("distributed")
    from face_expr_ros.bags import cluster

    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT", 0.5)
    with pytest.raises(BagError, match=r"expected a Dask scheduler at 'tcp://127\.0\.0\.1:9', got no response"):
        cluster.annotate_on_cluster(jobs_of(Job(folder, tmp_path / "two")), "tcp://127.0.0.1:9", 1)


def test_bag_whose_worker_dies_is_retried_and_reported(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Simulated workers: the first one of bag a dies, and all of bag b."""
    started: list[str] = []

    def run_pool(jobs: list[Job], workers: int) -> Any:
        for job in jobs:
            started.append(job.source.name)
            if job.source.name == "a" and started.count("a") > 1:
                yield {**DONE, "source": str(job.source)}
            else:
                yield {"source": str(job.source), "error": "BrokenProcessPool: gone", "worker": "failed"}

    monkeypatch.setattr(many, "_run_pool", run_pool)
    reports: list[str] = []
    jobs = [job for job in jobs_of(Job(folder, tmp_path / "out")) if job.source.suffix == ""]
    outcomes = many.annotate_locally(jobs, 2, reports.append)
    assert started == ["a", "b", "a", "b", "b"]
    assert reports == ["retrying 2 of 2 bags: a, b", "retrying 1 of 2 bags: b"]
    result = summary(outcomes, 2.0)
    assert (result["frames"], result["realtime_factor"]) == (3, 0.5)
    assert result["failed"] == [{"source": str(folder / "b"), "error": "BrokenProcessPool: gone"}]


DONE = {
    "messages_in": 9, "frames": 3, "frames_with_face": 3, "faces": 3, "images_left_out": 0, "recorded_seconds": 1.0
}  # fmt: skip


def test_command_fails_if_a_bag_fails(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from click.testing import CliRunner

    def run_pool(jobs: list[Job], workers: int) -> Any:
        for job in jobs:
            good = job.source.is_dir()
            yield {**DONE, "source": str(job.source)} if good else {"source": str(job.source), "error": "not a bag"}

    monkeypatch.setattr(many, "_run_pool", run_pool)
    arguments = [str(folder), str(tmp_path / "out"), "--jobs", "2", "--json", str(tmp_path / "result.json")]
    answer = CliRunner().invoke(verbs.annotate, arguments, standalone_mode=False)
    assert answer.return_value == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["frames"], len(result["failed"]), len(result["bags"])) == (6, 1, 3)
    assert "bags annotated: 2\nbags failed: 1\n" in answer.stdout
