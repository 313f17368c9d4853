"""The workflow of this repository: runs once, may little, and loses nothing that a failure leaves behind."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from verification.harness.kept_examples import FOLDER
from verification.invariants import ROOT

FILE = ROOT / ".github" / "workflows" / "ci.yml"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="no workflow here")
CI: dict[Any, Any] = yaml.safe_load(FILE.read_text()) if FILE.is_file() else {}
JOBS: dict[str, dict[str, Any]] = CI.get("jobs", {})


def steps(job: str, action: str) -> list[dict[str, Any]]:
    """The steps of a job that use an action."""
    return [step for step in JOBS[job]["steps"] if step.get("uses", "").startswith(action + "@")]


def test_a_commit_of_a_pull_request_runs_once() -> None:
    when = CI[True]  # YAML takes `on` for a truth.
    assert when["push"] == {"branches": ["main"]}
    assert "pull_request" in when
    assert "cancel-in-progress" in CI["concurrency"]


def test_jobs_may_read_and_no_more_but_for_the_sarif() -> None:
    assert CI["permissions"] == {"contents": "read"}
    wider = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert wider == {"verify": {"contents": "read", "security-events": "write"}}
    (sarif,) = steps("verify", "github/codeql-action/upload-sarif")
    assert sarif["with"]["sarif_file"] == "report/report.sarif"
    assert sarif["if"].startswith("always()")


def test_packages_are_cached() -> None:
    for job in JOBS:
        assert [step["with"]["cache"] for step in steps(job, "actions/setup-python")] == ["pip"], job


def test_what_a_failure_leaves_behind_is_uploaded() -> None:
    paths = {job: [step["with"]["path"] for step in steps(job, "actions/upload-artifact")] for job in JOBS}
    assert paths["test"] == ["out/failures"]
    assert paths["verify"] == ["report"]
    for job in ("test", "gas", "evidence", "verify"):
        assert all(step["if"] in ("always()", "failure()") for step in steps(job, "actions/upload-artifact")), job


def test_verify_receives_what_was_measured_in_the_same_run() -> None:
    assert JOBS["verify"]["needs"] == ["gas", "evidence"]
    assert JOBS["verify"]["if"] == "!cancelled()", "though one of them was skipped, or failed"
    received = {step["with"]["pattern"]: step["with"]["path"] for step in steps("verify", "actions/download-artifact")}
    assert received == {"measured-gas": "out", "measured-evidence": "out/evidence"}
    for job in ("gas", "evidence"):
        (step,) = steps(job, "actions/upload-artifact")
        assert step["with"]["name"] == f"measured-{job}"


@pytest.mark.parametrize("job", ["test", "verify"])
def test_examples_that_fail_are_kept_for_the_next_run(job: str) -> None:
    (fetched,), (kept,) = steps(job, "actions/cache/restore"), steps(job, "actions/cache/save")
    assert fetched["with"]["path"] == kept["with"]["path"] == FOLDER
    assert fetched["with"]["key"] == kept["with"]["key"]
    assert kept["with"]["key"].startswith(fetched["with"]["restore-keys"])
    assert kept["if"] == "always()", "above all where the run failed"


MINUTES = {"five minutes": 5, "ten to twenty minutes": 20, "twenty minutes": 20, "an hour or two": 120}
"""What the README says that something takes, in minutes on two cores."""


def test_every_job_has_half_again_the_time_that_the_documents_say() -> None:
    said = dict(re.findall(r"^make (\w+) +# .*: ([a-z ]+?)(?: on two cores)?$", (ROOT / "README.md").read_text(), re.M))
    assert {"test", "packages", "faults", "evidence"} <= said.keys()
    assert "profile `ci` takes some twenty minutes" in " ".join((ROOT / "docs/action.md").read_text().split())
    takes = {name: MINUTES[text] for name, text in said.items() if text in MINUTES} | {"verify": 20}
    for name, job in JOBS.items():
        runs = re.findall(r"make (\w+)", "\n".join(step.get("run", "") for step in job["steps"]))
        assert 2 * job["timeout-minutes"] >= 3 * sum(takes.get(target, 5) for target in runs), name
