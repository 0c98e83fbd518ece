"""Serves scripts over HTTP on loopback: one thread a connection, nothing outside the process."""

from __future__ import annotations

import gzip
import json
import re
import select
import threading
import zlib
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.scripted_api.formats import FORMATS, error_body
from tests.scripted_api.scenario import Served, Turn, Usage
from tests.scripted_api.tools import in_words, offered, wanted

_SCRIPT = re.compile(r"^/s/([^/]+)")
_APIS = {"/v1/messages": "anthropic", "/v1/chat/completions": "chat", "/v1/responses": "responses"}


class Script:
    """The turns of one script, and what has been served of it."""

    def __init__(self, turns: Sequence[Turn], folder: Path | None, *, toolless: bool) -> None:
        self.turns = list(turns)
        self.folder = str(folder or ".")
        self.toolless = toolless
        self.next = 0
        """How many turns have been begun."""
        self.served: list[Served] = []


class ScriptedApi:
    """`with ScriptedApi() as api: api.script("a", [Turn(…)]); run(base_url=api.url("a"))`."""

    def __init__(self) -> None:
        self._scripts: dict[str, Script] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> ScriptedApi:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def script(self, name: str, turns: Sequence[Turn], folder: Path | None = None, *, toolless: bool = False) -> str:
        """Serve these turns under that name; the address to give to a program.

        Requests that offer no tools are taken for side requests and use up no turn, unless the script is `toolless`.
        """
        with self._lock:
            self._scripts[name] = Script(turns, folder, toolless=toolless)
        return self.url(name)

    def url(self, name: str) -> str:
        """The base address of a script: programs add "/v1/messages" and the like."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/s/{name}"

    def served(self, name: str) -> list[Served]:
        """Every request of that script, in the order of the answers."""
        with self._lock:
            return list(self._scripts[name].served)

    def asked(self, name: str) -> int:
        """How many turns have been begun, those that hang included."""
        with self._lock:
            return self._scripts[name].next

    def used(self, name: str) -> Usage:
        """The sum of what was served."""
        good = (one.usage for one in self.served(name) if one.status == 200)
        return sum(good, Usage(0, 0))

    def take(self, name: str, *, has_tools: bool) -> tuple[Script, int, Turn]:
        """The turn that answers the next request."""
        with self._lock:
            script = self._scripts[name]
            if not has_tools and not script.toolless:
                return script, -1, Turn(text="ok", usage=Usage(0, 0))
            index = script.next
            script.next += 1
            return script, index, script.turns[min(index, len(script.turns) - 1)]

    def note(self, script: Script, served: Served) -> None:
        """Remember an answer."""
        with self._lock:
            script.served.append(served)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    api: ScriptedApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(200, {"object": "list", "data": [], "models": []})

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"{}")
        path = urlsplit(self.path).path
        match = _SCRIPT.match(path)
        name, rest = (match[1], path[match.end() :]) if match else ("default", path)
        api = _APIS.get(rest)
        streamed = bool(body.get("stream"))
        if "GenerateContent" in rest or "generateContent" in rest:
            api, streamed = "gemini", "stream" in rest
        if "count" in rest.lower() and "token" in rest.lower():
            self._answer(200, {"input_tokens": 100, "totalTokens": 100})
        elif api is None:
            self._answer(404, {"error": {"message": f"no such path: {rest}"}})
        else:
            self._scripted(api, name, body, streamed=streamed)

    def _scripted(self, api: str, name: str, body: dict[str, Any], *, streamed: bool) -> None:
        tools = offered(api, body)
        script, index, turn = self.server.api.take(name, has_tools=bool(tools))
        if not self._wait(turn):
            return
        if turn.status >= 400:
            self.server.api.note(script, Served(api, index, turn.status, Usage(0, 0)))
            self._answer(turn.status, error_body(api, turn), turn.headers)
            return
        text = turn.text
        if turn.calls and not tools:
            text = "\n\n".join([text, *map(in_words, turn.calls)])
        calls = [wanted(call, tools, script.folder) for call in turn.calls] if tools else []
        whole, events = FORMATS[api](turn, text, calls, str(body.get("model") or "scripted-1"), tools)
        self.server.api.note(script, Served(api, index, 200, turn.usage))
        if not streamed:
            self._answer(200, whole, turn.headers)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        for key, value in turn.headers.items():
            self.send_header(key, value)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for event, data in events:
            line = f"event: {event}\n" if event else ""
            self.wfile.write(f"{line}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode())
            self.wfile.flush()

    def _wait(self, turn: Turn) -> bool:
        """As long as the turn says; False when the client went away meanwhile, or the server is closed."""
        closing = self.server.api.closing
        if turn.delay:
            closing.wait(turn.delay)
        while turn.hang:
            if closing.is_set() or select.select([self.connection], [], [], 0.05)[0]:
                self.close_connection = True
                return False
        return True

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
        packed = self.headers.get("content-encoding", "").lower()
        if packed == "gzip":
            return gzip.decompress(data)
        return zlib.decompress(data) if packed == "deflate" else data

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def handle_one_request(self) -> None:
        """A client that is killed in the midst of a request is what several tests are about."""
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
