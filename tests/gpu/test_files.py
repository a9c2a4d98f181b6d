"""The files that start ACE-Step servers: linted by the tools of their own formats, and complete."""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from ace_assets import shipped
from ace_assets.acestep.servers import Server, load_servers
from ace_assets.acestep.tier_check import check_server
from ace_assets.acestep.tiers import load_tiers
from ace_assets.errors import ConfigError

GPU = shipped.path("gpu")
TOOLS = Path(sys.executable).parent
SERVICES = {"gpu0": 8001, "gpu1": 8002, "gpu2": 8003, "gpu3": 8004}

# The environment variables of the customer's research document, REST API Server.
DOCUMENTED = {
    "ACESTEP_CONFIG_PATH": "acestep-v15-turbo",
    "ACESTEP_LM_MODEL_PATH": "acestep-5Hz-lm-1.7B",
    "ACESTEP_LM_BACKEND": "vllm",
    "ACESTEP_DEVICE": "cuda",
    "ACESTEP_API_HOST": "0.0.0.0",
    "ACESTEP_API_PORT": "8001",
    "ACESTEP_API_KEY": None,
    "ACESTEP_OUTPUT_DIR": None,
    "ACESTEP_QUEUE_WORKERS": "1",
    "ACESTEP_QUEUE_MAXSIZE": "200",
    "ACESTEP_INIT_LLM": "auto",
    "ACESTEP_DOWNLOAD_SOURCE": "auto",
    "ACESTEP_CACHE_DIR": None,
}


def text(name: str) -> str:
    return (GPU / name).read_text(encoding="utf-8")


def composed(name: str = "compose.yaml") -> dict[str, dict[str, object]]:
    return yaml.safe_load(text(name))["services"]


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    result = subprocess.run([TOOLS / "hadolint", GPU / "Dockerfile"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == ""


def test_shellcheck_finds_nothing_in_the_entrypoint() -> None:
    script = GPU / "entrypoint.sh"
    result = subprocess.run([TOOLS / "shellcheck", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["compose.yaml", "compose.community.yaml"])
def test_compose_files_keep_the_compose_schema(name: str) -> None:
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text(name)))] == []


def test_each_service_has_one_gpu_and_a_loopback_port_of_its_own_and_all_share_the_weights() -> None:
    services = composed()
    assert set(services) == set(SERVICES)
    for index, (name, port) in enumerate(SERVICES.items()):
        service = services[name]
        [device] = service["deploy"]["resources"]["reservations"]["devices"]  # type: ignore[index]
        assert device == {"driver": "nvidia", "device_ids": [str(index)], "capabilities": ["gpu"]}
        assert service["ports"] == [f"127.0.0.1:{port}:8001"]
        assert service["volumes"] == ["weights:/models", f"{name}-data:/data"]
        assert service["healthcheck"]["test"][-1].endswith("/health")  # type: ignore[index]
        assert service["init"] is True


def test_one_gpu_starts_by_default_and_the_others_wait_for_its_download() -> None:
    services = composed()
    assert "profiles" not in services["gpu0"]
    for name in ("gpu1", "gpu2", "gpu3"):
        assert services[name]["profiles"]
        assert services[name]["depends_on"] == {"gpu0": {"condition": "service_healthy"}}


@pytest.mark.parametrize(
    ("name", "service"), [("compose.yaml", s) for s in SERVICES] + [("compose.community.yaml", "gpu0")]
)
def test_the_key_is_mandatory_and_there_is_one_worker(name: str, service: str) -> None:
    environment = composed(name)[service]["environment"]
    assert isinstance(environment, dict)
    assert environment["ACESTEP_API_KEY"].startswith("${ACESTEP_API_KEY:?")
    assert environment["ACESTEP_QUEUE_WORKERS"] == "1"


def test_no_service_listens_beyond_loopback_or_takes_the_key_as_an_argument() -> None:
    for name in ("compose.yaml", "compose.community.yaml"):
        for service in composed(name).values():
            ports = service.get("ports", [])
            assert isinstance(ports, list)
            assert all(port.startswith("127.0.0.1:") for port in ports)
            assert "--api-key" not in json.dumps(service)


def test_the_community_image_listens_on_8000_behind_the_same_port_and_is_pruned() -> None:
    services = composed("compose.community.yaml")
    assert services["gpu0"]["ports"] == ["127.0.0.1:8001:8000"]
    assert services["gpu0"]["environment"]["ACESTEP_API_PORT"] == "8000"  # type: ignore[index]
    assert services["pruner"]["entrypoint"][-1] == "prune"  # type: ignore[index]
    for image in ("valyriantech/ace-step-1.5", "thelocallab/ace-step"):
        assert image in text("README.md")


def test_every_documented_variable_is_in_the_compose_file_the_image_and_the_example() -> None:
    environment = composed()["gpu0"]["environment"]
    assert isinstance(environment, dict)
    image = dict(re.findall(r"\b(ACESTEP_\w+)=(\S+)", text("Dockerfile")))
    example = dict(re.findall(r"^(?:# )?(ACESTEP_\w+)=(\S*)", text(".env.example"), re.MULTILINE))
    for name, value in DOCUMENTED.items():
        assert name in environment
        assert name in example
        if name != "ACESTEP_API_KEY":
            assert name in image
        if value is not None:
            assert re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", environment[name]) == value
            assert image[name] == value
    assert "ACESTEP_API_KEY" not in image


def test_no_file_holds_a_key_and_the_example_leaves_it_empty() -> None:
    assert re.search(r"^ACESTEP_API_KEY=$", text(".env.example"), re.MULTILINE)
    for file in GPU.iterdir():
        if file.name == ".env" or not file.is_file():
            continue
        assert not re.search(r"\b[0-9a-f]{32,}\b|\bsk-[A-Za-z0-9]{8,}", file.read_text(encoding="utf-8")), file.name


def test_the_example_has_nothing_but_comments_and_settings_so_that_every_reader_of_env_files_agrees() -> None:
    for line in text(".env.example").splitlines():
        assert re.fullmatch(r"|#.*|[A-Z_]+=\S*", line), line


def test_the_image_runs_as_nobody_special_from_a_pinned_base_and_commit() -> None:
    dockerfile = text("Dockerfile")
    assert re.search(r"^ARG BASE_IMAGE=nvidia/cuda:12\.8\.\d+-\S+$", dockerfile, re.MULTILINE)
    assert re.search(r"^ARG ACESTEP_COMMIT=[0-9a-f]{7,40}$", dockerfile, re.MULTILINE)
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in dockerfile
    assert "python3.11" in dockerfile
    for where in ("Dockerfile", "README.md"):
        assert "by digest" in text(where)


def test_the_readme_answers_every_launch_command_of_the_document() -> None:
    readme = text("README.md")
    for command in ("uv run acestep-api", "acestep --enable-api", "--api-key", "ACESTEP_LM_MODEL_PATH=", "workers=1"):
        assert command in readme
    for port in ("8000", "8001", "7860"):
        assert port in readme
    assert "ace-assets servers probe" in readme


def test_the_readme_names_only_files_that_are_there() -> None:
    table = text("README.md").split("| file |")[1].split("\n\n")[0]
    named = re.findall(r"`([\w.]+\.?\w*)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert named
    for name in named:
        assert (GPU / name).exists(), name


def test_the_example_of_servers_is_read_and_its_cards_and_tables_are_known() -> None:
    servers = load_servers(GPU / "servers.example.toml", environ={})
    assert [server.name for server in servers] == ["lab-3090", "vast-a100"]
    assert servers[1].key_env == "ACESTEP_API_KEY_VAST"
    for server in servers:
        assert server.gpu in load_tiers().gpus
        assert server.price_usd_per_hour
        limit = check_server(server, duration_s=240, lm="1.7B")
        assert limit is not None
        assert limit.table == server.tier_table


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('memory_gb = "24"', r"server 1, memory_gb: 24, expected a number"),
        ("memory_gb = -1", r"server 1, memory_gb: -1, expected 0 or more"),
        ("memory_gb = nan", r"server 1, memory_gb: nan, expected 0 or more"),
        ("offload = 1", r"server 1, offload: 1, expected true or false"),
        ("tier_table = 3", r"server 1, tier_table: 3, expected text"),
        ("tiertable = 'newer'", r"server 1, tiertable, expected one of url, name"),
        ("api_key = 'sk-secret'", r"server 1, api_key: \(hidden\), expected no key in a file"),
    ],
)
def test_a_bad_entry_in_the_list_of_servers_is_named_and_a_key_in_it_is_not_shown(
    tmp_path: Path, entry: str, message: str
) -> None:
    file = tmp_path / "servers.toml"
    file.write_text(f'[[servers]]\nurl = "http://127.0.0.1:8001"\n{entry}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        load_servers(file, environ={})
    assert "sk-secret" not in str(caught.value)


def test_every_key_of_a_server_is_explained_in_the_example() -> None:
    explained = set(re.findall(r"^#   (\w+) {2,}", text("servers.example.toml"), re.MULTILINE))
    assert explained == {field.name for field in dataclasses.fields(Server)} - {"key"}
