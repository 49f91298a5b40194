"""The app: its routes, what stands around them, and its life."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from api import errors
from api.cache import Cache
from api.guard import Guard
from api.limits import Limits
from api.metrics import Metrics
from api.routers import ROUTERS
from api.services import Services, open_services
from api.settings import ApiSettings, read_api_settings

HERE = Path(__file__).parent
WEB = HERE / "web"
_MODULES = HERE.parent / "node_modules"
PACKAGES = {
    "ethers.min.js": _MODULES / "ethers/dist/ethers.min.js",
    "uplot.js": _MODULES / "uplot/dist/uPlot.esm.js",
    "uplot.css": _MODULES / "uplot/dist/uPlot.min.css",
}
_ABOUT = """Standard units of compute, one clearing price, escrow until delivery.

Every read names the block of which it is true, and needs no login. Every write has three forms: `…/preview` shows what
it costs and what would refuse it, `…/build` gives a transaction for a wallet, the plain path signs here for an API key.
Money is micro-USD (millionths) in decimal texts, prices are micro-USD per unit-hour, 1,000 units are one H100."""


def create_app(settings: ApiSettings, opened: Callable[[ApiSettings], Services] = open_services) -> FastAPI:
    """The app on one market. What it works with is opened when it starts, and closed when it ends."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        services = opened(settings)
        app.state.services = services
        services.start()
        try:
            yield
        finally:
            app.state.services = None
            services.stop()

    app = FastAPI(
        title="Compute Ledger",
        version="1",
        description=_ABOUT,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: "-".join([*map(str, route.tags[:1]), route.name]).replace("_", "-"),
    )
    app.state.services = None
    metrics = Metrics(lambda: app.state.services.gauges() if app.state.services else {})
    app.user_middleware = _around(settings, metrics, app)
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_pages(app, metrics)
    _describe(app)
    return app


def _around(settings: ApiSettings, metrics: Metrics, app: FastAPI) -> list[Middleware]:
    """What every request passes, outermost first."""

    def measured(inner: ASGIApp) -> ASGIApp:
        return metrics.around(inner)

    def clock() -> Any:
        services = app.state.services
        return services.feed if services else None

    around = [
        Middleware(CorrelationIdMiddleware),
        Middleware(measured),
        Middleware(Guard, settings.names, settings.origins, settings.body_bytes_max),
    ]
    if settings.origins:
        allowed = {"allow_origins": sorted(settings.origins), "allow_methods": ["*"], "allow_headers": ["*"]}
        around.append(Middleware(CORSMiddleware, **allowed))  # type: ignore[arg-type]
    around.append(Middleware(Limits, settings.reads_per_minute, settings.writes_per_minute))
    around.append(Middleware(Cache, clock))
    return around


def _add_pages(app: FastAPI, metrics: Metrics) -> None:
    @app.get("/metrics", tags=["health"], summary="For Prometheus", response_class=Response)
    def read_metrics() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    def read_page() -> FileResponse:
        return FileResponse(WEB / "index.html")

    @app.get("/packages/{name}", include_in_schema=False)
    def read_package(name: str) -> FileResponse:
        if name not in PACKAGES or not PACKAGES[name].is_file():
            raise errors.NotThere("There is no such package here.", f"There are {', '.join(PACKAGES)}.")
        return FileResponse(PACKAGES[name], headers={"Cache-Control": "public, max-age=86400"})

    app.mount("/web", StaticFiles(directory=WEB, check_dir=False), name="web")


def _describe(app: FastAPI) -> None:
    """Adds the problem document to what OpenAPI knows."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            named = errors.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            parts = schema.setdefault("components", {}).setdefault("schemas", {})
            parts |= named.pop("$defs", {})
            parts["Problem"] = named
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def environment_settings() -> ApiSettings:
    """The settings that the environment names. Raises BadSetting."""
    return read_api_settings(os.environ)
