"""Pictures and films inside a page: small enough that the page stays one file that can be mailed."""

import base64
import io
from pathlib import Path
from xml.etree.ElementTree import Element

import av
from PIL import Image

from facegen.reports.page import node

_WIDTH = 1400  # pixels; twice what a column of the page shows
_SMALL = 400_000  # bytes that are taken as they are


def picture(path: Path, says: str) -> Element:
    """An image element; large pictures are made smaller, as lossy WebP."""
    content, kind = path.read_bytes(), "png"
    with Image.open(path) as image:
        width, height = image.size
        if len(content) > _SMALL:
            content, kind = _webp(image), "webp"
    return node("img", src=_inline(content, f"image/{kind}"), alt=says, width=str(width), height=str(height))


def film(path: Path, says: str) -> Element:
    """A film that runs silently in a loop."""
    content = path.read_bytes()
    if len(content) > _SMALL:
        content = _smaller_film(path)
    switches = {name: name for name in ("autoplay", "loop", "muted", "playsinline", "controls")}
    return node("video", says, src=_inline(content, "video/mp4"), aria_label=says, width="100%", **switches)


def _inline(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    small = image.convert("RGB")
    small.thumbnail((_WIDTH, 4 * _WIDTH), Image.Resampling.LANCZOS)
    small.save(buffer, "WEBP", quality=85, method=4)
    return buffer.getvalue()


def _smaller_film(path: Path) -> bytes:
    """The film at half the width of large pictures, compressed more."""
    buffer = io.BytesIO()
    with av.open(str(path)) as source, av.open(buffer, "w", format="mp4") as target:
        taken = source.streams.video[0]
        stream = target.add_stream("libx264", rate=taken.average_rate, options={"crf": "27"})
        scale = min(1.0, _WIDTH / 2 / taken.width)
        # yuv420p needs even sides.
        stream.width, stream.height = (2 * round(side * scale / 2) for side in (taken.width, taken.height))
        stream.pix_fmt = "yuv420p"
        for frame in source.decode(taken):
            target.mux(stream.encode(frame.reformat(stream.width, stream.height, "yuv420p")))
        target.mux(stream.encode())
    return buffer.getvalue()
