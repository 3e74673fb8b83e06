"""Face detection in images that clients send, in one worker thread; requests while it is busy are refused."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from fastapi import Request, WebSocket, WebSocketDisconnect

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import Face, Frame, Landmarks, face_state
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.serialization.json_records import face_record
from face_expr_ros.web.calibration_session import CalibrationSession
from face_expr_ros.web.codec import encode_frame
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.limits import RequestError, check_image, decode_image, read_image
from face_expr_ros.web.model_file import blendshapes_are_expression, shape_units
from face_expr_ros.web.security import error_response
from face_expr_ros.web.stream_frames import numeric_id, stream_frame
from face_expr_ros.web.streams import UNSUPPORTED_DATA, accept

MAX_UPLOADS = 4  # concurrent uploads
NORMAL_CLOSURE = 1000  # close code of RFC 6455
CLIENT_ID = re.compile(r"[\w-]{8,64}", re.ASCII)


class Inference:
    """Endpoints ``/api/infer`` and ``/ws/infer``. All pipelines run in one thread, as MediaPipe requires.

    Attributes:
        sessions: calibrations of the connected cameras, by the client id of their connection.
    """

    def __init__(self, config: WebConfig) -> None:
        self._config = config
        self._settings = from_mapping(
            PerceptionConfig, {"bundle": config.bundle, "fitting.field_of_view": config.field_of_view}
        )
        self._worker = ThreadPoolExecutor(1, "inference")
        self._stills: Pipeline | None = None
        self._spare: Pipeline | None = None  # of an earlier webcam, without its state
        self._uploads = 0
        self._busy = False
        self._webcams = 0
        self.sessions: dict[str, CalibrationSession] = {}
        self._connections: Counter[str] = Counter()  # by client id

    async def infer(self, request: Request) -> dict[str, Any]:
        """The faces in an image.

        Raises:
            RequestError: the image is not valid, or another image is being processed.
        """
        self._refuse_while_busy()
        self._uploads += 1
        try:
            data = await read_image(request, self._config)
        finally:
            self._uploads -= 1
        self._refuse_while_busy()
        self._busy = True
        try:
            return await self._in_worker(self._process_still, data)
        finally:
            self._busy = False

    def _refuse_while_busy(self) -> None:
        """Called before and after the upload, so that slow uploads do not block other clients."""
        if self._busy or self._uploads >= MAX_UPLOADS:
            raise RequestError(503, "busy with other images", retry_after=1)

    async def webcam(self, websocket: WebSocket) -> None:
        """Answer each image with a frame of the stream before the next one is read."""
        if self._webcams >= self._config.max_webcams:
            error = RequestError(503, "too many webcams", retry_after=5)
            await websocket.send_denial_response(error_response(error))
            return
        client = websocket.query_params.get("client", "")
        if client and not CLIENT_ID.fullmatch(client):
            error = RequestError(400, "expected a client id of 8 to 64 letters, digits, - and _")
            await websocket.send_denial_response(error_response(error))
            return
        session = self._open_session(client)
        self._webcams += 1
        try:
            pipeline = await self._in_worker(self._take_pipeline)
            try:
                await accept(websocket)
                await self._answer(websocket, pipeline, session, websocket.query_params.get("landmarks") == "1")
            except WebSocketDisconnect:  # during processing
                pass
            finally:
                await self._in_worker(self._give_back, pipeline)
        except BundleError as error:
            await websocket.send_denial_response(error_response(RequestError(503, str(error), retry_after=60)))
        finally:
            self._webcams -= 1
            self._close_session(client)

    def _take_pipeline(self) -> Pipeline:
        """The spare pipeline, or a new one, which takes about a second."""
        pipeline, self._spare = self._spare, None
        return Pipeline(self._settings) if pipeline is None else pipeline

    def _give_back(self, pipeline: Pipeline) -> None:
        """Keep one pipeline for the next webcam."""
        if self._spare is None:
            pipeline.reset()
            self._spare = pipeline
        else:
            pipeline.close()

    def _open_session(self, client: str) -> CalibrationSession:
        """The session of a client id; a client that reconnects finds the one of its earlier connection."""
        if not client:
            return CalibrationSession()
        self._connections[client] += 1
        return self.sessions.setdefault(client, CalibrationSession())

    def _close_session(self, client: str) -> None:
        self._connections[client] -= 1
        if self._connections[client] <= 0:
            del self._connections[client]
            self.sessions.pop(client, None)

    async def close(self) -> None:
        """Close the pipelines and stop the thread."""
        for pipeline in (self._stills, self._spare):
            if pipeline is not None:
                await self._in_worker(pipeline.close)
        self._worker.shutdown()

    async def _answer(
        self, websocket: WebSocket, pipeline: Pipeline, session: CalibrationSession, landmarks: bool
    ) -> None:
        sequence = 0
        while True:
            try:
                message = await asyncio.wait_for(websocket.receive(), self._config.idle_timeout)
            except asyncio.TimeoutError:
                await websocket.close(NORMAL_CLOSURE, "no image received")
                return
            if message["type"] != "websocket.receive":
                return
            if message.get("bytes") is None:
                await websocket.close(UNSUPPORTED_DATA, "expected binary images")
                return
            sequence += 1
            try:
                frame, faces = await self._in_worker(self._process_frame, pipeline, message["bytes"])
            except RequestError as error:
                answer = {"type": "error", "status": error.status, "message": str(error)}
                await websocket.send_text(json.dumps(answer))
                continue
            await websocket.send_bytes(_encoded(frame, faces, pipeline, session, sequence))
            if landmarks:
                await websocket.send_text(json.dumps(_landmarks(faces, sequence)))
            await self._in_worker(pipeline.run_deferred_detection)

    async def _in_worker(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    def _process_still(self, data: bytes) -> dict[str, Any]:
        started = time.perf_counter()
        if self._stills is None:
            self._stills = Pipeline(self._settings)
        frame = self._frame(data)
        faces = [face_record(face) for face in self._stills.still(frame)]
        height, width = frame.image.shape[:2]
        return {"faces": faces, "width": width, "height": height, "seconds": round(time.perf_counter() - started, 4)}

    def _process_frame(self, pipeline: Pipeline, data: bytes) -> tuple[Frame, tuple[Face, ...]]:
        check_image(data, self._config)
        frame = self._frame(data)
        return frame, pipeline(frame)

    def _frame(self, data: bytes) -> Frame:
        image = decode_image(data)
        height, width = image.shape[:2]
        camera = default_camera(width, height, self._config.field_of_view)
        return Frame(image, time.time_ns(), "client", camera)


def _encoded(
    frame: Frame, faces: tuple[Face, ...], pipeline: Pipeline, session: CalibrationSession, sequence: int
) -> bytes:
    states = session([face_state(face, frame.stamp_ns, pipeline.model.name) for face in faces])
    own_basis = not blendshapes_are_expression(pipeline.model)
    units = shape_units(pipeline.model)
    return encode_frame(
        stream_frame(
            states, frame.stamp_ns, frame.camera,
            sequence=sequence, sent=time.time(), shape_units=units, own_basis=own_basis,
        )
    )  # fmt: skip


def _landmarks(faces: tuple[Face, ...], sequence: int) -> dict[str, Any]:
    points = [[] if face.landmarks is None else _rounded(face.landmarks) for face in faces]
    rows = [{"id": numeric_id(face.id), "points": found} for face, found in zip(faces, points, strict=True)]
    return {"type": "landmarks", "sequence": sequence, "faces": rows}


def _rounded(landmarks: Landmarks) -> list[list[float]]:
    rounded: list[list[float]] = landmarks.points.astype(np.float64).round(2).tolist()
    return rounded
