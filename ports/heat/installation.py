"""The installed Heat, made ready once a process: version, configuration, database, services, resource types.

Heat keeps its configuration, its database connection and its resource types in module globals, so there is one installation in a
process and one run at a time has it. A run says which database it is to be on (:mod:`databases`); each is opened once a process.
"""

from __future__ import annotations

import gc
import importlib.metadata
import logging
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatproof.model import interrupting
from heatproof.model.errors import HeatproofError
from heatproof.ports.heat.databases.choice import SERVERS, Choice, place

if TYPE_CHECKING:
    from heatproof.ports.heat.databases.base import Database

PACKAGE = "openstack-heat"
KNOWN = ("27.0.1",)
"""The releases whose places the patches are known to fit."""

NEEDED = ("greenlet", "oslo.db", "oslo.service", "oslo.messaging", "SQLAlchemy")

LOGGERS = (
    "heat", "oslo_messaging", "oslo.messaging", "oslo_utils", "oslo_db", "oslo_service", "oslo_policy", "stevedore", "keystoneauth",
)  # fmt: skip
"""Who would tell the user about every failure that a scenario provokes."""


def why_not() -> str | None:
    """Why the engine cannot be run here, or None."""
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return f"{PACKAGE} is not installed; pip install 'heatproof[heat]'"
    if version not in KNOWN:
        return (
            f"{PACKAGE} {version} is installed, and the port knows {', '.join(KNOWN)}; install that, or see"
            " docs/real-engine.md for what to look at in another release"
        )
    for name in NEEDED:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return f"{PACKAGE} is installed without its requirements ({name} is missing); pip install 'heatproof[heat]'"
    return None


class Installation:
    """What is made once: ``service`` (an EngineService that no engine is), the databases, and ``owner``, whose run it serves."""

    def __init__(self) -> None:
        if reason := why_not():
            raise HeatproofError(f"the real engine cannot be run: {reason}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._configure()
            from heatproof.ports.heat import patches

            patches.install(patches.PATCHES)
            self._databases: dict[tuple[Choice, str], Database] = {}
            self.database = self.use(Choice())
            from heat.engine.service import EngineService

            self.service = EngineService("heatproof", "engine")
            from heatproof.ports.heat import plugin

            self.plugin = plugin
        self.owner: object = None
        gc.collect()
        gc.freeze()  # some 10^6 objects of modules and mappers that stay: collections need not look at them again

    def _configure(self) -> None:
        from oslo_service import backend

        if "oslo_service.service" not in sys.modules:
            backend.init_backend(backend.BackendType.THREADING)  # before anything else of OpenStack is imported
        from heat.common import crypt, messaging, wsgi  # noqa: F401  # that their options are known
        from heat.engine import service  # noqa: F401
        from oslo_config import cfg

        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        empty = Path(tempfile.gettempdir()) / "heatproof-no-such-folder"
        cfg.CONF([], project="heat", default_config_files=[], default_config_dirs=[])
        settings: dict[str, Any] = {
            "convergence_engine": True, "deferred_auth_method": "password", "error_wait_time": None, "plugin_dirs": [],
            "auth_encryption_key": "0123456789abcdef0123456789abcdef", "encrypt_parameters_and_properties": False,
            "environment_dir": str(empty), "template_dir": str(empty), "max_resources_per_stack": -1, "max_stacks_per_tenant": -1,
        }  # fmt: skip
        for name, value in settings.items():
            cfg.CONF.set_override(name, value)
        messaging.setup("fake://", optional=True)

    def use(self, choice: Choice) -> Database:
        """The database that Heat works on from now on. Raises :class:`HeatproofError` if it cannot be had."""
        from heat.db import api
        from oslo_config import cfg

        at = place(choice.kind) if choice.kind in SERVERS else "sqlite://"
        database = self._databases.get((choice, at))
        if database is None:
            database = self._databases[choice, at] = open_database(choice, at)
        self.database = database
        api.context_manager.patch_factory(database.manager)
        cfg.CONF.set_override("connection", f"{choice.kind.replace('mariadb', 'mysql')}://", group="database")
        api._is_mysql_cache = None  # Heat looks at the setting once
        return database

    def reset(self, owner: object, choice: Choice) -> Database:
        """An empty database of that kind for ``owner``."""
        self.use(choice)
        self.owner = None
        self.database.reset()
        self.owner = owner
        return self.database

    def give_up(self) -> None:
        """The database is not used again: Heat was interrupted, and SQLAlchemy closes a connection then that it was at work with."""
        self._databases = {key: database for key, database in self._databases.items() if database is not self.database}


def open_database(choice: Choice, at: str) -> Database:
    """The database of that kind at that URL, with Heat's tables in it. Raises :class:`HeatproofError` if it cannot be had."""
    if choice.kind == "postgresql":
        from heatproof.ports.heat.databases.postgresql import PostgreSQL

        return PostgreSQL(at, choice)
    if choice.kind == "mariadb":
        from heatproof.ports.heat.databases.mariadb import MariaDB

        return MariaDB(at, choice)
    from heatproof.ports.heat.databases.embedded import Embedded

    return Embedded()


@cache
def installed() -> Installation:
    """The installation of this process; made when first asked for. Raises :class:`HeatproofError` if there can be none."""
    interrupting.heed()
    with interrupting.LOADING:  # it takes seconds, and what is imported may take an interrupt for an error of its own
        return Installation()
