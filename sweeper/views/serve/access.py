"""Who may look and act: whoever has the address with its token. No other page in the same browser
may, whatever name it gives to this machine."""

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
WILDCARDS = frozenset({"0.0.0.0", "::"})
# The report draws with functions that it makes itself; nothing comes from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; "
    "form-action 'none'; base-uri 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Server": "sweeper",
    "X-Content-Type-Options": "nosniff",
}


class Access:
    """The rules of one server.

    - The first part of the path is the token. Compared in constant time, so that nobody finds it
      letter by letter.
    - `Host` is a name of this machine: a page of another site may give its own name to this
      address (DNS rebinding), and its browser would let it read the answers.
    - What changes anything says that it comes from here (`Origin`): a page of another site can
      send, even where it may not read.

    Whoever breaks one gets an empty answer.
    """

    def __init__(self, token: str, host: str) -> None:
        """
        Args:
            host: What the server listens on.
        """
        self.token = token
        self.names = {*LOOPBACK, host.lower()}
        self.any_address = host in WILDCARDS
        if self.any_address:
            self.names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def allows(self, request: web.Request) -> bool:
        given = "".join(request.path.split("/")[1:2]).encode()
        if not hmac.compare_digest(given, self.token.encode()):
            return False
        host = request.headers.get("Host", "")
        if not self._is_ours(_name(host)):
            return False
        return (
            request.method in {"GET", "HEAD"} or request.headers.get("Origin") == f"http://{host}"
        )

    def _is_ours(self, name: str) -> bool:
        return name in self.names or (self.any_address and _is_address(name))

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self.allows(request):
            return web.Response(status=404)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status)


def _name(host: str) -> str:
    """Without its port, which a tunnel may change."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
