"""What an auditor runs: the books kept a second time from events alone, and held against the chain."""
