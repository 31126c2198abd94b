"""What tests of installed programs share: where they look for libraries, and where they may."""

import os
import pathlib
import re
import subprocess

# What every Debian has: glibc, and the libraries of its C and C++ compilers.
BASE = re.compile(r"/(ld-linux.*|libc|libm|libpthread|librt|libdl|libresolv|libutil|libstdc\+\+|libgcc_s)\.so[.\d]*$")
# Of Debian 12.
NEWEST = {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13)}


def binaries(folder):
    return [path for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink() and path.open("rb").read(4) == b"\x7fELF"]


def search_paths(binary):
    """Of RPATH and RUNPATH, one by one."""
    read = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True)
    found = re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", read.stdout)
    return [path for paths in found for path in paths.split(":")]


def libraries_elsewhere(binary, folders):
    """The libraries that `binary` would load from without `folders` and the base of the system,
    and those that it would not find."""
    read = subprocess.run(["/usr/bin/ldd", binary], capture_output=True, text=True, env={})
    assert read.returncode == 0 or "statically" in read.stdout, read.stdout + read.stderr
    lines = [line for line in read.stdout.splitlines() if "=> " in line]
    inside = tuple(os.path.realpath(folder) + "/" for folder in folders)
    found = []
    for line in lines:
        path = line.split("=> ")[1].split(" (")[0]
        if not BASE.search(path) and not os.path.realpath(path).startswith(inside):
            found.append(line.strip())
    return found


def too_new(binary):
    """Versions of the base's symbols that Debian 12 does not have."""
    read = subprocess.run(["readelf", "-W", "--version-info", binary], capture_output=True, text=True,
                          check=True)
    needed = set(re.findall(r"Name: (GLIBC|GLIBCXX|CXXABI)_([\d.]+)", read.stdout))
    return [f"{name}_{number}" for name, number in needed
            if tuple(map(int, number.split("."))) > NEWEST[name]]


def machine_paths(root):
    """What must not be found in files that leave this machine."""
    return {str(path).encode() for path in (root, (root / ".venv").resolve(), pathlib.Path.home())
            if len(path.parts) > 1}
