"""The page on training on clusters: its commands, and the job of Kubernetes, say what the program reads."""

import re
import shlex

import yaml
from docs_page import DOCS
from tiny_experiment import done, weatherml, write_config

from weatherml.parallel.processes.joining import Processes

PAGE = (DOCS / "training_on_clusters.md").read_text()
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("weatherml ")
]


def test_every_option_of_the_page_is_one_of_its_verb():
    assert {words[0] for words in COMMANDS} == {"statistics", "check", "train", "submit"}
    for verb, *words in COMMANDS:
        told = weatherml(verb, "--help").output
        assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", told)), verb
    options = re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE)
    assert options == ["--coordinator", "--process-id", "--n-processes", "--patience"]
    assert set(options) <= set(re.findall(r"--[a-z-]+", weatherml("train", "--help").output))


def test_the_job_of_the_page_is_what_submit_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "my.yaml")
    (submit,) = (words for words in COMMANDS if words[0] == "submit")
    script = done(*submit, "--dry-run")
    for said in ("--signal=USR1@120", "--requeue", "--nodes=4", "JAX_COORDINATOR_ADDRESS"):
        assert said in script and said.partition("=")[0].lstrip("-") in PAGE, said
    for said in ("srun --kill-on-bad-exit=0 --wait=600", 'export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"'):
        assert said in script and said in PAGE, said
    codes = re.search(r"^([0-9|]+)\)$", script, re.MULTILINE).group(1).split("|")
    named = re.search(r"where the code is (.*?), at most", PAGE).group(1)
    assert list(dict.fromkeys(re.findall(r"\d+", named))) == codes


def test_the_job_of_kubernetes_names_its_processes_as_the_program_reads_them():
    job = yaml.safe_load((DOCS / "kubernetes/jobset.yaml").read_text())
    (hosts,) = job["spec"]["replicatedJobs"]
    indexed = hosts["template"]["spec"]
    (container,) = indexed["template"]["spec"]["containers"]
    told = {own["name"]: own.get("value", "3") for own in container["env"]}
    processes = Processes.given(told)
    assert (processes.index, processes.count) == (3, indexed["parallelism"]) == (3, indexed["completions"])
    host, port = processes.coordinator.split(":")
    assert host == f"{job['metadata']['name']}-{hosts['name']}-0-0.{job['metadata']['name']}"
    assert int(port) == container["ports"][0]["containerPort"]
    mounted = {volume["name"] for volume in indexed["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == mounted
    verb, *words = container["command"][1:]
    assert {word for word in words if word.startswith("--")} <= set(
        re.findall(r"--[a-z-]+", weatherml(verb, "--help").output)
    )
