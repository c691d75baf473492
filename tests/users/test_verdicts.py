"""What a measurement says: a verdict first, plain intervals, numbers that agree, and what is foreseeable said before."""

import json
import re
import shutil

TINY_STUDY = ("--data", "demo:160", "--size", 32, "--generators", "pca-gaussian", "--uses", "mixed", "--steps", 10)


def test_intervals_stand_in_plain_brackets(hqgan, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    code, out, err = hqgan("evaluate", run)
    assert code == 0, err
    assert "\\[" not in out
    assert re.search(r" \[\d+%, \d+%\] ", out)


def test_a_study_s_intervals_stand_in_plain_brackets(hqgan, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "os.sched_getaffinity", lambda process: {0}, raising=False
    )  # two threads for so little are slow
    lists = ("--seeds", 1, "--ratios", 1, "--fill", "fibroma")
    code, out, err = hqgan("study", *TINY_STUDY, *lists, "--out", tmp_path / "s")
    assert code == 0, err
    assert "\\[" not in out
    assert re.search(r" \[\d\.\d{3}, \d\.\d{3}\] ", out)
    page = (tmp_path / "s" / "study.html").read_text()
    assert re.search(r"<td>\[\d\.\d{3}, \d\.\d{3}\]</td>", page)


def test_an_evaluation_begins_with_its_verdict(hqgan, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    code, out, err = hqgan("evaluate", run, "--json", tmp_path / "m.json")
    assert code == 0, err
    lines = out.splitlines()
    assert re.match(r"(Worse|Too little variety|Not clearly better|Better|No verdict)\b.*[:;.]", lines[0]), lines[0]
    assert len(lines) <= 12
    # Everything is kept in the file, and printed when asked for, the verdict first.
    kept = json.loads((tmp_path / "m.json").read_text())
    assert len(kept["metrics"]) > 30
    assert kept["skin"]["rows"]
    assert " ".join(out.split()).startswith(kept["sentence"])
    code, whole, err = hqgan("evaluate", run, "--all")
    assert code == 0, err
    assert " ".join(whole.split()).startswith(kept["sentence"])
    assert all(words in whole for words in ("Precision (derm)", "Latent geometry", "Skin tone"))
    assert "Precision (derm)" not in out
    assert re.search(r"through the quantum branch .* \[\d+\.\d, \d+\.\d\] ", whole)
    assert "\\[" not in whole


def numbers(text):
    """Every number of a text, percentages too."""
    return set(re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?%?", text))


def test_every_number_of_an_audit_s_sentence_is_in_its_tables_and_a_failed_control_is_a_warning(
    hqgan, tiny_run, tmp_path
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    code, out, err = hqgan("audit", run, "--seed", 3, "--json", tmp_path / "a.json")
    assert code == 0, err
    found = json.loads((tmp_path / "a.json").read_text())
    sentence = found["sentence"]
    tables = " ".join(line for line in out.splitlines() if line.startswith("│"))
    assert numbers(sentence) - numbers(tables) == set()
    # The p-value is the smallest of two, and it says so.
    assert "corrected for 2 tests" in sentence
    assert " ".join(out.split()).startswith(sentence)
    failed = [row for row in found["membership"] if row["control_p_value"] < 0.05]
    assert failed
    for row in failed:
        assert re.search(rf"Warning: the control .*{row['attack']}.* fails.*p = {row['control_p_value']:.2g}", sentence)


def test_an_evaluation_says_before_measuring_what_the_counts_rule_out(hqgan, tiny_run, tmp_path):
    made = tmp_path / "made"
    assert hqgan("generate", tiny_run, "--class", "fibroma=6", "--class", "nevus=25", "--out", made)[0] == 0
    code, _, err = hqgan("evaluate", made, "--data", "demo:160")
    assert code == 0, err
    before = " ".join(err.split("measuring\n")[0].split())
    assert (
        "nothing will be measured over all classes: no images of actinic, basal, keratosis, melanoma and vascular"
        in before
    )
    assert re.search(r"takes 20 generated and 20 real images: fibroma \(6 and \d\)", before)


def test_a_comparison_says_before_training_that_no_distance_will_be_measured(
    hqgan, tiny_changes, tmp_path, monkeypatch
):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0}, raising=False)
    own = {"data.path", "data.size", "training.kimg", "training.evaluate_kimg"}
    options = [part for k, v in tiny_changes.items() if k not in own for part in ("--set", f"{k}={json.dumps(v)}")]
    tiny = ("--data", "demo:100", "--size", 32, "--presets", "demo", "--seeds", 1, "--kimg", 0.016)
    code, out, err = hqgan("compare", *tiny, *options, "--out", tmp_path / "c")
    assert code == 0, err
    assert "No distance" in out or re.search(r"demo +│ +- ", out)
    before = " ".join(err.split("training demo on")[0].split())
    assert re.search(r"no distance will be measured on demo: .*\d", before)
