"""Addresses of pictures: what is there, and what is not."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from facegen.data import Recipe
from facegen.explore.opened import Opened
from facegen.explore.rooms.data.routes import routes


@pytest.fixture
def client(make_faces: Callable[..., Path]) -> TestClient:
    app = FastAPI()
    routes(app, Opened({"faces": Recipe(make_faces())}, ()))
    return TestClient(app)


def size(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


def test_pictures_are_small_or_large(client: TestClient) -> None:
    small, large = client.get("/faces/0/3/small"), client.get("/faces/0/3/large?layers=parsing,camera")
    assert small.status_code == large.status_code == 200
    assert size(small.content) == (32, 32) and size(large.content) == (768, 768)


@pytest.mark.parametrize(
    "address",
    [
        *("/faces/1/0/small", "/faces/-1/0/small", "/faces/0/24/small", "/faces/0/-1/large", "/faces/0/99999999/large"),
        *("/faces/0/0/large?layers=../../etc/passwd", "/faces/0/0/large?layers=parsing,x", "/faces/../../etc/passwd"),
        *("/faces/0/0/..%2f..%2fimg000.png", "/faces/0/img000.png", "/faces/0/1e3/small", "/faces/0/0/small/x"),
    ],
)
def test_nothing_else_is_there(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code in (404, 422)
    assert b"root:" not in answer.content and not answer.content.startswith(b"\xff\xd8")


def test_a_hundred_requests_at_once_are_all_answered(client: TestClient) -> None:
    addresses = [f"/faces/0/{n % 24}/{'small' if n % 10 else 'large?layers=parsing,landmarks68'}" for n in range(100)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(client.get, addresses))
    assert {answer.status_code for answer in answers} == {200}
    same = {address: answer.content for address, answer in zip(addresses, answers, strict=True)}
    assert all(same[address] == answer.content for address, answer in zip(addresses, answers, strict=True))
