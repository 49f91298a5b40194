"""How property tests run everywhere: the same examples each time, as many as the profile says. And a PostgreSQL or a
Slurm cluster for whoever asks for one."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from ledger import Secret
from tests.postgres import Server, postgres
from tests.slurm import Cluster, slurm

for name, examples in {"default": 50, "ci": 200, "deep": 5_000}.items():
    settings.register_profile(name, derandomize=True, deadline=None, max_examples=examples)
settings.load_profile("default")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server of this run's own."""
    with postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Secret:
    """An empty database on it, for one test."""
    return Secret(postgres_server.fresh())


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Cluster]:
    """A Slurm cluster of this run's own, of one node: who takes the node away gives it back."""
    with slurm() as cluster:
        yield cluster
