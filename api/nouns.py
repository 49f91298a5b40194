"""The routes of one noun: asked only for paths that begin with it. A request would else be held against every route of
every noun before its own, which took longer than most answers."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class Noun(APIRouter):
    """An APIRouter with a prefix, which is its noun."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        if not path.startswith(self.prefix):
            return Match.NONE, {}
        return super().matches(scope)
