"""Makes TorchScript archives with cards, which ``longhaul embed`` takes, of models in Python.

On the command line ``longhaul-export esm MODEL OUT.ts``; in a program each module here has
``main(arguments)``: ``antiberty``, ``esm``, ``openclip``, ``torchvision_models`` and
``transformers_folders``. They raise ``shared.ExportError`` with what to do about it. They need
torch and the library that the model comes from: ``pip install 'longhaul[export]'``.
"""
