"""A client made of what the API says of itself and of nothing else: operations by their names, every request and every
answer held against its schema."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from jsonschema_rs import Draft202012Validator

_PROBLEM = "application/problem+json"


class Described:
    """The API at an address. `key` is sent wherever the description asks for credentials."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)
        self._document = self._http.get("/openapi.json").json()
        self._operations = {
            what["operationId"]: (method, path, what)
            for path, methods in self._document["paths"].items()
            for method, what in methods.items()
        }
        self.key: str | None = None

    def close(self) -> None:
        self._http.close()

    @property
    def names(self) -> list[str]:
        """What can be called."""
        return list(self._operations)

    def call(self, name: str, body: Any = None, /, **values: Any) -> Any:
        """What an operation answers, which must succeed."""
        response = self.ask(name, body, **values)
        assert response.is_success, f"{name}: {response.text}"
        return response.json() if response.content else None

    def ask(self, name: str, body: Any = None, /, **values: Any) -> httpx.Response:
        """The response to an operation; `values` are its parameters by their names, with _ for -."""
        method, path, what = self._operations[name]
        headers, query = self._credentials(what), dict[str, str]()
        for parameter in what.get("parameters", ()):
            key, place = parameter["name"], parameter["in"]
            value = values.pop(key.lower().replace("-", "_"), None)
            assert value is not None or not parameter.get("required"), f"{name} needs {key}"
            if value is None:
                continue
            self._check(parameter["schema"], value, f"{name}: {key}")
            if place == "path":
                path = path.replace("{" + key + "}", quote(str(value), safe=""))
            else:
                (headers if place == "header" else query)[key] = str(value)
        assert not values, f"{name} has no {', '.join(values)}"
        if body is not None:
            self._check(_schema(what["requestBody"]["content"], "application/json"), body, f"{name}: the body")
        response = self._http.request(method, path, json=body, headers=headers, params=query)
        self._hold(name, what, response)
        return response

    def _credentials(self, what: Mapping[str, Any]) -> dict[str, str]:
        asks = any("HTTPBearer" in one for one in what.get("security", ()))
        return {"Authorization": f"Bearer {self.key}"} if asks and self.key else {}

    def _hold(self, name: str, what: Mapping[str, Any], response: httpx.Response) -> None:
        described = what["responses"].get(str(response.status_code))
        assert described is not None, f"{name} does not describe {response.status_code}: {response.text}"
        if "content" in described:
            kind = response.headers["content-type"]
            assert kind in described["content"], f"{name} does not describe {kind}"
            assert response.is_success or kind == _PROBLEM
            self._check(_schema(described["content"], kind), response.json(), f"{name}: {response.status_code}")

    def _check(self, schema: Mapping[str, Any], value: Any, what: str) -> None:
        whole = dict(schema) | {"components": self._document["components"]}
        wrong = [one.message for one in Draft202012Validator(whole).iter_errors(value)]
        assert not wrong, f"{what}: {wrong[:3]}"


def _schema(content: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = content[kind]["schema"]
    return found
