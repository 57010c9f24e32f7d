"""The installed Heat, made ready once a process: version, configuration, database, services, resource types.

Heat keeps its configuration, its database connection and its resource types in module globals, so there is one installation in a
process and one run at a time has it. Between runs the database is put back by copying an empty one over it, in memory.
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
from typing import Any

from heatproof.model.errors import HeatproofError

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
    """What is made once: ``service`` (an EngineService that no engine is), the database, and ``world``, whose run it serves."""

    def __init__(self) -> None:
        if reason := why_not():
            raise HeatproofError(f"the real engine cannot be run: {reason}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._configure()
            from heatproof.ports.heat import patches

            patches.install(patches.PATCHES)
            self.connection = self._make_database()
            self.empty: bytes = self.connection.serialize()
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
        cfg.CONF.set_override("connection", "sqlite://", group="database")
        messaging.setup("fake://", optional=True)

    def _make_database(self) -> Any:
        """Heat's own tables in memory, on the one connection that there is; returns it."""
        import sqlalchemy
        from heat.db import api, models

        from heatproof.ports.heat import statements

        for table in models.BASE.metadata.tables.values():
            keys = list(table.primary_key.columns)
            if len(keys) == 1 and isinstance(keys[0].type, sqlalchemy.Integer):
                table.dialect_options["sqlite"]["autoincrement"] = True  # else the id of a deleted row is given out again
        api.context_manager.configure(connection="sqlite://", sqlite_fk=True)
        engine = api.get_engine()
        models.BASE.metadata.create_all(engine)
        statements.listen(engine)
        return engine.raw_connection().driver_connection

    def reset(self, owner: object) -> None:
        """An empty database for ``owner``."""
        self.owner = owner
        self.connection.deserialize(self.empty)


@cache
def installed() -> Installation:
    """The installation of this process; made when first asked for. Raises :class:`HeatproofError` if there can be none."""
    return Installation()
