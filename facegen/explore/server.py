"""The web server of the page: NiceGUI behind the guard of `facegen.explore.access`."""

import socket
import threading
import warnings
import webbrowser

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from facegen.explore.access import Access, Guard, is_loopback
from facegen.explore.opened import Opened
from facegen.explore.page import build

_FIRST_PORT, _PORTS_TRIED = 8420, 20
_QUEUE = 128  # connections that wait to be accepted
_RECONNECT = 30.0  # seconds for which a visitor's page is kept after its connection broke


def application(opened: Opened, access: Access) -> FastAPI:
    """The page as an ASGI application. One in a process: NiceGUI keeps its pages in the process."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    build(app, opened)
    ui.run_with(app, show_welcome_message=False, reconnect_timeout=_RECONNECT, title="facegen")
    app.add_middleware(Guard, access=access)
    return app


def serve(opened: Opened, access: Access, host: str, port: int | None, browser: bool) -> None:
    """Serve the page until Ctrl+C, and say where it is. port: None takes the first free one from 8420 on.

    Raises ValueError where the port is taken or the address is none of this machine.
    """
    listening = listen(host, port)
    address = url(host, listening.getsockname()[1], access)
    print(f"{address}\nCtrl+C ends it.", flush=True)
    app = application(opened, access)
    # NiceGUI looks at every object of the process to find its server, which makes PyTorch warn of one of them.
    warnings.filterwarnings("ignore", category=FutureWarning, module="nicegui")
    if browser:
        threading.Timer(1.0, webbrowser.open, [address]).start()
    # `ws_max_size`: what a visitor's page may send at once; files are uploaded as requests.
    settings = uvicorn.Config(
        app, log_level="error", ws_max_size=2**20, server_header=False, timeout_graceful_shutdown=2
    )
    uvicorn.Server(settings).run(sockets=[listening])


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that is bound already, so that no other program takes the port while the page is made."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = [port] if port is not None else [*range(_FIRST_PORT, _FIRST_PORT + _PORTS_TRIED), 0]
    reasons = []
    for number in tried:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host.strip("[]"), number))
            listening.listen(_QUEUE)
            return listening
        except (OSError, OverflowError) as error:
            listening.close()
            reasons.append(getattr(error, "strerror", None) or str(error))
    raise ValueError(
        f"host={host} port={tried[0]}: {reasons[0]}; choose another port=, or another host= of this machine"
    )


def url(host: str, port: int, access: Access) -> str:
    """What to open in a browser."""
    name = "127.0.0.1" if is_loopback(host) and ":" not in host else f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={access.token}" if access.token else "")
