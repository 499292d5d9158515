"""The server: pages, what they are told as it happens, and the buttons' commands."""

import asyncio
import contextlib
import json
import secrets
import socket
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console

from sweeper.errors import ServeError
from sweeper.views.serve.access import LOOPBACK, Access, add_headers
from sweeper.views.serve.jobs import Jobs
from sweeper.views.serve.looks import Look, Looks, shown_name
from trainable.errors import UserError

TOKEN_BYTES = 24
LOOK_EVERY_SECONDS = 1.0
LONGEST_NOTE = 10_000


def serve(runs: Path, host: str, port: int, console: Console) -> None:
    """Serve until Ctrl-C.

    Raises:
        ServeError: nothing can listen there.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    listener = _listener(host, port)
    shown = f"[{host}]" if ":" in host else host
    console.print(
        f"http://{shown}:{listener.getsockname()[1]}/{token}/", markup=False, soft_wrap=True
    )
    console.print(
        f"Every sweep of {runs}/. Whoever has this address can look and act. Ctrl-C ends it."
    )
    if host not in LOOPBACK:
        console.print(
            "It goes over the network in the clear; a tunnel does not: see docs/watching.md"
        )
    app = Server(Looks(runs), Access(token, host)).app()
    web.run_app(app, sock=listener, print=None, access_log=None, shutdown_timeout=1)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((address[0], port), family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServeError(
            f"{host}:{port}: cannot listen there ({reason}); another port: --port 0 takes any that "
            "is free"
        ) from None


class Server:
    def __init__(self, looks: Looks, access: Access) -> None:
        self.looks = looks
        self.access = access
        self.jobs = Jobs()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.access.guard], client_max_size=2**16)
        app.on_response_prepare.append(add_headers)
        sweep = "/{token}/sweeps/{name}"
        app.add_routes(
            [
                web.get("/{token}/", self.overview),
                web.get("/{token}/events", self.overview_events),
                web.get(f"{sweep}/", self.sweep),
                web.get(f"{sweep}/report", self.report),
                web.get(f"{sweep}/events", self.sweep_events),
                web.post(f"{sweep}/commands", self.command),
                web.post(f"{sweep}/note", self.note),
            ]
        )
        return app

    async def overview(self, request: web.Request) -> web.Response:
        return _page("overview.html.jinja", runs=str(self.looks.runs))

    async def sweep(self, request: web.Request) -> web.Response:
        return _page("sweep.html.jinja", name=shown_name(self._look(request).folder))

    async def report(self, request: web.Request) -> web.Response:
        try:
            page = await asyncio.to_thread(self._look(request).page)
        except UserError as error:
            return web.Response(text=str(error))
        return web.Response(body=page, content_type="text/html", charset="utf-8")

    async def overview_events(self, request: web.Request) -> web.StreamResponse:
        return await _tell(request, self.looks.shown)

    async def sweep_events(self, request: web.Request) -> web.StreamResponse:
        look = self._look(request)
        name = look.folder.name
        return await _tell(request, lambda: {**look.shown(), "jobs": self.jobs.shown(name)})

    async def command(self, request: web.Request) -> web.Response:
        look, asked = self._look(request), await _asked(request)
        try:
            job = await asyncio.to_thread(self.jobs.start, look.folder, asked)
        except UserError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"command": job.command})

    async def note(self, request: web.Request) -> web.Response:
        look, text = self._look(request), str((await _asked(request)).get("text", "")).strip()
        if len(text) > LONGEST_NOTE:
            too_long = f"a note has at most {LONGEST_NOTE:,} letters, this one {len(text):,}"
            return web.json_response({"error": too_long}, status=400)
        try:
            await asyncio.to_thread(look.folder.write_note, text)
        except (OSError, UnicodeError) as error:
            problem = f"{look.folder.note}: cannot be written ({error})"
            return web.json_response({"error": problem}, status=400)
        return web.json_response({})

    def _look(self, request: web.Request) -> Look:
        look = self.looks.named(request.match_info["name"])
        if look is None:
            raise web.HTTPNotFound
        return look


async def _asked(request: web.Request) -> dict[str, object]:
    """What a page has sent.

    Raises:
        HTTPBadRequest: it is no JSON object.
    """
    try:
        asked = await request.json()
    except (ValueError, LookupError, RecursionError):
        raise web.HTTPBadRequest from None
    if not isinstance(asked, dict):
        raise web.HTTPBadRequest
    return asked


async def _tell(request: web.Request, look: Callable[[], object]) -> web.StreamResponse:
    """Server-sent events: how things stand, every second, as long as somebody listens."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            stands = json.dumps(await asyncio.to_thread(look))
            await response.write(f"data: {stands}\n\n".encode())
            await asyncio.sleep(LOOK_EVERY_SECONDS)
    return response


def _page(template: str, **values: object) -> web.Response:
    html = _templates().get_template(template).render(**values, **_assets())
    return web.Response(text=html, content_type="text/html")


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("sweeper.views.serve", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _assets() -> dict[str, str]:
    own, report = files("sweeper.views.serve") / "assets", files("sweeper.views.report") / "assets"
    style = [report / "report.css", own / "serve.css"]
    return {
        "style": "".join(path.read_text(encoding="utf-8") for path in style),
        "script": (own / "serve.js").read_text(encoding="utf-8"),
    }
