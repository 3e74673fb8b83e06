"""Clients that leave before their WebSocket is accepted."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from face_expr_ros.web.streams import accept


def socket_of(is_closing: bool, error: Exception | None = None) -> Any:
    """A WebSocket whose connection is closing, or whose acceptance fails."""

    async def accept_it(subprotocol: str | None) -> None:
        if error is not None:
            raise error

    transport = SimpleNamespace(is_closing=lambda: is_closing)
    return SimpleNamespace(accept=accept_it, scope={"state": {"transport": transport}})


@pytest.mark.parametrize("websocket", [socket_of(True), socket_of(False, WebSocketDisconnect(1006))])
def test_a_client_that_left_ends_its_request_silently(websocket: Any) -> None:
    with pytest.raises(ClientDisconnected):  # which uvicorn does not log
        asyncio.run(accept(websocket))


def test_a_client_that_stays_is_accepted() -> None:
    asyncio.run(accept(socket_of(False)))
