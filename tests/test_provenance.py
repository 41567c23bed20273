"""What a run says about where it comes from."""

import json
import subprocess

from sa3dhp import provenance


def test_description_is_complete_and_fits_into_json():
    found = json.loads(json.dumps(provenance.describe()))
    assert set(found) == {"command", "commit", "versions", "hardware"}
    assert found["versions"]["tensorflow"] and found["hardware"]["cores"] >= 1


def test_commit_tells_changed_code_and_code_without_history(tmp_path):
    assert provenance.commit(tmp_path) == "unknown"

    def git(*args):
        who = ["-c", "user.name=n", "-c", "user.email=e"]
        command = ["git", "-C", str(tmp_path), *who, *args]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "m")
    head = git("rev-parse", "HEAD").stdout.strip()
    assert provenance.commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert provenance.commit(tmp_path) == f"{head}-dirty"
