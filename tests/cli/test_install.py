"""cmake --install: a tree that can be moved, holds what it needs, and knows nothing of where it was
made."""

import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import installed
from conftest import ROOT, built
from image_files import picture

CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Installed, and then moved."""
    place = tmp_path_factory.mktemp("install")
    done = subprocess.run(["cmake", "--install", built("longhaul").parent, "--prefix",
                           place / "first"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (place / "first").rename(place / "moved here")
    yield place / "moved here"
    shutil.rmtree(place)


def run(tree, *arguments):
    return subprocess.run([tree / "bin/longhaul", *map(str, arguments)], capture_output=True,
                          text=True, env=CLEAN, cwd="/")


def test_it_is_the_same_program(tree, longhaul):
    done = run(tree, "--version")
    assert done.returncode == 0 and done.stdout == longhaul("--version").out


def test_a_moved_tree_embeds(tree, longhaul, tiny_model, tmp_path):
    (tmp_path / "in.csv").write_text("id,sequence\na,MKTAYIAKQR\nb,GGGA\n")
    arguments = ["embed", tiny_model, tmp_path / "in.csv", "--device", "cpu", "-q", "-o"]
    done = run(tree, *arguments, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert longhaul(*arguments, tmp_path / "expected").code == 0
    assert np.array_equal(np.load(tmp_path / "out/embeddings.npy"),
                          np.load(tmp_path / "expected/embeddings.npy"))


def test_its_modules_load(tree, tiny_image_model, tmp_path):
    (tmp_path / "images").mkdir()
    for ending in ("jpg", "png", "tiff", "webp", "gif"):
        Image.fromarray(picture(40, 30, 1)).save(tmp_path / f"images/a.{ending}")
    done = run(tree, "embed", tiny_image_model, tmp_path / "images", "--device", "cpu", "-q", "-o",
               tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert np.isfinite(np.load(tmp_path / "out/embeddings.npy")).all()
    # Nobody listens there: whoever says so has loaded libpq.
    done = run(tree, "push", tmp_path / "out", "--to", "postgresql://127.0.0.1:1/x")
    assert done.returncode == 69 and "module" not in done.stderr, done.stderr


def test_only_the_base_of_the_system_is_needed(tree):
    found = installed.binaries(tree)
    modules = {path.name for path in built("longhaul").parent.glob("liblonghaul_*.so")}
    assert len(modules) > 1 and modules | {"longhaul", "libtorch_cpu.so"} <= {
        path.name for path in found}
    for binary in found:
        assert installed.libraries_elsewhere(binary, [tree]) == [], binary
        assert installed.too_new(binary) == [], binary
        assert all(path.startswith("$ORIGIN") for path in installed.search_paths(binary)), binary


def test_nothing_tells_where_it_was_made(tree):
    own = [path for path in tree.rglob("*") if path.is_file() and "longhaul" in path.name]
    assert len(own) > 5
    for path in own:
        data = path.read_bytes()
        for place in installed.machine_paths(ROOT):
            at = data.find(place)
            assert at < 0, f"{path}: {data[max(at - 80, 0):at + 80]!r}"


def test_it_is_stripped(tree):
    for path in installed.binaries(tree):
        if "longhaul" in path.name:
            sections = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True).stdout
            assert ".debug_info" not in sections and ".symtab" not in sections, path


def test_what_is_beside_it(tree, longhaul):
    share = tree / "share"
    assert (share / "man/man1/longhaul.1").read_text() == longhaul("man").out
    for shell, name in [("bash", "bash-completion/completions/longhaul"),
                        ("zsh", "zsh/site-functions/_longhaul"),
                        ("fish", "fish/vendor_completions.d/longhaul.fish")]:
        assert (share / name).read_text() == longhaul("completion", shell).out
    assert (share / "doc/longhaul/LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (share / "longhaul/configs/antibody_csv.json").exists()
    if shutil.which("dpkg-query"):
        assert (share / "doc/longhaul/libraries/libopencv-core406").exists()
    assert not (tree / "lib64").exists() and sorted(os.listdir(tree)) == ["bin", "lib", "share"]


def test_it_is_installed_over_itself(tree):
    before = sorted(tree.rglob("*"))
    done = subprocess.run(["cmake", "--install", built("longhaul").parent, "--component",
                           "program", "--prefix", tree], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(tree.rglob("*")) == before
    assert run(tree, "--version").returncode == 0


def base_packages():
    """What Debian's installer puts into the smallest system: required packages, and what these need."""
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Priority}\t${Pre-Depends}, ${Depends}\n"],
                            capture_output=True, text=True, check=True).stdout
    packages = {name: (priority, [word.split()[0].partition(":")[0] for word in needs.split(", ") if word])
                for name, priority, needs in (line.split("\t") for line in listed.splitlines())}
    base, waiting = set(), [name for name, (priority, _) in packages.items() if priority == "required"]
    while waiting:
        name = waiting.pop()
        if name in packages and name not in base:
            base.add(name)
            waiting += packages[name][1]
    return sorted(base)


def bare_root(root):
    """The smallest Debian 12, of this system's own packages: no Python, no compiler."""
    packages = base_packages()
    assert "libstdc++6" in packages and not {"python3", "gcc", "libgomp1", "libpq5"} & set(packages)
    files = subprocess.run(["dpkg", "-L", *packages], capture_output=True, text=True).stdout
    kept = [file for file in sorted(set(files.splitlines())) if file.startswith("/") and file != "/." and
            not file.startswith(("/usr/share/", "/proc", "/dev"))]
    for link in ("bin", "lib", "lib64", "sbin"):
        if pathlib.Path("/", link).is_symlink():
            (root / "usr" / link).mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(f"usr/{link}")
    for file in kept:
        source = pathlib.Path(file)
        target = root / file.lstrip("/")
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() and not target.is_symlink():
                shutil.copy2(source, target, follow_symlinks=False)
    for name in ("proc", "dev", "opt/longhaul", "home/user"):
        (root / name).mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)


def test_it_runs_on_a_bare_system_as_a_plain_user(tree, tiny_model, tiny_image_model, tmp_path):
    """In a root that has nothing but what every Debian 12 has."""
    if os.geteuid() != 0 or not shutil.which("dpkg-query") or not shutil.which("unshare"):
        pytest.skip("needs root, and a Debian to take the bare system from")
    if "VERSION_ID=\"12\"" not in pathlib.Path("/etc/os-release").read_text():
        pytest.skip("not Debian 12")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody make namespaces")
    root = tmp_path / "root"
    bare_root(root)
    home = root / "home/user"
    shutil.copy(tiny_model, home / "tiny.ts")
    shutil.copy(tiny_image_model, home / "images.ts")
    (home / "in.fasta").write_text(">a\nMKTAYIAKQR\n>b\nGGGA\n")
    Image.fromarray(picture(40, 30, 1)).save(home / "a.png")
    for path in (home, *home.iterdir()):
        os.chown(path, 1234, 1234)

    def enter(command):
        return subprocess.run(
            ["unshare", "--mount", "--fork", "sh", "-ec",
             'mount --bind "$1" "$2/opt/longhaul"; mount --rbind /proc "$2/proc"\n'
             'mount --rbind /dev "$2/dev"\n'
             'exec chroot --userspec=1234:1234 "$2" /usr/bin/env -i HOME=/home/user '
             'PATH=/opt/longhaul/bin:/usr/bin:/bin /bin/sh -c "cd /home/user; $3"',
             "enter", tree, root, command], capture_output=True, text=True)

    done = enter("! command -v python3 gcc && id -u")
    assert done.stdout == "1234\n", done.stderr
    done = enter("longhaul embed tiny.ts in.fasta -o out --device cpu -q && longhaul verify out")
    assert done.returncode == 0, done.stderr
    assert np.isfinite(np.load(home / "out/embeddings.npy")).all()
    done = enter("longhaul embed images.ts a.png --format images -o images -q")
    assert done.returncode == 0, done.stderr
    done = enter("longhaul push out --to postgresql://127.0.0.1:1/x")
    assert done.returncode == 69 and "module" not in done.stderr, done.stderr
