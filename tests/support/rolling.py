"""The example of the rolling failure, whose servers the tests kill as well."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

__all__ = ["Server", "rolling", "serving"]

_FILE = Path(__file__).parents[2] / "examples" / "zones" / "rolling.py"
_spec: Any = importlib.util.spec_from_file_location("rolling", _FILE)
rolling: Any = importlib.util.module_from_spec(_spec)
sys.modules["rolling"] = rolling
_spec.loader.exec_module(rolling)
Server, serving = rolling.Server, rolling.serving
