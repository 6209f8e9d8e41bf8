"""Every module of the project stands in a layer: imports are looked at for all of them."""

import pkgutil
import tomllib

import config
from tests.portals import ROOT


def test_every_module_has_its_layer():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    listed = {name for layer in contract["contracts"][0]["layers"] for name in layer.split(" | ")}
    ours = {f"config.{module.name}" for module in pkgutil.iter_modules(config.__path__)}

    assert listed == ours | {"agents", "queues", "conversations"}
