"""The app as a whole: its description is complete, its pages are served, its environment is read here."""

import pytest

from api.app import PACKAGES, environment_settings
from tests.api.stage import Stage


def test_every_operation_is_described(stage: Stage) -> None:
    described = stage.get("/openapi.json")
    names = []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            names.append(operation["operationId"])
            assert operation["summary"], (path, method)
            assert operation["tags"], (path, method)
            assert any(status.startswith("2") for status in operation["responses"]), (path, method)
            for status, response in operation["responses"].items():
                if status.startswith("4"):
                    assert "application/problem+json" in response["content"], (path, method, status)
    assert len(names) == len(set(names)) > 90
    assert "Problem" in described["components"]["schemas"]
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_packages_are_served_from_what_npm_installed(stage: Stage) -> None:
    for name, path in PACKAGES.items():
        response = stage.client.get(f"/packages/{name}")
        assert (response.status_code, response.content) == (200, path.read_bytes())
    for other in ("other.js", "..%2f..%2fpackage.json", "%2e%2e/ethers.min.js"):
        assert stage.client.get(f"/packages/{other}").status_code == 404


def test_nothing_outside_of_the_page_is_served(stage: Stage) -> None:
    for path in ("/web/../app.py", "/web/%2e%2e/app.py", "/web/..%2fapp.py", "/web//etc/passwd"):
        assert stage.client.get(path).status_code == 404


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPUTE_LEDGER_API_PORT", "81")
    assert environment_settings().port == 81
