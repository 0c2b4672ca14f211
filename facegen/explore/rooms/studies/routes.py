"""Addresses of sample grids and reports, by the names of runs and studies; never by path."""

from pathlib import Path

from fastapi import FastAPI, Response
from starlette.concurrency import run_in_threadpool

from facegen.explore.opened import Opened
from facegen.explore.rooms.studies.samples import file_of
from facegen.study.report import FILE

_MOST_BYTES = 64 * 2**20  # of a picture or a report


def routes(app: FastAPI, opened: Opened) -> None:
    """Register `/studies/samples/RUN/MOMENT.png` and `/studies/report/STUDY`."""

    @app.get("/studies/samples/{name}/{moment}.png")
    async def samples(name: str, moment: str) -> Response:
        run = opened.runs().get(name)
        path = None if run is None else await run_in_threadpool(file_of, run, moment)
        return await _file(path, "image/png")

    @app.get("/studies/report/{name}")
    async def report(name: str) -> Response:
        study = opened.studies().get(name)
        return await _file(None if study is None else study / FILE, "text/html; charset=utf-8")


async def _file(path: Path | None, kind: str) -> Response:
    content = None if path is None else await run_in_threadpool(_read, path)
    if content is None:
        return Response("there is no such thing\n", 404, media_type="text/plain")
    # A study may come from somebody else: scripts of its report do not run with the rights of this page.
    return Response(
        content, media_type=kind, headers={"cache-control": "no-cache", "content-security-policy": "sandbox"}
    )


def _read(path: Path) -> bytes | None:
    """A plain file that is not too large; links, which might lead elsewhere, are not followed."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None
