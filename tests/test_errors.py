import importlib
import inspect
import pkgutil
import subprocess
import sys

import nearword.biasing
import nearword.endpointing
import nearword.lattice
import nearword.models
import nearword.runtime
import pytest
from nearword.models.errors import NearwordError

PACKAGES = (nearword.runtime, nearword.lattice, nearword.biasing, nearword.models, nearword.endpointing)


def error_classes() -> list[type[Exception]]:
    found = set()
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".training" in module.name or module.name.endswith("__main__"):
                continue
            members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
            found |= {value for _, value in members if value.__module__.startswith("nearword.")}
    return [each for each in found if issubclass(each, Exception) and not each.__name__.startswith("_")]


def test_every_public_error_has_one_root():
    classes = error_classes()
    assert len(classes) > 10
    inside = {"RefusedError"}  # of the rescoring server, which answers with it
    assert {each.__name__ for each in classes if not issubclass(each, NearwordError)} <= inside


@pytest.mark.parametrize("package", ["lattice", "biasing"])
def test_the_errors_of_a_leaf_bring_no_speech_model(package):
    check = f"import sys, nearword.{package}; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_name_that_a_package_lists_is_there(package):
    assert package.__all__
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
