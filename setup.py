"""Packaging of DtsVirtLibrary."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^VERSION = "(.+)"$',
    (ROOT / "DtsVirtLibrary/version.py").read_text(encoding="utf-8"),
    re.MULTILINE,
)
if VERSION is None:
    raise SystemExit('DtsVirtLibrary/version.py holds no line VERSION = "..."')

setup(
    name="robotframework-dtsvirtlibrary",
    version=VERSION[1],
    description="Robot Framework keywords that create, start, use and stop QEMU virtual machines",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Robot Framework",
        "Framework :: Robot Framework :: Library",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Software Development :: Testing",
        "Topic :: System :: Emulators",
    ],
    packages=[
        "DtsVirtLibrary",
        *(f"DtsVirtLibrary.{name}" for name in find_packages("DtsVirtLibrary")),
    ],
    package_data={
        "DtsVirtLibrary": ["py.typed"],
        "DtsVirtLibrary.cli": ["*.txt"],
        "DtsVirtLibrary.guest.disk": ["files/*"],
        "DtsVirtLibrary.guest.image": ["files/*", "files/debian/*"],
    },
    python_requires=">=3.10",
    # The floors. What the project is developed and tested with stands in constraints.txt.
    install_requires=[
        "robotframework>=7.0",
        "robotframework-sshlibrary>=3.8.0",
        "robotframework-pythonlibcore>=4.4",
        "pexpect>=4.9",
        "qemu.qmp>=0.0.3",
        "pyyaml>=6.0",
    ],
    extras_require={
        "test": [
            "hypothesis",
            "mypy",
            "pytest",
            "pytest-asyncio",
            "robotframework-pabot",
            "robotframework-robocop",
            "ruff",
            "types-PyYAML",
        ],
        "traffic": ["scapy"],
        "bench": ["matplotlib"],
        "fuzz": ["atheris"],
    },
    entry_points={"console_scripts": ["dtsvirt = DtsVirtLibrary.cli.main:main"]},
)
