"""Every remedy is a sentence or two that a person can follow."""

import pytest

from ledger.remedies import REMEDIES


@pytest.mark.parametrize("name", REMEDIES)
def test_remedy_is_a_sentence(name: str) -> None:
    remedy = REMEDIES[name]
    assert remedy[0].isupper() or remedy[0] in "`{"
    assert remedy.endswith((".", "!", "?"))
