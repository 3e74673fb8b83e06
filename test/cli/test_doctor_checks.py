"""Findings of `face_expr doctor`, in simulated environments and on this machine."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from face_expr_ros.cli import doctor_checks as doctor
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models import bundle
from face_expr_ros.ros.fastdds_shared_memory import ProfileError, other_users, segment_size, stale_segments
from face_expr_ros.ros.image_probe import ProbeResult

PACKAGE_PROFILE = str(resource_path("config/fastdds.xml"))
MEGABYTE = 2**20


def profile(folder: Path, segment: int) -> str:
    file = folder / "profile.xml"
    file.write_text(
        f"<dds><transport_descriptor><type>SHM</type><segment_size>{segment}</segment_size></transport_descriptor></dds>"
    )
    return str(file)


def test_packaged_profile_has_room_for_images() -> None:
    assert segment_size(Path(PACKAGE_PROFILE)) == 32 * MEGABYTE
    finding = doctor.examine_profile({"FASTDDS_DEFAULT_PROFILES_FILE": PACKAGE_PROFILE})
    assert finding.level == "ok"
    assert "room for 12 images of 1280x720" in finding.text


def test_missing_profile_is_a_problem_and_the_packaged_one_is_named() -> None:
    finding = doctor.examine_profile({})
    assert finding.level == "problem"
    assert PACKAGE_PROFILE in finding.text


def test_profile_without_segment_size_means_the_fast_dds_default(tmp_path: Path) -> None:
    file = tmp_path / "profile.xml"
    file.write_text("<dds/>")
    assert segment_size(file) == 512 * 1024


@pytest.mark.parametrize("text", [None, "no xml", "<dds><d><type>SHM</type><segment_size>big</segment_size></d></dds>"])
def test_unreadable_profile_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "profile.xml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ProfileError, match=r"profile\.xml cannot be read"):
        segment_size(file)
    assert doctor.examine_profile({"FASTRTPS_DEFAULT_PROFILES_FILE": str(file)}).level == "problem"


def test_small_segment_is_a_problem(tmp_path: Path) -> None:
    finding = doctor.examine_profile({"FASTDDS_DEFAULT_PROFILES_FILE": profile(tmp_path, 4 * MEGABYTE)})
    assert finding.level == "problem"
    assert "4.0 MB of shared memory, room for 1 images" in finding.text


def test_profile_is_irrelevant_with_another_middleware() -> None:
    assert doctor.examine_profile({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).level == "note"


@pytest.mark.parametrize(
    ("domain", "level"), [("", "ok"), ("0", "ok"), ("101", "ok"), ("102", "problem"), ("a", "problem")]
)
def test_domain_is_checked(domain: str, level: str) -> None:
    findings = {finding.subject: finding for finding in doctor.examine_ros_settings({"ROS_DOMAIN_ID": domain})}
    assert findings["ROS_DOMAIN_ID"].level == level


@pytest.mark.parametrize(
    ("rclpy_version", "sourced", "distro"),
    [("9.1.2", "", "kilted"), ("7.1.6", "", "jazzy"), ("7.1.6", "rolling", "rolling"), (None, "", None)],
)
def test_distribution_is_the_sourced_one_or_that_of_the_wheels(
    rclpy_version: str | None, sourced: str, distro: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "version", lambda *names: rclpy_version)
    assert doctor.ros_distro({"ROS_DISTRO": sourced} if sourced else {}) == distro


def test_missing_module_is_a_problem_with_advice() -> None:
    finding = doctor.examine_import("face_expr_ros.no_such_module", (), "build it")
    assert finding.level == "problem"
    assert finding.text.endswith("; build it")


def test_missing_optional_module_is_a_note_with_what_needs_it() -> None:
    finding = doctor.examine_optional("no_such_module", ("no-such-package",), "bundles")
    assert (finding.level, finding.text) == (
        "note", "not installed; only needed by bundles: pip install no-such-package"
    )  # fmt: skip
    assert doctor.examine_optional("numpy", ("numpy",), "all").text == doctor.version("numpy")


def test_bundle_with_a_wrong_file_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"face_model": {"file": "package.xml", "sha256": "0" * 64}}
    monkeypatch.setattr(bundle, "manifest", lambda: {"open": entry, "other": entry})
    state = doctor.examine_bundle("open")
    assert state["available"] is False
    assert "expected a file with sha256" in state["reason"]
    assert doctor.bundle_finding("open", state).level == "problem"
    assert doctor.bundle_finding("other", state).level == "note"  # only the default bundle is required


def test_bundle_that_is_not_installed_is_a_note_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    state = doctor.examine_bundle("3ddfa_v2")
    assert state["available"] is False
    assert "run face_expr fetch-models 3ddfa_v2" in state["reason"]
    assert doctor.bundle_finding("3ddfa_v2", state).level == "note"


def test_sparse_bundle_is_available_with_its_limitation() -> None:
    state = {"available": True, "sparse": True, "reason": doctor.SPARSE}
    finding = doctor.bundle_finding("3ddfa_v2", state)
    assert finding.level == "ok"
    assert "68 points and no mesh" in finding.text


def test_only_segments_of_killed_processes_are_reported(tmp_path: Path) -> None:
    memory, processes = tmp_path / "shm", tmp_path / "proc"
    (processes / "12").mkdir(parents=True)
    memory.mkdir()
    for name in ("fastdds_used", "fastdds_used_el", "fastdds_left", "fastdds_left_el", "fastdds_port7411", "other"):
        (memory / name).touch()
    (processes / "12/maps").write_text(f"7f00-7f01 rw-s 00000000 00:17 5    {memory}/fastdds_used\n")
    assert stale_segments(memory, processes) == [memory / "fastdds_left"]
    finding = doctor.examine_shared_memory(memory)
    assert "rm -f" in finding.text


def test_nodes_of_other_users_are_reported_with_the_udp_profile(tmp_path: Path) -> None:
    assert doctor.examine_other_users(tmp_path).level == "ok"
    (tmp_path / "fastdds_port7411").touch()
    assert other_users(tmp_path) == []
    assert other_users(tmp_path, user=12345) == [getpass.getuser()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a file")
def test_the_user_of_a_container_is_reported_by_number(tmp_path: Path) -> None:
    (tmp_path / "fastdds_port7411").touch()
    os.chown(tmp_path / "fastdds_port7411", 54321, -1)
    finding = doctor.examine_other_users(tmp_path)
    assert finding.level == "note"
    assert "nodes of user 54321 use" in finding.text
    assert "fastdds_udp.xml" in finding.text


def test_shared_memory_that_is_almost_full_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=64 * MEGABYTE))
    finding = doctor.examine_shared_memory(tmp_path)
    assert finding.level == "problem"
    assert finding.text.startswith("64 MB are free")


def test_cameras_are_listed_by_source_name(tmp_path: Path) -> None:
    assert doctor.examine_cameras(tmp_path).level == "note"
    for number in (0, 2):
        (tmp_path / f"video{number}").touch()
    assert doctor.examine_cameras(tmp_path).text == "device:0, device:2"


def test_camera_without_permission_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "video0").touch()
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    assert "sudo usermod -aG video" in doctor.examine_cameras(tmp_path).text


def raises(topic: str, seconds: float) -> ProbeResult:
    raise RuntimeError("no middleware")


@pytest.mark.parametrize(
    ("probe", "environment", "level", "words"),
    [
        (lambda *_: ProbeResult(60, 59), {}, "ok", "59 of 60"),
        (lambda *_: ProbeResult(60, 2), {}, "problem", "2 of 60 .* arrived; Fast DDS profile: no profile is set"),
        (lambda *_: ProbeResult(60, 2), {"FASTDDS_DEFAULT_PROFILES_FILE": PACKAGE_PROFILE}, "problem", "overloaded"),
        (lambda *_: ProbeResult(0, 0), {}, "problem", "did not discover each other"),
        (lambda *_: ProbeResult(0, 0, "no room"), {}, "problem", r"the second process failed \(no room\)"),
        (raises, {}, "problem", r"not tested \(no middleware\)"),
    ],
)
def test_cause_of_lost_images_is_reported(
    probe: Callable[[str, float], ProbeResult], environment: dict[str, str], level: str, words: str
) -> None:
    finding = doctor.examine_transport(environment, probe)
    assert finding.level == level
    assert re.search(words, finding.text)


def face_expr(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from face_expr_ros.cli import main; sys.exit(main())", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_doctor_finds_no_problem_on_this_machine(tmp_path: Path) -> None:
    done = face_expr("doctor", "--json", str(tmp_path / "doctor.json"), FASTDDS_DEFAULT_PROFILES_FILE=PACKAGE_PROFILE)
    report = json.loads((tmp_path / "doctor.json").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert report["ok"] is True
    assert report.keys() >= {"ok", "python", "ros_distro", "backends", "litert", "mediapipe", "onnxruntime", "bundles"}
    assert report["bundles"]["open"] == {"available": True, "sparse": False, "reason": ""}
    assert report["findings"] == done.stdout.splitlines()


@pytest.mark.slow
def test_doctor_detects_lost_images_without_the_profile() -> None:
    environment = dict.fromkeys(("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"), "")
    done = face_expr("doctor", **environment)
    assert done.returncode == 1
    assert "best-effort images of 1280x720 arrived; Fast DDS profile: no profile is set" in done.stdout


@pytest.mark.parametrize(
    ("solutions", "any_version", "words"),
    [
        (True, True, "are available, too"),
        (False, True, "mediapipe_solutions needs MediaPipe up to 0.10.21"),
        (False, False, "mediapipe_tasks needs MediaPipe of any version: pip install mediapipe; mediapipe_solutions"),
    ],
)
def test_the_backends_in_use_and_how_to_get_others_are_named(
    monkeypatch: pytest.MonkeyPatch, solutions: bool, any_version: bool, words: str
) -> None:
    monkeypatch.setattr(doctor, "has_solutions", lambda: solutions)
    monkeypatch.setattr(doctor, "has_mediapipe", lambda: any_version)
    finding = doctor.examine_backends()
    assert finding.level == "ok"
    assert finding.text.startswith("facemesh and blazeface on LiteRT")
    assert words in finding.text


def test_wrong_option_ends_with_status_2() -> None:
    done = face_expr("doctor", "--no-such-option")
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_missing_output_folder_ends_with_status_2(tmp_path: Path) -> None:
    done = face_expr("doctor", "--no-probe", "--json", str(tmp_path / "no_such_folder/doctor.json"))
    assert done.returncode == 2
    assert "no_such_folder" in done.stderr.splitlines()[-1]


def test_help_imports_neither_numpy_nor_ros() -> None:
    program = (
        "import sys; from face_expr_ros.cli import main; status = main(); print(sorted(sys.modules)); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    for module in ("numpy", "rclpy", "mediapipe", "cv2"):
        assert f"'{module}'" not in done.stdout
