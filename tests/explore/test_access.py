"""Who is let in: the guard before a small application, asked as browsers and strangers would."""

from collections.abc import Iterator

import pytest

pytest.importorskip("nicegui", reason="facegen explore needs the extra `explore`")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from facegen.explore.access import COOKIE, Access, Guard, access_for, is_loopback
from facegen.explore.server import listen, url

HERE = "http://127.0.0.1:8000"
LIMIT = 1000


async def upload(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def socket(connection: WebSocket) -> None:
    await connection.accept()
    await connection.send_text(await connection.receive_text())
    await connection.close()


def client(access: Access, base: str = HERE) -> TestClient:
    routes = [Route("/{path:path}", upload, methods=["GET", "POST"]), WebSocketRoute("/ws", socket)]
    return TestClient(Guard(Starlette(routes=routes), access), base_url=base, follow_redirects=False)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "127.0.0.2"])
def test_this_machine_is_let_in(host: str) -> None:
    answer = client(Access()).get("/", headers={"host": host})
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.5", "", "[::1", "localhost.evil:80"]
)
def test_other_names_of_this_machine_are_refused(host: str) -> None:
    answer = client(Access()).get("/", headers={"host": host})
    assert answer.status_code == 421 and "expected this machine's own name" in answer.text


def test_other_pages_cannot_write_or_connect() -> None:
    guarded = client(Access())
    assert guarded.post("/", content=b"x", headers={"origin": "http://evil.example"}).status_code == 403
    assert guarded.post("/", content=b"x", headers={"origin": "null"}).status_code == 403
    assert guarded.post("/", content=b"x", headers={"origin": HERE}).text == "1"
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        guarded.websocket_connect("/ws", headers={"origin": "http://a.b"}),
    ):
        pass
    assert refused.value.code == 1008
    with guarded.websocket_connect(f"{HERE.replace('http', 'ws')}/ws", headers={"origin": HERE}) as connection:
        connection.send_text("hello")
        assert connection.receive_text() == "hello"


def test_large_bodies_are_refused_whatever_their_headers_say() -> None:
    guarded = client(Access(max_bytes=LIMIT))
    assert guarded.post("/", content=b"x" * LIMIT).text == str(LIMIT)
    answer = guarded.post("/", content=b"x" * (LIMIT + 1))
    assert answer.status_code == 413 and f"expected at most {LIMIT}" in answer.text
    assert guarded.post("/", headers={"content-length": "-5"}).status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(LIMIT):
            yield b"x" * 10

    answer = guarded.post("/", content=chunks())
    assert answer.status_code == 413 and "more than" in answer.text
    assert guarded.post("/", content=b"still here").text == "10"


def test_a_token_opens_once_and_stays_as_a_cookie() -> None:
    access = access_for("0.0.0.0", "secret")
    assert access.any_host and access.token == "secret"
    guarded = client(access, "http://faces.example:8000")
    refused = guarded.get("/studies")
    assert refused.status_code == 403 and "open the address that facegen explore printed" in refused.text
    assert guarded.get("/", params={"token": "other"}).status_code == 403
    opened = guarded.get("/studies", params={"token": "secret", "a": "b"})
    assert opened.status_code == 303 and opened.headers["location"] == "/studies?a=b"
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert guarded.get("/studies").status_code == 200  # the client kept the cookie
    guarded.cookies.clear()
    guarded.cookies.set(COOKIE, "wrong")
    assert guarded.get("/studies").status_code == 403
    with pytest.raises(WebSocketDisconnect), guarded.websocket_connect("ws://faces.example:8000/ws"):
        pass


def test_the_redirect_stays_on_this_machine() -> None:
    answer = client(access_for("0.0.0.0", "t")).get(f"{HERE}//evil.example/", params={"token": "t"})
    assert answer.status_code == 303 and answer.headers["location"] == "/evil.example/"


def test_tokens_are_made_where_others_can_connect() -> None:
    first, second = access_for("0.0.0.0", None), access_for("192.168.0.7", None)
    assert first.token and second.token and first.token != second.token and len(first.token) >= 20
    assert access_for("127.0.0.1", None).token is None
    assert access_for("localhost", "mine").token == "mine"
    assert [is_loopback(name) for name in ("::1", "[::1]", "LOCALHOST", "0.0.0.0", "localhost.a.b", "")] == [
        *[True, True, True, False, False, False]
    ]


def test_the_address_that_is_printed() -> None:
    assert url("127.0.0.1", 8420, Access()) == "http://127.0.0.1:8420/"
    assert url("localhost", 80, Access("a")) == "http://127.0.0.1:80/?token=a"
    assert url("::1", 80, Access()) == "http://[::1]:80/"
    assert url("0.0.0.0", 80, Access("a")) == "http://0.0.0.0:80/?token=a"


def test_ports() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=rf"port={port}: .*choose another port"):
            listen("127.0.0.1", port)
    for host, port in (("127.0.0.1", 99999), ("no.such.host.invalid", 0)):
        with pytest.raises(ValueError, match="choose another port"):
            listen(host, port)
    with listen("127.0.0.1", None) as free:
        assert free.getsockname()[1] > 0
