"""What the page does with strangers' paths, uploads that are too large, and everybody at once."""

import http.client
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import pytest

pytest.importorskip("nicegui", reason="facegen explore needs the extra `explore`")

from nicegui import __version__ as library

from facegen.explore.access import Access
from tests.explore.conftest import COUNT, write_faces

SECRET = b"this must stay where it is"
STATIC = f"/_nicegui/{library}"
PREFIXES = (
    *("/", "/faces/", "/faces/0/", "/faces/0/0/", "/studies/report/", "/studies/samples/", "/studies/samples/run/"),
    *(f"{STATIC}/static/", f"{STATIC}/libraries/", f"{STATIC}/components/", f"{STATIC}/resources/x/"),
    *(f"{STATIC}/esm/x/", f"{STATIC}/dynamic_resources/", "/_nicegui_ws/"),
)


class Place(NamedTuple):
    """A page, the folder that is open on it, and a file beside that folder."""

    address: str
    faces: Path
    secret: Path


@pytest.fixture(scope="module")
def place(serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A page over a folder of faces, one of them broken and one a link to a secret beside the folder."""
    home = tmp_path_factory.mktemp("home")
    secret = home / "secret.txt"
    secret.write_bytes(SECRET)
    faces = write_faces(home / "faces")
    broken = faces / "img003.png"
    before = broken.stat()
    broken.write_bytes(os.urandom(before.st_size))
    os.utime(broken, ns=(before.st_atime_ns, before.st_mtime_ns))  # or the index would be out of date
    yield Place(serve(str(faces)), faces, secret)


def ask(address: str, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """Status and content of an answer. The path goes out as it is: browsers and libraries would tidy it."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def disguises(secret: Path) -> Iterator[str]:
    """A path to a file, from anywhere, as people have smuggled them past servers."""
    up = "../" * 12
    plain = [
        str(secret),
        up + str(secret)[1:],
        "../secret.txt",
        "..\\secret.txt",
        "....//secret.txt",
        f"file://{secret}",
    ]
    for path in plain:
        yield quote(path)
        yield quote(path, safe="")
        yield quote(quote(path, safe=""), safe="")
        yield path.replace(" ", "%20").replace("../", "%2e%2e/")
        yield quote(path + "\0.png", safe="")


def test_no_path_leads_out(place: Place) -> None:
    paths = [prefix + path.lstrip("/") for prefix in PREFIXES for path in disguises(place.secret)]
    paths += [f"/faces/0/0/large?layers={path}" for path in disguises(place.secret)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda path: ask(place.address, path), paths))
    assert not [path for path, (_, content) in zip(paths, answers, strict=True) if SECRET in content]
    counts = Counter(status for status, _ in answers)
    assert set(counts) <= {200, 307, 400, 404, 405, 422}, counts  # 200: addresses that mean the page, with an odd query
    served = {path for path, (status, _) in zip(paths, answers, strict=True) if status == 200}
    assert not [path for path in served if "secret" in path], served


@pytest.mark.parametrize("number", [COUNT, -1, 10**30, "", "%00", "nan", "0;0"])
def test_rows_and_datasets_that_are_not_there(place: Place, number: object) -> None:
    for path in (f"/faces/0/{number}/small", f"/faces/{number}/0/large"):
        assert ask(place.address, path)[0] in (404, 422), path


def test_broken_pictures_are_shown_as_such(place: Place) -> None:
    for kind in ("small", "large", "large?layers=parsing,landmarks68"):
        status, content = ask(place.address, f"/faces/0/3/{kind}")
        assert status == 200 and content.startswith(b"\xff\xd8"), kind


def test_uploads_that_are_too_large_are_refused_and_it_goes_on(place: Place) -> None:
    limit = Access().max_bytes
    connection = http.client.HTTPConnection(urlsplit(place.address).netloc, timeout=60)
    connection.putrequest("POST", "/_nicegui/client/x/upload/1")
    connection.putheader("content-length", str(limit + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413  # before a byte of it was sent
    connection.close()
    assert ask(place.address, "/", "POST", b"x" * 1000)[0] == 405
    assert ask(place.address, "/faces/0/0/small", "DELETE")[0] in (404, 405)
    assert ask(place.address, "/faces/0/0/small")[0] == 200


def test_a_hundred_at_once_are_all_served(place: Place) -> None:
    paths = [f"/faces/0/{number % COUNT}/small" for number in range(60)] + ["/"] * 15 + ["/studies"] * 10
    paths += ["/faces/0/5/large?layers=landmarks68"] * 10 + ["/nowhere"] * 5
    before = sorted((path, path.stat().st_size) for path in place.faces.rglob("*") if path.is_file())
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda path: ask(place.address, path), paths))
    assert [status for status, _ in answers] == [200] * 95 + [404] * 5
    first = {path: content for path, (_, content) in zip(paths, answers, strict=True) if path.startswith("/faces")}
    assert all(first[path] == content for path, (_, content) in zip(paths, answers, strict=True) if path in first)
    assert sorted((path, path.stat().st_size) for path in place.faces.rglob("*") if path.is_file()) == before
