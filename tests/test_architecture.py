"""Imports within the package point one way, and nothing knows a chapter."""

import ast
from pathlib import Path

import nnperf_utils

PACKAGE = Path(nnperf_utils.__file__).parent

# From the bottom up: a module knows those of earlier lines only.
LAYERS = [
    {"seeds", "datasets", "statistics", "criterion", "schedules", "optimizers"},
    {
        "plots",
        "models",
        "pace",
        "tabular",
        "lives",
        "costs",
        "flights",
        "ensembles",
        "crew",
        "halving",
        "effort",
        "processes",
    },
    {
        "stopping",
        "watching",
        "maps",
        "checkpoints",
        "recorded",
        "studies",
        "savings",
        "compression",
        "data_parallel",
        "little_data",
        "distillation",
        "pretrained",
        "changed_data",
        "noise_penalty",
    },
    {"little_data_drawings"},
    {"thresholds", "flight_inputs"},
    {"advice", "advice_pictures"},
    {"advice_words"},
    {"bowls", "drawings", "shapes", "steps", "small_networks"},
    {"races", "optimizer_drawings"},
    {"lab_pictures"},
    {"engine.private"},
    {"instruments", "engine.work", "engine.starts", "engine.numbers"},
    {"engine.stateless", "engine.vectorize", "engine.rates", "curvature"},
    {"batches"},
    {"engine.groups"},
    {"engine.plan"},
    {"engine.program"},
    {"engine.training"},
    {"engine.workers"},
    {"replicas", "checks", "design", "blocks"},
    {"comparison"},
    {"peaks", "cheap_ensembles", "look_alikes"},
    {"history"},
    {"catalog"},
    {"replications", "cards"},
    {"claims"},
    {"labs"},
    {"clinic"},
    {"looks"},
    {"doctor.causes", "doctor.data", "doctor.network", "doctor.recording"},
    {"doctor.structure", "doctor.readings", "doctor.reference", "doctor.finding"},
    {"doctor.evidence"},
    {"doctor.rules", "doctor.cards", "doctor.pictures"},
    {"doctor.callback"},
    {"doctor.examining"},
    {"exercises.base"},
    {"exercises"},  # one module a chapter, none of which knows another
]
# Frames are all that these know of an experiment.
FRAMES_ONLY = {"plots", "claims", "criterion", "statistics", "cards", "tabular"}
FRAMES_ONLY |= {"lives", "ensembles"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def place(module: str) -> int:
    """Return the layer of a module; fail for one that has none."""
    parts = ("engine.", "doctor.", "exercises.base")
    whole = module if module.startswith(parts) else None
    name = whole or module.split(".")[0]
    for position, layer in enumerate(LAYERS):
        if name in layer:
            return position
    raise AssertionError(f"nnperf_utils.{module} is in no layer; give it a place")


def imported(path: Path) -> set[str]:
    """Return the package's modules that a module imports, at its top or within."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []  # needed to read the code, not to run it
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    own = {name.removeprefix("nnperf_utils.") for name in found}
    return own & set(MODULES) - {"", "engine", "exercises", "doctor"}


def is_ruled(module: str) -> bool:
    """Whether a module has contents of its own, and so a place in the layers."""
    return module not in ("", "engine", "exercises", "doctor")


def test_imports_point_one_way():
    wrong = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        if is_ruled(module)
        for other in imported(path)
        if place(other) > place(module)
        # on one floor, of two modules one may know the other
        or (place(other) == place(module) and module in imported(MODULES[other]))
    ]
    assert not wrong


def test_frames_are_all_that_plots_and_claims_know():
    heavy = {m for m in MODULES if m.startswith("engine")}
    heavy |= {"replicas", "comparison", "instruments", "checks", "models"}
    for module in FRAMES_ONLY & set(MODULES):
        assert not imported(MODULES[module]) & heavy, module


def test_nothing_knows_a_chapter():
    exercises = {m for m in MODULES if m.startswith("exercises.")} - {"exercises.base"}
    for module, path in MODULES.items():
        others = imported(path) & exercises - {module}
        assert not others, f"{module} knows {others}"
