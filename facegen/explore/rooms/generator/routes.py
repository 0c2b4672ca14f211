"""Addresses of what generators made, by the number under which it is kept for a while."""

from fastapi import FastAPI

from facegen.explore.opened import Opened


def routes(app: FastAPI, opened: Opened) -> None:
    """Register them."""
