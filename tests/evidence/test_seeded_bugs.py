"""Which seeded bugs are tried: those that are named, whatever else lies in their folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from verification.campaigns import seeded_bugs


@pytest.fixture
def patches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one bug that is whole, and one that somebody has begun to write."""
    shutil.copy(seeded_bugs.PATCHES / "crumbs.patch", tmp_path)
    (tmp_path / "begun.patch").write_text("A sentence.\n")
    monkeypatch.setattr(seeded_bugs, "PATCHES", tmp_path)
    monkeypatch.setattr(seeded_bugs, "ROOT", tmp_path)
    return tmp_path


def test_a_patch_that_is_half_written_keeps_no_other_from_being_tried(patches: Path) -> None:
    assert [bug.name for bug in seeded_bugs.bugs({"crumbs"})] == ["crumbs"]
    with pytest.raises(ValueError, match="its head must name module, invariant and test"):
        seeded_bugs.bugs()


def test_a_name_that_is_mistyped_is_met_with_those_near_to_it(
    patches: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seeded_bugs.main(["crums"]) == 2
    assert capsys.readouterr().err == "no bug crums: they are the patches of .; near to it: crumbs\n"
