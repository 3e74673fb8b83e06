"""What `face_expr doctor` finds, on machines that are made up, and on this one."""

from __future__ import annotations

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
from face_expr_ros.ros.fastdds_shared_memory import ProfileError, segment_size, stale_segments
from face_expr_ros.ros.image_probe import ProbeResult

OUR_PROFILE = str(resource_path("config/fastdds.xml"))
MEGABYTE = 2**20


def profile(folder: Path, segment: int) -> str:
    file = folder / "profile.xml"
    file.write_text(
        f"<dds><transport_descriptor><type>SHM</type><segment_size>{segment}</segment_size></transport_descriptor></dds>"
    )
    return str(file)


def test_the_shipped_profile_has_room_for_images() -> None:
    assert segment_size(Path(OUR_PROFILE)) == 32 * MEGABYTE
    finding = doctor.examine_profile({"FASTDDS_DEFAULT_PROFILES_FILE": OUR_PROFILE})
    assert finding.level == "ok"
    assert "room for 12 images of 1280x720" in finding.text


def test_no_profile_is_a_problem_and_the_advice_names_the_shipped_one() -> None:
    finding = doctor.examine_profile({})
    assert finding.level == "problem"
    assert OUR_PROFILE in finding.text


def test_a_profile_without_a_segment_size_means_fast_dds_default(tmp_path: Path) -> None:
    file = tmp_path / "profile.xml"
    file.write_text("<dds/>")
    assert segment_size(file) == 512 * 1024


@pytest.mark.parametrize("text", [None, "no xml", "<dds><d><type>SHM</type><segment_size>big</segment_size></d></dds>"])
def test_a_profile_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "profile.xml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ProfileError, match=r"profile\.xml cannot be read"):
        segment_size(file)
    assert doctor.examine_profile({"FASTRTPS_DEFAULT_PROFILES_FILE": str(file)}).level == "problem"


def test_a_segment_that_is_too_small_is_a_problem(tmp_path: Path) -> None:
    finding = doctor.examine_profile({"FASTDDS_DEFAULT_PROFILES_FILE": profile(tmp_path, 4 * MEGABYTE)})
    assert finding.level == "problem"
    assert "4.0 MB of shared memory, room for 1 images" in finding.text


def test_the_profile_of_fast_dds_does_not_matter_with_another_middleware() -> None:
    assert doctor.examine_profile({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).level == "note"


@pytest.mark.parametrize(
    ("domain", "level"), [("", "ok"), ("0", "ok"), ("101", "ok"), ("102", "problem"), ("a", "problem")]
)
def test_the_domain_is_checked(domain: str, level: str) -> None:
    findings = {finding.subject: finding for finding in doctor.examine_ros_settings({"ROS_DOMAIN_ID": domain})}
    assert findings["ROS_DOMAIN_ID"].level == level


@pytest.mark.parametrize(
    ("rclpy_version", "sourced", "distro"),
    [("9.1.2", "", "kilted"), ("7.1.6", "", "jazzy"), ("7.1.6", "rolling", "rolling"), (None, "", None)],
)
def test_the_ros_distribution_is_the_sourced_one_or_that_of_the_wheels(
    rclpy_version: str | None, sourced: str, distro: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "version", lambda *names: rclpy_version)
    assert doctor.ros_distro({"ROS_DISTRO": sourced} if sourced else {}) == distro


def test_a_module_that_cannot_be_imported_is_a_problem_with_advice() -> None:
    finding = doctor.examine_import("face_expr_ros.no_such_module", (), "build it")
    assert finding.level == "problem"
    assert finding.text.endswith("; build it")


def test_a_bundle_with_a_wrong_file_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"face_model": {"file": "package.xml", "sha256": "0" * 64}}
    monkeypatch.setattr(bundle, "manifest", lambda: {"open": entry, "other": entry})
    state = doctor.examine_bundle("open")
    assert state["available"] is False
    assert "its sha256 should be" in state["reason"]
    assert doctor.bundle_finding("open", state).level == "problem"
    assert doctor.bundle_finding("other", state).level == "note"  # nobody needs it until he asks for it


def test_a_bundle_that_is_not_installed_is_a_note_that_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    state = doctor.examine_bundle("3ddfa_v2")
    assert state["available"] is False
    assert "run face_expr fetch-models 3ddfa_v2" in state["reason"]
    assert doctor.bundle_finding("3ddfa_v2", state).level == "note"


def test_a_sparse_bundle_is_available_and_says_what_it_lacks() -> None:
    state = {"available": True, "sparse": True, "reason": doctor.SPARSE}
    finding = doctor.bundle_finding("3ddfa_v2", state)
    assert finding.level == "ok"
    assert "68 points, without a mesh" in finding.text


def test_segments_of_killed_processes_are_found_and_used_ones_are_not(tmp_path: Path) -> None:
    memory, processes = tmp_path / "shm", tmp_path / "proc"
    (processes / "12").mkdir(parents=True)
    memory.mkdir()
    for name in ("fastdds_used", "fastdds_used_el", "fastdds_left", "fastdds_left_el", "fastdds_port7411", "other"):
        (memory / name).touch()
    (processes / "12/maps").write_text(f"7f00-7f01 rw-s 00000000 00:17 5    {memory}/fastdds_used\n")
    assert stale_segments(memory, processes) == [memory / "fastdds_left"]
    finding = doctor.examine_shared_memory(memory)
    assert "rm -f" in finding.text


def test_shared_memory_that_is_almost_full_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=64 * MEGABYTE))
    finding = doctor.examine_shared_memory(tmp_path)
    assert finding.level == "problem"
    assert finding.text.startswith("64 MB are free")


def test_cameras_are_listed_as_the_source_names_them(tmp_path: Path) -> None:
    assert doctor.examine_cameras(tmp_path).level == "note"
    for number in (0, 2):
        (tmp_path / f"video{number}").touch()
    assert doctor.examine_cameras(tmp_path).text == "device:0, device:2"


def test_a_camera_without_permission_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "video0").touch()
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    assert "sudo usermod -aG video" in doctor.examine_cameras(tmp_path).text


def raises(topic: str, seconds: float) -> ProbeResult:
    raise RuntimeError("no middleware")


@pytest.mark.parametrize(
    ("probe", "environment", "level", "words"),
    [
        (lambda *_: ProbeResult(60, 59), {}, "ok", "59 of 60"),
        (lambda *_: ProbeResult(60, 2), {}, "problem", "2 of 60 .* arrived; Fast DDS profile: there is none"),
        (lambda *_: ProbeResult(60, 2), {"FASTDDS_DEFAULT_PROFILES_FILE": OUR_PROFILE}, "problem", "too busy"),
        (lambda *_: ProbeResult(0, 0), {}, "problem", "did not find each other"),
        (lambda *_: ProbeResult(0, 0, "no room"), {}, "problem", r"the second process failed \(no room\)"),
        (raises, {}, "problem", r"could not be tried \(no middleware\)"),
    ],
)
def test_the_reason_why_images_do_not_arrive_is_told(
    probe: Callable[[str, float], ProbeResult], environment: dict[str, str], level: str, words: str
) -> None:
    finding = doctor.examine_transport(environment, probe)
    assert finding.level == level
    assert re.search(words, finding.text)


def face_expr(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from face_expr_ros.cli import main; sys.exit(main())", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_doctor_finds_this_machine_well_and_images_arrive(tmp_path: Path) -> None:
    done = face_expr("doctor", "--json", str(tmp_path / "doctor.json"), FASTDDS_DEFAULT_PROFILES_FILE=OUR_PROFILE)
    report = json.loads((tmp_path / "doctor.json").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert report["ok"] is True
    assert report.keys() >= {"ok", "python", "ros_distro", "mediapipe", "onnxruntime", "bundles"}
    assert report["bundles"]["open"] == {"available": True, "sparse": False, "reason": ""}
    assert report["findings"] == done.stdout.splitlines()


@pytest.mark.slow
def test_the_doctor_sees_images_lost_without_the_profile() -> None:
    environment = dict.fromkeys(("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"), "")
    done = face_expr("doctor", **environment)
    assert done.returncode == 1
    assert "best-effort images of 1280x720 arrived; Fast DDS profile: there is none" in done.stdout


def test_wrong_usage_ends_with_status_2_and_a_sentence() -> None:
    done = face_expr("doctor", "--no-such-option")
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_wrong_input_ends_with_status_2_and_one_sentence(tmp_path: Path) -> None:
    done = face_expr("doctor", "--no-probe", "--json", str(tmp_path / "no_such_folder/doctor.json"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no_such_folder" in done.stderr


def test_help_imports_neither_numpy_nor_ros() -> None:
    program = (
        "import sys; from face_expr_ros.cli import main; status = main(); print(sorted(sys.modules)); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    for module in ("numpy", "rclpy", "mediapipe", "cv2"):
        assert f"'{module}'" not in done.stdout
