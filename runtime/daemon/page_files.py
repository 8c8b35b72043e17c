"""The page's files, served as they lie in the package."""

from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FILES = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "main.js": "text/javascript; charset=utf-8",
    "connection.js": "text/javascript; charset=utf-8",
    "microphone.js": "text/javascript; charset=utf-8",
    "recorder.js": "text/javascript; charset=utf-8",
    "timeline.js": "text/javascript; charset=utf-8",
    "lattice.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def page_routes() -> list[Route]:
    """Return the routes of the page; nothing it needs comes from elsewhere."""

    async def index(_request: Request) -> Response:
        return _answer("index.html")

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        return _answer(name) if name in FILES else Response("not found", 404)

    return [Route("/", index), Route("/page/{name}", file)]


def _answer(name: str) -> Response:
    content = resources.files(__package__).joinpath("page").joinpath(name).read_bytes()
    return Response(content, media_type=FILES[name], headers=_HEADERS)
