"""Addresses of pictures: faces by the number of their dataset and row, never by path."""

from fastapi import FastAPI

from facegen.explore.opened import Opened


def routes(app: FastAPI, opened: Opened) -> None:
    """Register them."""
