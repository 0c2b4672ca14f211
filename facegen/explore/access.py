"""Who may ask the page for what: checked for every request and web socket before anything else sees it.

On loopback any program of this machine can connect, but so can any web page that the person has open elsewhere; hence
the checks of Host (a foreign name that resolves to 127.0.0.1) and Origin (a foreign page that sends requests).
"""

import ipaddress
import secrets
from collections.abc import Iterable
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "facegen_token"
_READING = ("GET", "HEAD", "OPTIONS")
# Everything comes from this program: the page works without a network, and nothing on it can talk to another machine.
# The library compiles its templates in the browser, hence eval.
_POLICY = "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; " + (
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


class Access(NamedTuple):
    """`token`: what a visitor must show, None: nothing. `any_host`: not only names of this machine in the address.
    `max_bytes`: of one upload."""

    token: str | None = None
    any_host: bool = False
    max_bytes: int = 32 * 2**20


def access_for(host: str, token: str | None) -> Access:
    """Loopback needs no token unless one is given; every other address has one, made here where none is given."""
    if is_loopback(host):
        return Access(token or None)
    return Access(token or secrets.token_urlsafe(16), any_host=True)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """ASGI middleware that refuses what `Access` does not allow, and says why in one line."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        if refused is None and (shown := self._shown(scope)) is not None and scope["type"] == "http":
            return await _remembered(scope, shown)(scope, receive, send)
        if refused is None and not self._known(headers):
            refused = 403, "a token is needed: open the address that facegen explore printed"
        if refused is not None:
            return await _refuse(scope, receive, send, *refused)
        await self._limited(scope, receive, send)

    def _refused(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self.access.any_host and not is_loopback(_name(host)):
            return 421, f"got the host {host[:80]!r}, expected this machine's own name (127.0.0.1 or localhost)"
        origin = headers.get("origin")
        writing = scope["type"] == "websocket" or scope["method"] not in _READING
        if writing and origin not in (None, f"http://{host}", f"https://{host}"):
            return 403, f"got a request from the page {str(origin)[:80]!r}, expected one of this page"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.access.max_bytes:
            return 413, f"got {length[:20]} bytes, expected at most {self.access.max_bytes}"
        return None

    def _shown(self, scope: Scope) -> str | None:
        """The token in the address, where it is the right one."""
        shown = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", "")
        return shown if self.access.token and _equal(shown, self.access.token) else None

    def _known(self, headers: Headers) -> bool:
        if self.access.token is None:
            return True
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        return cookie is not None and _equal(cookie.value, self.access.token)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, counting what comes in, and adding the headers that every answer has."""
        got, started = 0, False

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b"")) if scope["type"] == "http" else 0
            if got > self.access.max_bytes:
                raise _TooLargeError
            return message

        async def answered(message: Message) -> None:
            nonlocal started
            if got > self.access.max_bytes:
                return  # what an application says of an upload that was cut off
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *_encoded(_HEADERS.items())]
            await send(message)

        with suppress(_TooLargeError):
            await self.app(scope, counted, answered)
        if got > self.access.max_bytes and not started:
            await _refuse(scope, receive, send, 413, f"got more than {self.access.max_bytes} bytes")


class _TooLargeError(Exception):
    """More came than the headers said."""


def _name(host: str) -> str:
    """A Host header without its port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _equal(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


def _remembered(scope: Scope, token: str) -> RedirectResponse:
    """The same address without the token, which the browser keeps as a cookie and scripts cannot read."""
    rest = [(key, value) for key, value in parse_qsl(scope["query_string"].decode("latin-1")) if key != "token"]
    path = "/" + scope["path"].lstrip("/")  # `//host/` would lead to another machine
    response = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, status_code=303)
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
    return response


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why[:100]})
    else:
        await PlainTextResponse(f"facegen explore: {why}\n", status)(scope, receive, send)
