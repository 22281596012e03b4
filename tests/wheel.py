"""Build sdist and wheel, and run the test suite once against the installed wheel, away from the checkout.

    python tests/wheel.py [pytest arguments]

The wheel goes into a fresh environment that borrows the libraries of the one that runs this script, so nothing is
downloaded; `degradekit` and `degradekit_models` can only come from the wheel there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """
[pytest]
testpaths = tests
pythonpath = tests/degradekit tests/contracts
addopts = --import-mode=importlib --strict-markers -ra -q
filterwarnings = error
timeout = 300
markers =
    ray: starts a local Ray cluster
    slow: takes more than ten seconds
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), sys.argv[1:])


def run(folder: Path, arguments: list[str]) -> int:
    dist = folder / "dist"
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    missing = {"LICENSE", "README.md", "recipes/real_esrgan.yaml", "tests/wheel.py", "constraints.txt"} - names
    assert not missing, f"the sdist lacks {sorted(missing)}"

    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    # Borrow every library of this environment but the editable install of the project itself.
    libraries = folder / "libraries"
    libraries.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if (
            "degradekit" not in entry.name
            and entry.name not in ("__pycache__", "pip")
            and not entry.name.startswith("pip-")
        ):
            (libraries / entry.name).symlink_to(entry)
    (site / "libraries.pth").write_text(f"{libraries}\n")

    work = folder / "work"
    work.mkdir()
    shutil.copytree(ROOT / "tests", work / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs", work / "docs")  # its examples are tests
    (work / "pytest.ini").write_text(CONFIG)
    where = subprocess.run(
        [python, "-c", "import degradekit, degradekit_models; print(degradekit.__file__, degradekit_models.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=work,
    ).stdout
    assert str(site) in where and str(ROOT) not in where, f"not the wheel: {where}"
    return subprocess.run([python, "-m", "pytest", *arguments], cwd=work, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
