"""Page in a browser that shows what is recognised: the pictures as MJPEG, and a list of who was seen.

Served on the loopback interface alone, at an address with a random token, so that nobody else on the machine or in a
web page finds it.
"""

from __future__ import annotations

import html
import io
import json
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from face3d_data.errors import UserError

LOOPBACK = "127.0.0.1"
BOUNDARY = "frame"
WAIT_S = 1.0
PATH_PARTS = 3
"""Of the path of a request: nothing, the token, and what is asked for."""
JPEG_QUALITY = 85
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>face3d identify</title><style>
body {{ font: 16px/1.4 system-ui, sans-serif; margin: 1rem; background: #f6f6f4; color: #222 }}
main {{ display: flex; gap: 1rem; flex-wrap: wrap; align-items: flex-start }}
img {{ max-width: 100%; height: auto; background: #000 }}
section {{ flex: 1 1 20rem; max-width: 30rem }} h1 {{ margin: 0 0 .5rem; font-size: 1.4rem }}
table {{ border-collapse: collapse }} th, td {{ text-align: left; padding: .2rem .8rem .2rem 0 }}
.note {{ color: #666; font-size: .85rem }}
</style></head><body><main>
<img src="stream" width="{width}" height="{height}" alt="What is seen, with boxes and names">
<section><h1>Seen</h1><table><thead><tr><th>name</th><th>frames</th><th>distance</th><th>last</th></tr></thead>
<tbody id="seen"></tbody></table><p class="note" id="state"></p><p class="note">{note}</p></section>
</main><script>
async function refresh() {{
  try {{
    const said = await (await fetch("seen")).json();
    document.getElementById("seen").replaceChildren(...said.people.map(one => {{
      const row = document.createElement("tr");
      for (const text of [one.name, one.frames, one.distance.toFixed(3), one.ago + " s ago"]) {{
        const cell = document.createElement("td"); cell.textContent = text; row.append(cell);
      }}
      return row;
    }}));
    document.getElementById("state").textContent =
      said.frames + " frames, " + said.rate.toFixed(1) + " a second" + (said.over ? "; the video is over" : "");
  }} catch (error) {{ document.getElementById("state").textContent = "face3d has stopped"; }}
  setTimeout(refresh, 500);
}}
refresh();
</script></body></html>
"""


@dataclass
class _Person:
    frames: int = 0
    distance: float = 0.0
    last: float = 0.0


@dataclass
class _Shown:
    """What the page shows; `changed` wakes those who wait for the next picture."""

    size: tuple[int, int]
    note: str
    jpeg: bytes = b""
    number: int = 0
    over: bool = False
    began: float = field(default_factory=time.monotonic)
    people: dict[str, _Person] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def seen(self) -> dict[str, Any]:
        """Return the list of people as plain values, those seen last first."""
        now = time.monotonic()
        latest = sorted(self.people.items(), key=lambda item: -item[1].last)
        rate = self.number / max(now - self.began, 1e-9)
        rows = [
            {"name": name, "frames": one.frames, "distance": one.distance, "ago": int(now - one.last)}
            for name, one in latest
        ]
        return {"people": rows, "frames": self.number, "rate": rate, "over": self.over}


class RecognitionPage:
    """The page, served until `close`.

    Args:
        size_px: width and height of the pictures.
        note: a sentence below the list.
        port: where it is served; 0: any free port.

    Attributes:
        address: for the browser.

    Raises:
        UserError: the port is in use.
    """

    def __init__(self, size_px: tuple[int, int], note: str = "", port: int = 0) -> None:
        self._shown, token = _Shown(size_px, note), secrets.token_urlsafe(16)
        handler = type("_Handler", (_Handler,), {"shown": self._shown, "token": token})
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        except OSError as error:
            raise UserError(
                f"--port {port}: cannot be used ({error.strerror}): give another one, or 0 for any"
            ) from None
        self._server.daemon_threads = True
        self.address = f"http://{LOOPBACK}:{self._server.server_address[1]}/{token}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def show(self, picture: Any, seen: list[tuple[str, float]]) -> None:
        """Show the next picture.

        Args:
            picture: a Pillow image with its boxes and names.
            seen: name and distance of each face in it.
        """
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=JPEG_QUALITY)
        with self._shown.changed:
            self._shown.jpeg = stream.getvalue()
            self._shown.number += 1
            for name, distance in seen:
                person = self._shown.people.setdefault(name, _Person())
                person.frames, person.distance, person.last = person.frames + 1, distance, time.monotonic()
            self._shown.changed.notify_all()

    def end(self) -> None:
        """Say on the page that no more pictures come; it stays."""
        with self._shown.changed:
            self._shown.over = True
            self._shown.changed.notify_all()

    def close(self) -> None:
        """Stop serving."""
        self.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers for the page, its list and its pictures; anything else is not found."""

    shown: ClassVar[_Shown]
    token: ClassVar[str]

    def do_GET(self) -> None:
        """Answer a request; the token comes first in its path."""
        parts = self.path.split("/")
        mine = len(parts) == PATH_PARTS and secrets.compare_digest(parts[1].encode(), self.token.encode())
        if not mine or parts[0] or not self._is_local():
            self.send_error(404)
            return
        answer = {"": self._page, "seen": self._seen, "stream": self._stream}.get(parts[2])
        if answer is None:
            self.send_error(404)
            return
        with suppress(BrokenPipeError, ConnectionResetError):  # the browser has gone
            answer()

    def _is_local(self) -> bool:
        """Tell whether the page was asked for by its own address, and not by a name that leads here (DNS rebinding)."""
        return self.headers.get("Host", "").partition(":")[0] in (LOOPBACK, "localhost")

    def _page(self) -> None:
        width, height = self.shown.size
        self._send(
            "text/html; charset=utf-8", PAGE.format(width=width, height=height, note=html.escape(self.shown.note))
        )

    def _seen(self) -> None:
        with self.shown.changed:
            said = self.shown.seen()
        self._send("application/json", json.dumps(said))

    def _send(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        sent = 0
        while True:
            with self.shown.changed:
                if self.shown.number == sent and not self.shown.over:
                    self.shown.changed.wait(WAIT_S)
                number, jpeg, over = self.shown.number, self.shown.jpeg, self.shown.over
            if number > sent:
                self.wfile.write(
                    f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
                )
                self.wfile.write(jpeg + b"\r\n")
                sent = number
            elif over:
                return

    def log_message(self, *arguments: object) -> None:
        """Say nothing: results are printed by the command."""
