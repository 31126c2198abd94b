"""The Python that scripts/setup made, found by the scripts themselves.

A script begins with need("torch", ...): where the interpreter that runs it has these modules nothing
happens, else the script is started anew by the checkout's .venv, with the same arguments. Only the
standard library is used here, and nothing newer than Python 3.6.
"""

import importlib.util
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")


def missing(modules):
    return [name for name in modules if importlib.util.find_spec(name) is None]


def need(*modules):
    """Goes on when `modules` can be imported, here or in .venv; else ends with one line."""
    lacking = missing(modules)
    if not lacking:
        return
    script = os.path.abspath(sys.argv[0])
    python = os.path.join(VENV, "bin", "python")
    # Setup writes the stamp last: without it the environment is half made.
    ready = os.path.exists(os.path.join(VENV, "requirements.stamp"))
    if ready and not os.path.samefile(sys.prefix, VENV):
        os.execv(python, [python, script] + sys.argv[1:])
    sys.exit("{}: {} lacks {}: run {} first, which makes {}".format(
        os.path.basename(script), "its Python" if not ready else python, ", ".join(lacking),
        os.path.join(ROOT, "scripts", "setup"), VENV))


def use_package():
    """The checkout's own longhaul, python/longhaul, is what `import longhaul` finds."""
    sys.path.insert(0, os.path.join(ROOT, "python"))
