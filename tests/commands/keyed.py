"""The commands that have their keys from a TypedDict of their own, by name."""

import importlib
import pkgutil

import suite

_MODULES = [importlib.import_module(f"suite.{found.name}") for found in pkgutil.iter_modules(suite.__path__)]
KEYED: dict[str, type] = {
    module.__name__.removeprefix("suite."): module.Keys for module in _MODULES if hasattr(module, "Keys")
}
