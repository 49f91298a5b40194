"""How many blocks to ask for at once: no two nodes allow the same, and what is fast differs along the chain."""

import re

LOGS_WANTED = 5_000
"""About how many logs an answer should have: enough to be fast, few enough to hold."""

RANGE_FIRST, RANGE_MAX = 100, 1_000_000


class Ranges:
    """How many blocks to ask for at once: learned from what the node gives, and from what it says when it refuses."""

    def __init__(self, first: int = RANGE_FIRST, most: int = RANGE_MAX) -> None:
        self.blocks = first
        self._most = most

    def refused(self, from_block: int, to_block: int, why: str) -> bool:
        """Makes the range smaller: as small as `why` says, else half. False where it is one block already."""
        asked = to_block - from_block + 1
        if asked == 1:
            return False
        told = suggested(why, from_block)
        self.blocks = told if told is not None and told < asked else max(asked // 2, 1)
        if told is not None:
            self._most = max(told, 1)
        return True

    def gave(self, from_block: int, to_block: int, logs: int) -> None:
        """Aims at LOGS_WANTED an answer, at most four times as many blocks as before."""
        asked = to_block - from_block + 1
        fair = asked * LOGS_WANTED // max(logs, 1)
        self.blocks = max(1, min(fair, asked * 4, self._most))


_RANGE = re.compile(r"\[\s*(0x[0-9a-f]+|\d+)\s*,\s*(0x[0-9a-f]+|\d+)\s*\]", re.IGNORECASE)
_LIMIT = re.compile(
    r"(?:limited to|max(?:imum)?(?: allowed)?(?: block)?(?: range)?(?: is|:| of)?|exceeds?|up to|over|than)"
    r"(?: the| an?| range| 0 -)* ([\d,]+)(k?)(?= ?-? ?blocks?\b| range|$|\.|,|\))",
    re.IGNORECASE,
)


def suggested(why: str, from_block: int) -> int | None:
    """How many blocks from `from_block` on a node says it would give; None where it says nothing of the kind.

    Such texts are not standardised. Known: a range in brackets (Alchemy, Infura, thirdweb), or a limit in blocks (Ankr,
    QuickNode, Cloudflare, BlockPI, Base, Chainstack …).
    """
    found = _RANGE.search(why)
    if found is not None:
        first, last = (int(text, 16 if text.lower().startswith("0x") else 10) for text in found.groups())
        return last - first + 1 if first == from_block and last >= first else None
    limit = _LIMIT.search(why) if "block" in why.lower() or "range" in why.lower() else None
    digits = limit[1].replace(",", "") if limit is not None else ""
    if limit is None or not digits.isascii() or not digits.isdigit():
        return None
    return int(digits) * (1_000 if limit[2] else 1) or None
