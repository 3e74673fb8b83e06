"""The documentation is consistent with the code: links, files, topics, parameters, commands, tests, pictures."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from support.launch_stand_ins import defaults
from support.paths import ROOT

from face_expr_ros.cli import face_expr
from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.settings import settings
from face_expr_ros.docs_figures.architecture import architecture_drawing

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(path for folder in (".", "docs", "bfm", "bench", "web") for path in (ROOT / folder).glob("*.md"))
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
PARAMETERS = {entry.name for config in (PerceptionConfig, CameraConfig) for entry in settings(config)}
SECTIONS = {name.split(".")[0] for name in PARAMETERS if "." in name}
MAX_PICTURE_BYTES = 300_000
TEST_COMMANDS = r"\./run test (test/\S+\.py)(?: -s)?(?: -k (\w+))?"


def section(title: str) -> str:
    """The text of a second-level section of the README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str, header: str) -> list[str]:
    """The names in backticks in the first column of the table with this header."""
    table = re.search(rf"^\| {re.escape(header)} \|.*\n\|[-|]+\n((?:\|.*\n?)+)", text, re.MULTILINE)
    assert table, f"expected a table with the header {header!r}"
    return [name for row in table[1].splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def matches(pattern: str) -> list[str]:
    """The distinct matches of a pattern in all documents."""
    return sorted({found.rstrip() for text in TEXTS.values() for found in re.findall(pattern, text)})


def source(*names: str) -> str:
    return "".join((ROOT / "face_expr_ros" / name).read_text(encoding="utf-8") for name in names)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub generates from the headings."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_and_anchors_exist(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[document]):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_readme_lists_exactly_the_topics_of_perception() -> None:
    published = set(re.findall(r'_publisher\([^"\n]*"([\w/]+)"', source("ros/outputs.py")))
    others = {"image", "image/compressed", "camera_info", "depth/image", "/diagnostics"}
    assert set(first_cells(section("Topics"), "topic")) == published | others
    assert '"/diagnostics"' in source("ros/diagnostics.py")


def test_readme_lists_the_topics_of_camera() -> None:
    for topic in re.findall(r'_publisher\(\w+, "(\w+)"\)', source("nodes/camera.py")):
        assert f"`{topic}`" in section("Topics")


def test_readme_lists_the_services() -> None:
    offered = re.findall(r'create_service\(\w+, "([^"]+)"', source("ros/tracking_services.py"))
    assert first_cells(section("Topics"), "service") == offered


def test_readme_lists_every_message() -> None:
    listed = set(re.findall(r"^\| \[(\w+)\]\(msg/", section("Messages"), re.MULTILINE))
    assert listed == {path.stem for path in (ROOT / "msg").glob("*.msg")}


@pytest.mark.parametrize(
    ("header", "config"), [("parameter of `perception`", PerceptionConfig), ("parameter of `camera`", CameraConfig)]
)
def test_parameters_in_the_readme_have_the_stated_defaults(header: str, config: type) -> None:
    defaults = {entry.name: entry.default for entry in settings(config)}
    for row in re.findall(r"^\| `.*$", section("Parameters").split(f"| {header} |")[1].split("\n\n")[0], re.MULTILINE):
        names, stated = (re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:3])
        assert len(names) == len(stated)
        for name, value in zip(names, stated, strict=True):
            text = str(defaults[name])
            assert value == (text.lower() if isinstance(defaults[name], bool) else text), name


@pytest.mark.parametrize("name", matches(rf"`((?:{'|'.join(sorted(SECTIONS))})\.\w+)"))
def test_dotted_parameters_exist(name: str) -> None:
    assert name in PARAMETERS


@pytest.mark.parametrize("line", matches(r"ros2 launch face_expr_ros [^`#\n]+"))
@pytest.mark.usefixtures("launch_stand_ins")
def test_launch_files_and_arguments_exist(line: str) -> None:
    assert set(re.findall(r"(\w+):=", line)) <= defaults(line.split()[3]).keys()


@pytest.mark.usefixtures("launch_stand_ins")
def test_readme_lists_the_arguments_of_both_launch_files() -> None:
    text = section("With ROS 2 installed")
    assert set(first_cells(text, "argument of `demo.launch.py`")) == defaults("demo.launch.py").keys()
    listed = re.search(r"perception node alone\. It has ([^;]*);", text)
    assert listed
    assert set(re.findall(r"`(\w+)`", listed[1])) == defaults("perception.launch.py").keys()


@pytest.mark.parametrize("line", matches(r"\bface_expr [a-z][^`#|\n]*") + matches(r"(?<=\./run )demo[^`#|\n]*"))
def test_commands_and_options_exist(line: str) -> None:
    command: click.Command = face_expr
    words = line.removeprefix("face_expr ").split()
    while isinstance(command, click.Group):
        verb = words.pop(0) if words else ""
        assert verb in command.commands, line
        command = command.commands[verb]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("word", matches(r"\./run ([a-z]+)"))
def test_subcommands_of_run_exist(word: str) -> None:
    assert re.search(rf"^{word}\)", (ROOT / "run").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("module", matches(r"python -m (face_expr_ros[\w.]*)"))
def test_modules_run_by_documents_exist(module: str) -> None:
    found = find_spec(module)
    assert found is not None
    assert found.submodule_search_locations is None or find_spec(f"{module}.__main__")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_lines_have_at_most_120_characters(document: Path) -> None:
    """Tables, pictures and commands may be longer."""
    lines = re.sub(r"^```.*?^```", "", TEXTS[document], flags=re.MULTILINE | re.DOTALL).splitlines()
    long = [line for line in lines if len(line) > 120 and not line.startswith(("|", "![", "    "))]
    assert not long


@pytest.mark.parametrize(
    ("file", "keyword"), sorted({pair for t in TEXTS.values() for pair in re.findall(TEST_COMMANDS, t)})
)
def test_tests_run_by_documents_exist(file: str, keyword: str) -> None:
    names = re.findall(r"^def (test_\w+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert any(keyword in name for name in names)


@pytest.mark.parametrize("file", matches(r"`((?:[\w.]+/)+\w+\.(?:py|yaml|csv|onnx|xml|rviz|ipynb))`"))
def test_files_named_by_documents_exist(file: str) -> None:
    """Paths are relative to the repository or the package; output files are not checked."""
    assert file.startswith("out/") or any((root / file).exists() for root in (ROOT, ROOT / "face_expr_ros"))


def test_pictures_are_small_shown_and_generated() -> None:
    text = "".join(TEXTS.values())
    makers = source("docs_figures/figures.py", "docs_figures/__main__.py", "training/contact_sheet.py")
    makers += (ROOT / "scripts/blender_picture.py").read_text(encoding="utf-8")  # needs Blender
    for file in (ROOT / "docs/pictures").iterdir():
        assert file.stat().st_size < MAX_PICTURE_BYTES
        assert f"pictures/{file.name})" in text
        assert f'"{file.name}"' in makers


def test_the_diagram_shows_the_current_imports() -> None:
    drawn = (ROOT / "docs/pictures/architecture.svg").read_text(encoding="utf-8")
    assert drawn == architecture_drawing(ROOT), "run: python -m face_expr_ros.docs_figures"


def test_no_figure_is_missing_outside_the_measurements() -> None:
    assert README.count("TODO") == section("Measured").count("TODO")
    assert not [path for path, text in TEXTS.items() if path.name != "README.md" and "TODO" in text]
