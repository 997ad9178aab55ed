"""The C reporter builds everywhere without a warning, and from what is installed."""

import os
import re
import shutil
import subprocess

import pytest

from agent.harness import AGENT, clean_environment
from c_programs import HERE, REPORTER

WARNINGS = ["-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror", "-O2"]
COMPILERS = [(compiler, f"-std={standard}", "c") for compiler in ("gcc", "clang") for standard in ("c99", "c11", "gnu17")] + \
            [(compiler, f"-std={standard}", "c++") for compiler in ("g++", "clang++") for standard in ("c++11", "c++17", "gnu++20")]

CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(trainer LANGUAGES C)
find_package(experiments REQUIRED)
add_executable(trainer {source})
target_link_libraries(trainer PRIVATE experiments::reporter)
"""


def sh(*command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(environment))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def trains(program, start_agent, short):
    """It reports to the real agent."""
    agent = start_agent()
    sh(program, EXPERIMENTS_DIR=str(short))
    status = agent.stop()
    assert (status["phase"], status["x"], status["values"]) == ("Succeeded", [1, 2, 3], {"loss": 0.125, "accuracy": 0.9})
    assert status["job_parameters"] == {"lr": 0.01, "optimizer": "adam"}


@pytest.mark.parametrize("compiler, standard, language", COMPILERS)
def test_it_builds_without_a_warning(tmp_path, compiler, standard, language):
    for source in (REPORTER / "experiments.c", HERE / "example.c"):
        sh(compiler, "-x", language, standard, *WARNINGS, f"-I{REPORTER}", "-c", source, "-o", tmp_path / "object")


def test_the_header_is_for_cplusplus_of_1998_too(tmp_path):
    (tmp_path / "old.cc").write_text('#include <experiments.h>\nint main() { return exp_report_epoch(NULL, 1, NULL, 0); }\n')
    sh("g++", "-std=c++98", "-Wall", "-Wextra", "-Werror", f"-I{REPORTER}", "-c", tmp_path / "old.cc", "-o", tmp_path / "object")


@pytest.mark.parametrize("compiler, language", [("gcc", "c"), ("clang++", "c++")])
def test_two_files_are_all(tmp_path, start_agent, short, compiler, language):
    for name in (REPORTER / "experiments.h", REPORTER / "experiments.c", HERE / "example.c"):
        shutil.copy(name, tmp_path)
    sh(compiler, "-x", language, f"-I{tmp_path}", tmp_path / "example.c", tmp_path / "experiments.c", "-o", tmp_path / "trainer", "-pthread")
    trains(tmp_path / "trainer", start_agent, short)


def test_cplusplus_with_the_library_of_c(tmp_path, start_agent, short):
    sh("gcc", "-c", REPORTER / "experiments.c", "-o", tmp_path / "experiments.o")
    sh("g++", "-x", "c++", "-std=c++11", f"-I{REPORTER}", HERE / "example.c", "-x", "none", tmp_path / "experiments.o", "-o",
       tmp_path / "trainer", "-pthread")
    trains(tmp_path / "trainer", start_agent, short)


def test_no_name_but_its_own_is_visible(tmp_path):
    sh("gcc", "-c", REPORTER / "experiments.c", "-o", tmp_path / "object")
    names = re.findall(r"^\S* [A-Z] (\w+)$", sh("nm", "--extern-only", "--defined-only", tmp_path / "object"), re.M)
    declared = set(re.findall(r"\b(exp_\w+)\(", (REPORTER / "experiments.h").read_text()))
    assert names and set(names) == {name for name in declared if not name.endswith("_")}


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """Installed, and then moved."""
    folder = tmp_path_factory.mktemp("installed")
    sh("cmake", "-S", REPORTER, "-B", folder / "build", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_INSTALL_LIBDIR=lib/here")
    sh("cmake", "--build", folder / "build")
    sh("cmake", "--install", folder / "build", "--prefix", folder / "first")
    os.rename(folder / "first", folder / "prefix")
    return folder / "prefix"


def test_with_pkg_config(tmp_path, prefix, start_agent, short):
    where = {"PKG_CONFIG_PATH": str(prefix / "lib/here/pkgconfig")}
    flags = sh("pkg-config", "--cflags", "--libs", "experiments-reporter", **where).split()
    sh("gcc", HERE / "example.c", *flags, "-o", tmp_path / "trainer")
    assert sh("pkg-config", "--modversion", "experiments-reporter", **where).strip() == (REPORTER.parents[1] / "VERSION").read_text().strip()
    trains(tmp_path / "trainer", start_agent, short)


def test_with_find_package(tmp_path, prefix, start_agent, short):
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER.format(source=HERE / "example.c"))
    sh("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
       f"-Dexperiments_DIR={prefix}/lib/here/cmake/experiments")
    sh("cmake", "--build", tmp_path / "build")
    trains(tmp_path / "build/trainer", start_agent, short)


def test_in_a_shared_library(tmp_path, prefix):
    """As a plugin of a trainer links it."""
    sh("gcc", "-shared", "-Wl,--whole-archive", prefix / "lib/here/libexperiments-reporter.a", "-Wl,--no-whole-archive,-z,defs", "-o",
       tmp_path / "plugin.so", "-pthread")


def section(name):
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", (REPORTER.parents[1] / "docs/reporters.md").read_text(), re.M | re.S)[1]


@pytest.mark.parametrize("compiler, language", [("gcc", "c"), ("g++", "c++")])
def test_what_the_document_shows_compiles(tmp_path, compiler, language):
    first, *others = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", section("C"), re.M)
    include, code = first.replace("...", ";").split("\n", 1)
    others = [other for other in others if other.rstrip().endswith(";")]
    assert len(others) == 1
    (tmp_path / "shown.c").write_text(f"{include}\nvoid train(int epochs, double loss, double accuracy);\n"
                                      f"void train(int epochs, double loss, double accuracy) {{\n{code}\n"
                                      f"int epoch = 3, step = 900;\n{others[0]}\n}}\n")
    sh(compiler, "-x", language, "-Wall", "-Wextra", "-Werror", f"-I{REPORTER}", "-c", tmp_path / "shown.c", "-o", tmp_path / "object")
    for call in re.findall(r"`((?:exp|EXP)_\w+\(.*?)`", section("C"), re.S):
        call = re.sub(r"step, \.\.\.", '1, {"loss", 1.0}', call).rstrip(";") + ";"
        (tmp_path / "shown.c").write_text(f"{include}\nvoid call(void);\nvoid call(void) {{\n{call.replace('new()', 'new(NULL)')}\n}}\n")
        sh(compiler, "-x", language, f"-I{REPORTER}", "-c", tmp_path / "shown.c", "-o", tmp_path / "object")


def test_what_the_document_shows_for_the_shell_is_kept(start_agent, short):
    agent = start_agent()
    commands = re.findall(r"^    (experiments-agent report .*)$", section("Shell"), re.M)
    assert len(commands) == 4
    for command in commands:
        sh("sh", "-c", f"true; {command}", EXPERIMENTS_DIR=str(short), PATH=f"{AGENT.parent}:{os.environ['PATH']}")
    status = agent.stop()
    assert status["phase"] == "Succeeded" and status["job_parameters"] == {"lr": 0.01, "optimizer": "adam"}
