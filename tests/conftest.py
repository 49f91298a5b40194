"""How property tests run everywhere: the same examples each time, as many as the profile says."""

from hypothesis import settings

for name, examples in {"default": 50, "ci": 200, "deep": 5_000}.items():
    settings.register_profile(name, derandomize=True, deadline=None, max_examples=examples)
settings.load_profile("default")
