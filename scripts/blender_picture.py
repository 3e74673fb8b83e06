"""Draws docs/pictures/blender.jpg: a clip of the synthetic person, and the file of ``face_expr take`` in Blender.

In two environments, because Blender's module ``bpy`` (pip install bpy) needs a Python version of its own:

    python scripts/blender_picture.py clip FOLDER     # with this package: FOLDER/clip.mp4 and FOLDER/take.glb
    python scripts/blender_picture.py render FOLDER   # with bpy: FOLDER/65.png and FOLDER/77.png
    python scripts/blender_picture.py join FOLDER     # with this package: the picture
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

RATE, FRAMES, SIZE = 10.0, 40, (640, 480)
SHOWN = (65, 77)  # frames of Blender's timeline of 24 per second: an open jaw, and a funnel
CLIP_FRAME, CLIP_ROWS, HALF_WIDTH = 26, (100, 420), 128
PICTURE = "blender.jpg"


def make_clip(folder: Path) -> None:
    """Render the clip and write the take."""
    import cv2

    from face_expr_ros.cli.process_take import record_video, write_take
    from face_expr_ros.core.config import CameraConfig, PerceptionConfig
    from face_expr_ros.sources.synthetic import SyntheticSource

    source = SyntheticSource(CameraConfig(width=SIZE[0], height=SIZE[1]))
    writer = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    for number in range(FRAMES):
        writer.write(source.read(number / RATE).image)
    writer.release()
    config = PerceptionConfig()
    write_take(record_video(folder / "clip.mp4", "", config, print), [folder / "take.glb"], config)


def render(folder: Path) -> None:
    """Import the take into an empty scene with a lamp and a camera, and render two of its frames."""
    import bpy
    from mathutils import Vector

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(folder / "take.glb"))
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens, camera.location = 85, (0.0, -0.85, -0.03)
    camera.rotation_euler = (math.radians(90), 0, 0)
    lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "AREA"))
    lamp.data.energy, lamp.data.size, lamp.location = 14, 0.8, (0.5, -0.9, 0.6)
    lamp.rotation_euler = (-Vector(lamp.location)).to_track_quat("-Z", "Y").to_euler()
    for thing in (camera, lamp):
        scene.collection.objects.link(thing)
    scene.camera, scene.world = camera, bpy.data.worlds.new("world")
    scene.world.color = (0.28, 0.3, 0.33)
    scene.render.engine, scene.cycles.samples = "CYCLES", 32
    scene.render.resolution_x, scene.render.resolution_y = 320, 400
    scene.view_settings.view_transform = "Standard"
    for frame in SHOWN:
        scene.frame_set(frame)
        scene.render.filepath = str(folder / f"{frame}.png")
        bpy.ops.render.render(write_still=True)


def join(folder: Path) -> None:
    """Write the clip's frame and the two renderings side by side."""
    import cv2
    import numpy as np

    video = cv2.VideoCapture(str(folder / "clip.mp4"))
    image = [video.read()[1] for _ in range(CLIP_FRAME + 1)][-1]
    middle = SIZE[0] // 2
    cut = image[slice(*CLIP_ROWS), middle - HALF_WIDTH : middle + HALF_WIDTH]
    parts = [cv2.resize(cut, (320, 400)), *(cv2.imread(str(folder / f"{frame}.png")) for frame in SHOWN)]
    path = Path(__file__).parents[1] / "docs/pictures" / PICTURE
    cv2.imwrite(str(path), np.hstack(parts), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    {"clip": make_clip, "render": render, "join": join}[sys.argv[1]](Path(sys.argv[2]))
