"""What can be seen of the container files without Docker: no open door, no secret, nothing that is not there."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from cohort.recording.provenance import stated_commit

REPOSITORY = Path(__file__).parents[1]
DOCKER = REPOSITORY / "docker"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continuation lines joined."""
    lines = [line for line in (DOCKER / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def stages(instructions) -> dict[str, list[tuple[str, str]]]:
    """What stands in each stage, the stages it is built on first."""
    stages: dict[str, list[tuple[str, str]]] = {}
    name = None
    for instruction, words in instructions:
        if instruction == "FROM":
            base, _, name = words.split()
            stages[name] = list(stages.get(base, []))
        elif name is not None:
            stages[name].append((instruction, words))
    return stages


def test_services_listen_on_the_loopback_address_only(services):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"mongo", "omniboard"}
    for ports in published.values():
        assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_mongodb_starts_with_authentication_and_keeps_its_data(services):
    mongo = services["mongo"]
    for name in ("MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD"):
        assert re.fullmatch(r"\$\{MONGO_\w+:\?.+\}", mongo["environment"][name]), (
            "an empty one must stop compose"
        )
    assert "mongo:/data/db" in mongo["volumes"]
    assert mongo["healthcheck"]["test"]
    assert services["omniboard"]["depends_on"]["mongo"]["condition"] == "service_healthy"


def test_no_credentials_are_in_the_files(services, stages):
    urls = re.findall(r"mongodb://\S+", (DOCKER / "compose.yaml").read_text())
    assert urls
    assert all(url.startswith("mongodb://${MONGO_USER}:${MONGO_PASSWORD}@") for url in urls)
    assert re.search(r"^MONGO_PASSWORD=$", (DOCKER / ".env.example").read_text(), re.MULTILINE)
    assert (DOCKER / ".gitignore").read_text().split() == [".env"]
    for service in services.values():
        assert not any("MONGO" in argument for argument in service.get("build", {}).get("args", {}))
    assert not any("MONGO" in words for stage in stages.values() for _, words in stage)


def test_every_variable_of_compose_is_explained(services):
    used = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    explained = set(re.findall(r"^(\w+)=", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    assert explained <= used
    defaults = {"SC2_VERSION", "MONGO_PORT", "OMNIBOARD_PORT", "COHORT_REPOSITORY"}
    assert used - explained == {*defaults, "COHORT_COMMIT"}, (
        "these have good defaults, or the first lines say them"
    )


def test_compose_builds_stages_that_exist_with_arguments_they_know(services, instructions, stages):
    declared = {words.partition("=")[0] for instruction, words in instructions if instruction == "ARG"}
    for name in ("cohort", "cohort-gpu"):
        build = services[name]["build"]
        assert build["target"] in stages
        assert set(build["args"]) <= declared
        assert (DOCKER / build["context"]).resolve() == REPOSITORY


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_runs_as_a_user_without_rights_and_takes_the_command_line(stages, target):
    last = dict(stages[target])
    assert last["USER"] == "$UID"
    assert last["ENTRYPOINT"] == '["python", "run.py"]'
    assert last["VOLUME"] == "/cohort/results"
    assert ("ARG", "UID=1000") in stages[target]


def test_the_game_is_fetched_only_with_consent(stages):
    script = next(words for instruction, words in stages["game"] if "install_sc2.sh --version" in words)
    assert 'if [ "$ACCEPT_BLIZZARD_EULA" = yes ]' in script
    assert "ARG ACCEPT_BLIZZARD_EULA=no" in (DOCKER / "Dockerfile").read_text().splitlines()


def test_what_is_copied_exists_and_reaches_docker(instructions):
    sent = _sent_to_docker()
    copied = [words.split()[:-1] for kind, words in instructions if kind == "COPY" and "--from" not in words]
    for path in (word for words in copied for word in words if word != "."):
        assert (REPOSITORY / path).exists()
        assert path.split("/")[0] in sent
    assert {"run.py", "src", "requirements.txt", "requirements"} <= sent


def test_results_git_and_secrets_do_not_reach_docker():
    assert _sent_to_docker().isdisjoint({"results", ".git", ".venv", "docker", "tests"})


@pytest.mark.parametrize("target", ["cpu", "cuda"])
@pytest.mark.parametrize("state", ["", "-dirty"])
def test_an_image_knows_its_commit(stages, target, state, tmp_path):
    """The build's own line is carried out, and the program reads what it wrote."""
    place = [words for _, words in stages[target]]
    (line,) = [words for words in place if words.endswith("> COMMIT")]
    assert place.index("COHORT_COMMIT=") > place.index(". ."), "a new commit builds nothing anew"
    given = {"COHORT_COMMIT": "a" * 40 + state, "COHORT_REPOSITORY": "https://ann:geheim@host/cohort.git"}
    subprocess.run(["sh", "-c", line], cwd=tmp_path, env=os.environ | given, check=True)
    assert stated_commit(tmp_path) == {
        "url": "https://***@host/cohort.git",
        "commit": "a" * 40,
        "dirty": bool(state),
        "diff_hash": None,
    }
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    assert stated_commit(tmp_path) is None, "it was not given"


def test_the_command_that_names_the_commit_does(tmp_path):
    texts = [(DOCKER / name).read_text() for name in ("Dockerfile", "compose.yaml")]
    texts.append((REPOSITORY / "docs" / "starcraft.md").read_text())
    (command,) = {re.search(r'export COHORT_COMMIT="\$\((.*?)\)"', text)[1] for text in texts}
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "a"], ["tag", "v1"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)

    def said():
        return subprocess.run(
            command, shell=True, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert re.fullmatch(r"[0-9a-f]{40}\n", said())
    (tmp_path / "a").write_text("1")
    subprocess.run([*git, "add", "."], cwd=tmp_path, check=True)
    assert re.fullmatch(r"[0-9a-f]{40}-dirty\n", said())


@pytest.mark.parametrize("target", ["packages-cpu", "packages-cuda"])
def test_an_image_installs_what_the_commands_of_the_readme_need(stages, instructions, target, tmp_path):
    lines = [words for _, words in stages[target]]
    (wanted,) = [words for words in lines if words.endswith("> wanted.txt")]
    assert any("pip install -r wanted.txt -c requirements/constraints.txt" in words for words in lines)
    extras = next(words for kind, words in instructions if kind == "ARG" and words.startswith("EXTRAS="))
    given = {"EXTRAS": extras.removeprefix("EXTRAS=").strip('"')}
    subprocess.run(["sh", "-c", wanted], cwd=tmp_path, env=os.environ | given, check=True)
    files = [line.removeprefix("-r ") for line in (tmp_path / "wanted.txt").read_text().splitlines()]
    assert files[0] == "requirements.txt"
    assert all((REPOSITORY / file).is_file() for file in files)
    others = {path.stem for path in (REPOSITORY / "requirements").glob("*.txt")} - {"constraints"}
    assert others - {Path(file).stem for file in files} == {
        "dev",  # tests
        "papers",  # their figures come with the repository
        "ray",  # the machines of a cluster are not this container
        "sc2",  # installed by itself, with --no-deps
    }
    subprocess.run(["sh", "-c", wanted], cwd=tmp_path, env=os.environ | {"EXTRAS": ""}, check=True)
    assert (tmp_path / "wanted.txt").read_text() == "-r requirements.txt\n"


def test_every_image_that_is_not_built_here_has_a_version(services, instructions):
    built = {"cohort", "cohort-gpu", "omniboard"}
    names = [service["image"] for name, service in services.items() if name not in built]
    names += re.findall(r"FROM (\S+)", services["omniboard"]["build"]["dockerfile_inline"])
    names += [words.split()[0] for kind, words in instructions if kind == "FROM" and ":" in words.split()[0]]
    assert len(names) >= 4
    assert all(re.search(r":(\$\{PYTHON\}|[\w.]*\d|bookworm)", name) for name in names)
    assert not any("latest" in str(service) for service in services.values())


def test_omniboard_is_the_version_that_was_tried(services):
    version = services["omniboard"]["image"].partition(":")[2]
    assert f"omniboard@{version}\n" in services["omniboard"]["build"]["dockerfile_inline"]
    assert f"Omniboard {version}" in (REPOSITORY / "docs" / "records.md").read_text()


def _sent_to_docker() -> set[str]:
    """What `.dockerignore` lets through: it excludes everything and then names exceptions."""
    rules = [
        line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert rules[0] == "*"
    return {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
