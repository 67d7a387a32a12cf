"""What a client's shell adds to a call, without sockets: the wrapped transport less the bare one.

The bare one answers from memory, so that what is left is the shell: admission, retries' books, the
body that is watched to its end. Each answer is read whole.
"""

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx2
import requests
import urllib3
from requests.adapters import HTTPAdapter

from benchmarks.measure import Row
from benchmarks.test_web import _added
from trafficcore.clients import AsyncTrafficTransport, Retries, TrafficAdapter, TrafficTransport

URL = "http://api.example/orders/7"


class _Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __iter__(self) -> Any:
        yield b"hello"

    async def __aiter__(self) -> Any:
        yield b"hello"

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class _Inner(httpx2.BaseTransport):
    def handle_request(self, _request: Any) -> Any:
        return httpx2.Response(200, stream=_Body())


class _AsyncInner(httpx2.AsyncBaseTransport):
    async def handle_async_request(self, _request: Any) -> Any:
        return httpx2.Response(200, stream=_Body())


def _httpx(transport: Any) -> Callable[[int], int]:
    waits = {"timeout": {"connect": 5, "read": 5, "write": 5, "pool": 5}}
    request = httpx2.Request("GET", URL, extensions=waits)

    def run(calls: int) -> int:
        yes = 0
        for _ in range(calls):
            response = transport.handle_request(request)
            for _chunk in response.stream:
                pass
            response.stream.close()
            yes += response.status_code == 200
        return yes

    return run


def _httpx_async(transport: Any) -> Callable[[int], int]:
    waits = {"timeout": {"connect": 5, "read": 5, "write": 5, "pool": 5}}
    request = httpx2.Request("GET", URL, extensions=waits)

    async def run(calls: int) -> int:
        yes = 0
        for _ in range(calls):
            response = await transport.handle_async_request(request)
            async for _chunk in response.stream:
                pass
            await response.stream.aclose()
            yes += response.status_code == 200
        return yes

    return lambda calls: asyncio.run(run(calls))


class _Pool:
    """Stands for urllib3's: an answer from memory."""

    def urlopen(self, **_how: Any) -> Any:
        return urllib3.HTTPResponse(BytesIO(b"hello"), {}, 200, preload_content=False)


_POOL = _Pool()


class _Bare(HTTPAdapter):
    def get_connection_with_tls_context(self, *_args: Any, **_how: Any) -> Any:
        return _POOL


class _Wrapped(TrafficAdapter):
    def get_connection_with_tls_context(self, *_args: Any, **_how: Any) -> Any:
        return _POOL


def _requests(adapter: Any) -> Callable[[int], int]:
    request = requests.Request("GET", URL).prepare()

    def run(calls: int) -> int:
        yes = 0
        for _ in range(calls):
            response = adapter.send(request, timeout=(5, 5))
            yes += response.status_code == 200 and response.content == b"hello"
        return yes

    return run


def test_httpx(row: Row) -> None:
    _added(row, "client-httpx", _httpx(_Inner()), _httpx(TrafficTransport(None, _Inner())))


def test_httpx_retries(row: Row) -> None:
    shell = TrafficTransport(None, _Inner(), retries=Retries(2))
    _added(row, "client-httpx-retries", _httpx(_Inner()), _httpx(shell))
    assert shell.snapshot()["retries"]["api.example"]["active"] == 0


def test_httpx_async(row: Row) -> None:
    shell = AsyncTrafficTransport(None, _AsyncInner())
    _added(row, "client-httpx-async", _httpx_async(_AsyncInner()), _httpx_async(shell))


def test_requests(row: Row) -> None:
    _added(row, "client-requests", _requests(_Bare()), _requests(_Wrapped()))


def test_requests_retries(row: Row) -> None:
    shell = _Wrapped(retries=Retries(2))
    _added(row, "client-requests-retries", _requests(_Bare()), _requests(shell))
    assert shell.snapshot()["retries"]["api.example"]["active"] == 0
