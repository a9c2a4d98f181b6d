"""Where the files that ship with the package are: in a checkout, and in an installed wheel.

A checkout keeps `sql/`, `gpu/`, `dagster_home/` and `workspace.yaml` beside the package, where people look for them;
the wheel carries them under `ace_assets/_data/`. The defaults that people edit, `config/`, live inside the package in
both. What a run makes never lives here; that is `store`.
"""

from __future__ import annotations

from pathlib import Path

from ace_assets.errors import ConfigError

PACKAGE_DIR = Path(__file__).resolve().parent
CHECKOUT_DIR = PACKAGE_DIR.parent
WHEEL_DATA_DIR = PACKAGE_DIR / "_data"

INSIDE_PACKAGE = frozenset({"config"})
BESIDE_PACKAGE = frozenset({"sql", "gpu", "dagster_home", "workspace.yaml"})


def path(name: str) -> Path:
    """Return the folder or file `name` that ships with the package.

    Args:
        name: one of `config`, `sql`, `gpu`, `dagster_home`, `workspace.yaml`.

    Raises:
        ConfigError: the name is not one that ships, or the installation lacks it.

    >>> path("config").name
    'config'
    """
    if name in INSIDE_PACKAGE:
        candidates = [PACKAGE_DIR / name]
    elif name in BESIDE_PACKAGE:
        # A wheel's own copy first: what lies beside an installed package belongs to somebody else.
        candidates = [WHEEL_DATA_DIR / name, CHECKOUT_DIR / name]
    else:
        raise ConfigError(
            "shipped file",
            value=name,
            expected="one of " + ", ".join(sorted(INSIDE_PACKAGE | BESIDE_PACKAGE)),
            remedy="correct the name",
        )
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise ConfigError(
        "shipped file",
        value=name,
        expected=f"it at {candidates[0]}",
        remedy="install ace-assets again; this installation is incomplete",
    )
