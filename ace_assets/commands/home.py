"""Where Dagster keeps its history: DAGSTER_HOME, or a folder that is made when nothing was said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ace_assets import shipped
from ace_assets.errors import ConfigError
from ace_assets.store import Store

HOME_ENV = "DAGSTER_HOME"
FOLDER = "dagster_home"


def ensure_home(store: Store) -> Path:
    """Return Dagster's folder, made and configured if need be, and name it in the environment.

    It is DAGSTER_HOME where that is set; `dagster_home/` here in a checkout; else a folder in the data folder,
    or below the user's home where the data lies on S3.

    Raises:
        ConfigError: the folder cannot be made.
    """
    told = os.environ.get(HOME_ENV)
    here = Path.cwd() / FOLDER
    if told:
        home = Path(told).expanduser().absolute()
    elif (here / "dagster.yaml").is_file():
        home = here
    else:
        root = store.local_root
        home = (root if root is not None else Path.home() / ".ace-assets") / FOLDER
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            shutil.copyfile(shipped.path(FOLDER) / "dagster.yaml", home / "dagster.yaml")
    except OSError as error:
        raise ConfigError(
            HOME_ENV,
            value=f"{home}: {error.strerror}",
            expected="a folder that can be written",
            remedy=f"set {HOME_ENV}",
        ) from error
    os.environ[HOME_ENV] = str(home)
    return home
