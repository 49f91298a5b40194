"""The house's rules as functions on plain text and syntax trees, so that each can be shown a breach of its rule.

A check takes sources (repository path -> text) and returns findings: sentences that name the place and what is
missing or wrong there. No finding means that the rule holds.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import PurePosixPath

Sources = Mapping[str, str]

LINES_MAX = 400

# STYLE 11: a module imports only from lower layers. `errors` lies under `units`, which raises them too. Whoever adds a
# module gives it the lowest layer that fits; one inside a package is named with it.
LAYERS = {
    name: layer
    for layer, names in enumerate(
        (
            "remedies agent.batch",
            "errors",
            "units codec cli.tables",
            "product prices settings model datasets abi eip712 transactions sending.fees sending.groups",
            "dispatch.columns "
            "standard auction artifacts keeping.tasks keys areas reverts node services clock rpc transport "
            "localchain.journal localchain.pipe localchain.callers localchain.wishes "
            "audit.books audit.decode audit.tries agent.document agent.merkle agent.warden",
            "store.engine store.records endpoints inprocess dispatch.problem agent.executor agent.readings "
            "agent.folder agent.gpu agent.turns",
            "dispatch.tables "
            "store.intents store.chains store.spending store.campaigns dispatch.jobfile sending.envelope "
            "agent.slurmfolder agent.slurmjob agent.manifest agent.local store.agent agent.measure agent.jobstore "
            "agent.meter",
            "store.leases dispatch.groups dispatch.rules dispatch.holdings agent.slurm agent.kubernetes cli.jobtext",
            "dispatch.reach dispatch.feasible dispatch.vacant dispatch.reasons "
            "store.turns dispatch.progress dispatch.resale "
            "chain history.bloom history.ranges history.entries history.logs store.accounts store.bulk store.outbox "
            "store.tables store.relay demo.scenario",
            "sending.wire dispatch.flow dispatch.gangs dispatch.optimal dispatch.state store.standing",
            "dispatch.split dispatch.duals dispatch.certificate "
            "sending.drafts sending.gaps sending.relayed sending.places",
            "sending.tracker dispatch.planner dispatch.parts dispatch.staying",
            "sending.waiting dispatch.rolling",
            "history.duties history.source store.history store.audit_rows store.queries store.quality "
            "store.maintenance sending.sender orders permits "
            "store.jobs view localchain.keptnode audit.receipts",
            "localchain.scribe maintenance store.board store.past action keeping.outgoing keeping.relays history.rows "
            "store.catalogue audit.acts audit.duties audit.proofs",
            "localchain.door market delivery dispatch.offers dispatch.preview dispatch.tiers deployment "
            "keeping.backlog "
            "history.index audit.headers "
            "audit.replay cli.console",
            "agent.finding agent.setup keeping.keeper audit.checks audit.export audit.stored dispatch.desk "
            "dispatch.purse dispatch.steps dispatch.taking cli.session demo.stage",
            "agent.reporting agent.running audit.run dispatch.agenda dispatch.outcomes dispatch.documents "
            "cli.placements cli.verbs cli.door cli.index cli.keeper cli.node cli.governance cli.outbox "
            "cli.services demo.trading",
            "agent.agent dispatch.campaign cli.audit cli.quality demo.day demo.live",
            "cli.agent cli.dispatch",
            "cli.main",
            "demo.board demo.stream",
            "demo.main up",
        ),
        start=-2,
    )
    for name in names.split()
}

# STYLE 11: a library that only these modules know; everyone else speaks to them.
CONFINED = {
    "web3": {"ledger/chain.py", "ledger/inprocess.py"},
    "eth_account": {"ledger/keys.py", "ledger/orders.py"},
    "sqlalchemy": {"ledger/store/"},
    "fastapi": {"api/"},
}
ENVIRONMENT = {"ledger/cli/main.py", "ledger/agent/batch.py", "ledger/demo/stream.py", "ledger/up.py", "api/app.py"}

# Written in two parts, so that this file does not break its own rules.
UNFINISHED = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
REGISTRIES = re.compile("|".join(("pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.(?:org|com)", "yarn" + "pkg")))
MACHINE_PATH = re.compile(r"(?<![\w.:/$}-])/(?:home|root|Users|work|tmp|mnt|opt)/\w")
GENERATED = re.compile(r"^(?:out|cache|node_modules|\.venv[^/]*)/|\.(?:db|db-wal|db-shm|pyc)$")


def python_files(sources: Sources, *folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Path and tree of each Python file under the folders, scripts without a suffix included."""
    for path, text in sources.items():
        named = path.endswith(".py") or ("." not in path and re.match(r"#!.*python", text))
        if named and path.startswith(folders):
            yield path, ast.parse(text, path)


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a file imports, wherever in it; `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def exported_names(sources: Sources) -> list[str]:
    """`__all__` of ledger/__init__.py, read and not run."""
    for node in ast.walk(ast.parse(sources.get("ledger/__init__.py", ""))):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


# IMPORTS


def layers(sources: Sources) -> list[str]:
    """STYLE 11: each module of ledger has a layer and imports only from lower ones."""
    findings = []
    for path, tree in python_files(sources, "ledger/"):
        module = path.removeprefix("ledger/").removesuffix(".py").replace("/", ".")
        if module.rpartition(".")[2] == "__init__":
            continue
        if module not in LAYERS:
            findings.append(f"{path}: has no layer in tests/house.py")
            continue
        for line, name in imports(tree):
            if name.partition(".")[0] == "ledger" and layer_of(name) >= LAYERS[module]:
                findings.append(f"{path}:{line}: layer {LAYERS[module]} imports {name}, which is not lower")
    return findings


def layer_of(name: str) -> int:
    """The layer of what `ledger.a.b.name` stands in: of the module a.b, or a; above all where there is none."""
    _, first, second, *_ = [*name.split("."), "", ""]
    within = f"{first}.{second}"
    return LAYERS.get(within, LAYERS.get(first, len(LAYERS)))


def confinement(sources: Sources) -> list[str]:
    """STYLE 11: a confined library is imported only in its own modules."""
    return [
        f"{path}:{line}: imports {name}, which belongs in {', '.join(sorted(CONFINED[name.partition('.')[0]]))}"
        for path, tree in python_files(sources, "ledger/", "api/", "scripts/")
        for line, name in imports(tree)
        if not path.startswith(tuple(CONFINED.get(name.partition(".")[0], {path})))
    ]


def environment(sources: Sources) -> list[str]:
    """STYLE 11: the process environment is read at the two doors of the program, and passed on from there."""
    findings = []
    for path, tree in python_files(sources, "ledger/", "api/"):
        if path in ENVIRONMENT:
            continue
        lines = [line for line, name in imports(tree) if name in {"os.environ", "os.getenv"}]
        lines += [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
        ]
        findings += [f"{path}:{line}: reads the environment" for line in sorted(lines)]
    return findings


def directions(sources: Sources) -> list[str]:
    """STYLE 11: nothing imports api, scripts or tests, but api itself and tests."""
    return [
        f"{path}:{line}: imports {name}"
        for path, tree in python_files(sources, "ledger/", "api/", "scripts/")
        for line, name in imports(tree)
        if name.partition(".")[0] in {"api", "scripts", "tests"} - {path.partition("/")[0]}
    ]


def public_names_only(sources: Sources) -> list[str]:
    """STYLE 11: api and scripts use of ledger only what `ledger.__all__` exports."""
    exported = set(exported_names(sources))
    findings = []
    for path, tree in python_files(sources, "api/", "scripts/"):
        used = [(line, name) for line, name in imports(tree) if name.startswith("ledger.")]
        used += [
            (node.lineno, f"ledger.{node.attr}")
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ledger"
        ]
        findings += [f"{path}:{line}: {name} is not exported" for line, name in used if name[7:] not in exported]
    return findings


def exports(sources: Sources) -> list[str]:
    """`ledger.__all__` lists exactly what ledger/__init__.py imports, once each and in order."""
    exported = exported_names(sources)
    tree = ast.parse(sources.get("ledger/__init__.py", ""))
    imported = {name.rpartition(".")[2] for _, name in imports(tree)}
    findings = [f"ledger/__init__.py: {name} is imported, not exported" for name in sorted(imported - set(exported))]
    findings += [f"ledger/__init__.py: {name} is exported, not imported" for name in sorted(set(exported) - imported)]
    if len(set(exported)) < len(exported):
        findings.append("ledger/__init__.py: a name is exported twice")
    return findings


# TESTS


def python_mirror(sources: Sources) -> list[str]:
    """STYLE 18: ledger/name.py and tests/ledger/test_name.py come in pairs; so in api, and inside packages."""
    findings = []
    for package in ("ledger", "api"):
        modules = {m[1] for path in sources if (m := re.fullmatch(rf"{package}/(.+)\.py", path))}
        modules = {name for name in modules if not name.endswith("__init__")}
        tests = (re.fullmatch(rf"tests/{package}/((?:.+/)?)test_(\w+)\.py", path) for path in sources)
        tested = {m[1] + m[2] for m in tests if m}
        findings += [f"{package}/{name}.py: no test of it in tests/{package}" for name in sorted(modules - tested)]
        orphans = tested - modules - {"init"}
        findings += [f"tests/{package}: a test of {name}, and no {package}/{name}.py" for name in sorted(orphans)]
    return findings


def without_comments(solidity: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", solidity, flags=re.DOTALL)


def open_functions(solidity: str) -> list[str]:
    """Names of a contract's external and public functions, in order, overloads once."""
    heads = re.findall(r"\bfunction\s+(\w+)\s*\([^)]*\)([^{;]*)", without_comments(solidity))
    return list(dict.fromkeys(name for name, rest in heads if re.search(r"\b(?:external|public)\b", rest)))


def contract_mirror(sources: Sources) -> list[str]:
    """STYLE 18: each open function of each contract, and each library, has a forge file with a test in it."""
    wanted: dict[str, str] = {}
    for path, text in sources.items():
        # A part of a contract says whose it is by the interface it implements first.
        if match := re.fullmatch(r"contracts/(\w+)\.sol", path) or (
            path.startswith("contracts/parts/") and re.search(r"\babstract contract \w+ is I(\w+)", text)
        ):
            wanted |= {f"tests/contracts/{match[1]}/{name}.t.sol": f"{path}: {name}" for name in open_functions(text)}
        elif match := re.fullmatch(r"contracts/libraries/(\w+)\.sol", path):
            wanted[f"tests/contracts/libraries/{match[1]}.t.sol"] = path
    return [
        f"{subject}: no test in {path}"
        for path, subject in wanted.items()
        if not re.search(r"\bfunction\s+(?:test|check_|invariant)", without_comments(sources.get(path, "")))
    ]


def solidity_invariants(solidity: str) -> set[str]:
    """Ids that stand in the comment, the name or the body of an invariant function."""
    heads = list(re.finditer(r"(?m)(?:^[ \t]*//[^\n]*\n)*^[ \t]*function\s+(\w+)", solidity))
    ends = [head.start() for head in heads[1:]] + [len(solidity)]
    text = "".join(
        solidity[head.start() : end] for head, end in zip(heads, ends, strict=True) if head[1].startswith("invariant")
    )
    return {f"INV-{number}" for number in re.findall(r"(?:\b|_)inv[-_]?(\d+)", text, re.IGNORECASE)}


def invariants(sources: Sources) -> list[str]:
    """STYLE 19: each id of tests/INVARIANTS.md is in a Solidity invariant and, once there is one, in the audit."""
    listed = re.findall(r"(?m)^\W*(INV-\d+)\b", sources.get("tests/INVARIANTS.md", ""))
    if not listed:
        return ["tests/INVARIANTS.md: lists no invariant (a line begins with INV-1, INV-2 …)"]
    findings = []
    if sorted(listed) != sorted(f"INV-{n + 1}" for n in range(len(listed))):
        findings.append("tests/INVARIANTS.md: ids are not INV-1, INV-2 … once each")
    forge = [text for path, text in sources.items() if re.match(r"tests/contracts/.*\.sol$", path)]
    places = {"Solidity invariant": set().union(*map(solidity_invariants, forge))}
    if "ledger/audit/run.py" in sources:
        audit = "\n".join(text for path, text in sources.items() if path.startswith("ledger/audit/"))
        places["check in ledger/audit"] = set(re.findall(r"INV-\d+", audit))
    for place, found in places.items():
        findings += [f"{name}: in no {place}" for name in sorted(set(listed) - found)]
        findings += [f"{name}: in a {place}, not in tests/INVARIANTS.md" for name in sorted(found - set(listed))]
    return findings


def errors_provoked(sources: Sources) -> list[str]:
    """STYLE 18: each custom error is raised by a contract and provoked by a forge test."""
    code = {path: without_comments(text) for path, text in sources.items() if path.endswith(".sol")}
    raising = "\n".join(text for path, text in code.items() if path.startswith("contracts/"))
    testing = "\n".join(text for path, text in code.items() if path.startswith("tests/contracts/"))
    findings = []
    for path, text in sources.items():
        if not re.match(r"contracts/.*\.sol$", path):
            continue
        for name in re.findall(r"\berror\s+(\w+)\s*\(", without_comments(text)):
            if not re.search(rf"(?<!error )\b{name}\b", raising):
                findings.append(f"{path}: {name} is raised nowhere")
            if not re.search(rf"\b{name}\b", testing):
                findings.append(f"{path}: {name} is provoked by no test in tests/contracts")
    return findings


def error_names(sources: Sources) -> list[str]:
    """STYLE 4: an error in interfaces/IX.sol is called X_WhatWentWrong."""
    return [
        f"{path}: {name} does not begin with {match[1]}_"
        for path, text in sources.items()
        if (match := re.fullmatch(r"contracts/interfaces/I(\w+)\.sol", path))
        for name in re.findall(r"\berror\s+(\w+)\s*\(", without_comments(text))
        if not re.fullmatch(rf"{match[1]}_[A-Z]\w+", name)
    ]


# TEXT


def notices(sources: Sources) -> list[str]:
    """Each data file that is shipped is named in NOTICE, where its source and licence stand."""
    notice = sources.get("NOTICE", "")
    data = [path for path in sources if re.search(r"(?:^|/)data/|\.(?:csv|tsv|parquet|json\.gz)$", path)]
    return [f"{path}: not named in NOTICE" for path in data if PurePosixPath(path).name not in notice]


def lines_matching(sources: Sources, pattern: re.Pattern[str], what: str) -> list[str]:
    return [
        f"{path}:{number}: {what}: {line.strip()[:80]}"
        for path, text in sources.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def unfinished(sources: Sources) -> list[str]:
    return lines_matching(sources, UNFINISHED, "unfinished")


def registries(sources: Sources) -> list[str]:
    return lines_matching(sources, REGISTRIES, "address of a registry")


def machine_paths(sources: Sources) -> list[str]:
    return lines_matching(sources, MACHINE_PATH, "path of one machine")


def locks(sources: Sources) -> list[str]:
    """STYLE 24: lock files pin by hash and name no place to fetch from."""
    findings = []
    for path, text in sources.items():
        if path == "package-lock.json" and '"resolved"' in text:
            findings.append(f"{path}: names where a package came from")
        if path.endswith(".lock"):
            pins = re.findall(r"(?m)^[\w.-]+==.*(?:\n[ \t]+.*)*", text)
            findings += [f"{path}: no hash for {pin.split()[0]}" for pin in pins if "--hash=sha256:" not in pin]
            findings += [f"{path}: {line}" for line in text.splitlines() if re.match(r"-|.*://", line)]
    return findings


def lengths(sources: Sources) -> list[str]:
    return [
        f"{path}: {lines} lines, at most {LINES_MAX}"
        for path, text in sources.items()
        if re.match(r"(?:ledger|api|contracts|tests)/.*\.(?:py|sol)$|scripts/", path)
        and (lines := len(text.splitlines())) > LINES_MAX
    ]


def explanations(sources: Sources) -> list[str]:
    """A finding that slither is told to pass over has its reason beside it: on the line, or on the one above."""
    findings = []
    for path, text in sources.items():
        lines = ["", *text.splitlines()] if path.startswith("contracts/") else []
        for number, (above, line) in enumerate(pairwise(lines), 1):
            match = re.search(r"//\s*slither-disable\S*\s+[\w,-]+(.*)", line)
            if match and len(match[1].split()) < 3 and not re.match(r"\s*//", above):
                findings.append(f"{path}:{number}: no reason for {line.strip()}")
    return findings


def generated(sources: Sources) -> list[str]:
    return [f"{path}: is made by a tool, not to be committed" for path in sources if GENERATED.search(path)]
