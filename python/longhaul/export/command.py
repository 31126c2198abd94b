"""longhaul-export KIND ...: one command for the exporters, whose libraries are imported when one
is chosen."""

import importlib
import importlib.util
import sys

# Kind: its module, what it imports, what it makes archives of.
KINDS = {
    "antiberty": ("antiberty", ("torch", "transformers"), "AntiBERTy, weights from PyPI"),
    "esm": ("esm", ("torch", "transformers"), "ESM-2, ESM-1v, ESM-1b"),
    "transformers": ("transformers_folders", ("torch", "torchvision", "transformers"),
                     "folders in transformers' format: ProtT5, BERT, DINOv2, ..."),
    "openclip": ("openclip", ("open_clip", "torch", "torchvision"),
                 "image towers of open_clip's models"),
    "torchvision": ("torchvision_models", ("safetensors", "timm", "torch", "torchvision"),
                    "features of torchvision's and timm's classifiers"),
}


def usage():
    lines = [f"  {kind:<14}{makes}" for kind, (_, _, makes) in KINDS.items()]
    return "\n".join(["usage: longhaul-export KIND ... OUT.ts     (longhaul-export KIND --help)", "",
                      "Makes a TorchScript archive with a card of", *lines])


def main(given=None):
    given = sys.argv[1:] if given is None else list(given)
    if given[:1] in (["-h"], ["--help"]):
        print(usage())
        return
    if not given or given[0] not in KINDS:
        what = f"no exporter {given[0]!r}" if given else "no exporter named"
        print(f"longhaul-export: {what}\n{usage()}", file=sys.stderr)
        sys.exit(2)
    kind, rest = given[0], given[1:]
    module, needed, _ = KINDS[kind]
    lacking = [name for name in needed if importlib.util.find_spec(name) is None]
    if lacking:
        sys.exit(f"longhaul-export {kind}: {sys.executable} lacks {', '.join(lacking)}: "
                 "pip install 'longhaul[export]'")
    from longhaul.export import shared
    # What exporters call themselves, in their help too.
    sys.argv = [f"longhaul-export {kind}", *rest]
    shared.run(importlib.import_module(f"longhaul.export.{module}").main)
