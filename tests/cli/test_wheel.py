"""The wheel, in an environment of its own: no checkout, no compilers, nothing but what it asks for."""

import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile

import numpy as np
import pytest
from packaging.requirements import Requirement

import installed
from conftest import ROOT, built

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pip(*arguments, **options):
    done = subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
                          capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Of the program that scripts/build has built; as it is built anew, test_package.py builds it."""
    place = tmp_path_factory.mktemp("wheel")
    pip("wheel", ROOT, "-q", "--no-build-isolation", "--no-deps", "-w", place,
        "-C", f"build-dir={place}/build", "-C", f"cmake.define.LONGHAUL_PREBUILT={built('longhaul').parent}")
    found, = place.glob("*.whl")
    return found


def needed(requirements, extras):
    """The distributions that pip would install for `requirements`, of those that are here."""
    found, waiting = {}, [(Requirement(text), extras) for text in requirements]
    while waiting:
        requirement, wanted = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra})
                                          for extra in ["", *wanted]):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        have, distribution = found.get(name, (set(), None))
        if distribution is not None and requirement.extras <= have:
            continue
        distribution = importlib.metadata.distribution(requirement.name)
        assert requirement.specifier.contains(distribution.version), requirement
        found[name] = have | requirement.extras, distribution
        waiting += [(Requirement(text), requirement.extras) for text in distribution.requires or ()]
    return [distribution for _, distribution in found.values()]


def link(distribution, site):
    """As if it were installed in `site`: links to its folders and modules, nothing is copied."""
    for path in distribution.files:
        top = path.parts[0]
        if top in ("..", "__pycache__"):
            continue
        target = site / top
        source = pathlib.Path(distribution.locate_file(top))
        # Distributions of NVIDIA share a folder, which the first of them brings.
        if not target.exists():
            target.symlink_to(source.resolve())


class Environment:
    def __init__(self, place, wheel, extras):
        self.place = place
        venv.create(place, with_pip=False, symlinks=True)
        self.python = place / "bin/python"
        self.site, = place.glob("lib/python3*/site-packages")
        metadata = wheel_metadata(wheel)
        for distribution in needed([line.partition(":")[2] for line in metadata.splitlines()
                                    if line.startswith("Requires-Dist:")], extras):
            link(distribution, self.site)
        # Would fail where something that the wheel asks for is missing, or of another version.
        pip("--python", str(self.python), "install", "-q", "--no-index",
            f"{wheel}[{','.join(extras)}]")

    def run(self, name, *arguments, cwd):
        return subprocess.run([self.place / "bin" / name, *map(str, arguments)], cwd=cwd,
                              capture_output=True, text=True,
                              env={"PATH": str(self.place / "bin"), "HOME": str(cwd)})


def wheel_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name, = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name).decode()


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("environment") / "venv", wheel, ["records", "export"])


def test_installed_alone_it_exports_embeds_and_is_read(environment, tmp_path):
    made = environment.run("longhaul-export", "esm", "--random", "tiny", "tiny.ts", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (tmp_path / "in.csv").write_text("id,sequence\na,MKTAYIAKQR\nb,GGGA\nc,?\n")
    done = environment.run("longhaul", "embed", "tiny.ts", "in.csv", "-o", "out", "--device", "cpu",
                           "--tokens", "-q", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    read = environment.run("python", "-c", """
import json, longhaul, sys
run = longhaul.open("out")
assert not any("longhaul/python" in path for path in sys.path)
print(json.dumps([longhaul.__file__, run.vectors[run.ok].tolist(), list(run.records.id),
                  run.tokens(1).shape[0], type(run.vectors).__name__]))""", cwd=tmp_path)
    assert read.returncode == 0, read.stderr
    file, vectors, ids, residues, kind = json.loads(read.stdout)
    assert pathlib.Path(file).is_relative_to(environment.site)
    assert np.array_equal(np.float32(vectors), np.load(tmp_path / "out/embeddings.npy")[:2])
    assert ids == ["a", "b", "c"] and residues == 4 and kind == "memmap"


def test_images_and_its_version(environment, tiny_image_model, longhaul, tmp_path):
    from PIL import Image
    Image.new("RGB", (50, 40), (9, 90, 200)).save(tmp_path / "a.jpg")
    done = environment.run("longhaul", "embed", tiny_image_model, "a.jpg", "--format", "images", "-o", "out",
                           "--device", "cpu", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.isfinite(np.load(tmp_path / "out/embeddings.npy")).all()
    done = environment.run("longhaul", "--version", cwd=tmp_path)
    assert done.stdout == longhaul("--version").out
    # Exit codes and arguments pass through.
    assert environment.run("longhaul", "embed", "--frobnicate", cwd=tmp_path).returncode == 2


def test_remedies_name_the_command_that_is_there(environment, longhaul, tmp_path):
    (tmp_path / "in.csv").write_text("sequence\nMK\n")
    arguments = ["embed", "facebook/esm2_t6_8M_UR50D", "in.csv", "-o", "out"]
    done = environment.run("longhaul", *arguments, "--json", cwd=tmp_path)
    told = ("hf download facebook/esm2_t6_8M_UR50D --local-dir esm2_t6_8M_UR50D && longhaul-export esm "
            "esm2_t6_8M_UR50D esm2_t6_8M_UR50D.ts")
    assert done.stderr.endswith(f": {told}\n") and ".venv" not in done.stderr, done.stderr
    assert json.loads(done.stdout)["remedy"].endswith(told)
    # In the checkout they are scripts.
    assert "scripts/export_esm.py esm2" in longhaul(*arguments, cwd=tmp_path).err


@pytest.mark.parametrize("name", ["torch", "pyarrow"])
def test_another_version_of_a_library_is_refused(environment, name, tmp_path):
    info, = environment.site.glob(f"{name}-*.dist-info")
    target = info.readlink()
    version = importlib.metadata.version(name).partition("+")[0]
    python = str(environment.python)
    try:
        info.unlink()
        done = environment.run("longhaul", "--version", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (
            69, f"longhaul: {name} is not installed, and this program was built with {name} {version}; "
            f"run: {python} -m pip install {name}=={version}\n")
        shutil.copytree(target, info)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
        done = environment.run("longhaul", "--version", cwd=tmp_path)
        assert done.returncode == 69 and f"{name} is 1.2.3, and this program" in done.stderr
    finally:
        shutil.rmtree(info, ignore_errors=True)
        info.symlink_to(target)
    assert environment.run("longhaul", "--version", cwd=tmp_path).returncode == 0


def test_libraries_in_another_folder_are_found(environment, tmp_path):
    """As in an environment that sees the system's packages."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = ["torch", "pyarrow", "nvidia"]
    for name in moved:
        (elsewhere / name).symlink_to((environment.site / name).readlink())
        (environment.site / name).rename(environment.site / f"{name}.away")
    path = environment.site / "elsewhere.pth"
    path.write_text(f"{elsewhere}\n")
    try:
        done = environment.run("longhaul", "--version", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        path.unlink()
        done = environment.run("longhaul", "--version", cwd=tmp_path)
        assert done.returncode == 69 and "is not to be found" in done.stderr
    finally:
        path.unlink(missing_ok=True)
        for name in moved:
            (environment.site / f"{name}.away").rename(environment.site / name)


def test_what_the_wheel_says_and_holds(wheel, tmp_path, longhaul):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    metadata = wheel_metadata(wheel)
    torch, pyarrow = (importlib.metadata.version(name).partition("+")[0] for name in ("torch", "pyarrow"))
    assert f"Requires-Dist: torch=={torch}\n" in metadata
    assert f"Requires-Dist: pyarrow=={pyarrow}\n" in metadata
    version = longhaul("--version").out.split()[1]
    assert f"\nVersion: {version}\n" in metadata and wheel.name == f"longhaul-{version}-py3-none-linux_x86_64.whl"
    assert {"longhaul/py.typed", "longhaul/export/esm.py", "longhaul/lib/longhaul/longhaul",
            "longhaul/lib/longhaul/liblonghaul_vision.so", "longhaul/share/man/man1/longhaul.1",
            "longhaul/share/longhaul/configs/antibody_csv.json"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any("libtorch" in name or "__pycache__" in name for name in names)
    site = pathlib.Path(importlib.metadata.distribution("torch").locate_file(""))
    for binary in installed.binaries(tmp_path):
        assert installed.too_new(binary) == [], binary
        assert all(path.startswith("$ORIGIN") for path in installed.search_paths(binary)), binary
        assert [line for line in installed.libraries_elsewhere(binary, [tmp_path, site])
                if not re.match(r"lib(torch_cpu|c10|arrow|parquet)\.so[.\d]* => not found", line)] == []
    for place in installed.machine_paths(ROOT):
        for path in tmp_path.rglob("*longhaul*"):
            assert path.is_dir() or place not in path.read_bytes(), path


def test_one_version_of_each_library_is_named():
    pinned = dict(line.split("==") for line in (ROOT / "scripts/requirements.txt").read_text().splitlines()
                  if "==" in line)
    exact = [text for text in PROJECT["build-system"]["requires"] + PROJECT["project"]["dependencies"]
             if "==" in text]
    assert len(exact) == 6
    for text in exact:
        name, version = text.split("==")
        assert pinned[name] == version, text


def test_the_package_alone_is_of_the_same_version():
    alone = tomllib.loads((ROOT / "python/pyproject.toml").read_text())["project"]
    assert f"project(longhaul VERSION {alone['version']} " in (ROOT / "CMakeLists.txt").read_text()
    extras = PROJECT["project"]["optional-dependencies"]
    for name, alike in alone["optional-dependencies"].items():
        assert set(extras[name]) <= set(alike), name


def test_longhaul_export_without_its_libraries_says_what_to_install(tmp_path):
    done = subprocess.run([sys.executable, "-S", "-c", f"""
import sys, types
sys.path.insert(0, {str(ROOT / 'python')!r})
package = types.ModuleType("longhaul")
package.__path__ = [{str(ROOT / 'python/longhaul')!r}]
sys.modules["longhaul"] = package  # its own __init__ asks for numpy
from longhaul.export.command import main
main(["openclip", "ViT-B-32", "a.ts"])"""], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"longhaul-export openclip: \S+ lacks open_clip, torch, torchvision: "
                        r"pip install 'longhaul\[export\]'\n", done.stderr)


def test_longhaul_export_names_its_kinds():
    call = [sys.executable, "-c", "from longhaul.export.command import main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run([*call, "--help"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= 80
    for script in (ROOT / "scripts").glob("export_*.py"):
        assert f"\n  {script.stem.removeprefix('export_')} " in done.stdout
    for wrong in ([], ["onnx"]):
        done = subprocess.run([*call, *wrong], capture_output=True, text=True, env=environment)
        assert done.returncode == 2 and "usage: longhaul-export KIND" in done.stderr
