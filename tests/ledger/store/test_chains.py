"""One database, one chain of each id."""

import pytest

from ledger.errors import BadStore
from ledger.store.chains import require_chain
from ledger.store.engine import IN_MEMORY, open_store


def test_database_of_another_chain_with_the_same_id_is_refused() -> None:
    store = open_store(IN_MEMORY)
    for _ in range(2):
        require_chain(store, 31_337, "0xaa")
    require_chain(store, 1, "0xbb")
    with pytest.raises(BadStore, match=r"began with block 0xaa and not with 0xbb; remove it") as refused:
        require_chain(store, 31_337, "0xbb")
    assert "COMPUTE_LEDGER_DATABASE" in refused.value.remedy
    require_chain(store, 31_337, "0xaa")
    store.close()
