import json
import re

import pandas as pd

STATISTICS = """\
measure,kind,statistic,selection,dataset,estimate,low,high,p_value,p_value_corrected,level,ensembles,note
path_norm,candidate,spearman,fitted,all,0.5,0.25,0.75,0.01,0.02,0.95,2,
weight_norm,baseline,spearman,fitted,all,-0.5,-0.75,-0.25,0.01,,0.95,2,
"""
TRAINING = "ensemble,dataset,final\nnarrow,digits,True\nwide,digits,True\n"
CLAIMS = """\
claim,labels,about,expected,estimate,low,high,of,verdict,reason
The norm falls,,digits,below 0,{},,,2 ensembles,{},
"""


def results(study, name, estimate=0.5, verdict="inconclusive"):
    """Tables of a study that has run here."""
    folder = study.path / "results/studies" / name
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / "figures/measure_league.svg").write_text("<svg/>")
    (folder / "statistics.csv").write_text(STATISTICS)
    (folder / "training.csv").write_text(TRAINING)
    (folder / "claims.csv").write_text(CLAIMS.format(estimate, verdict))
    (folder / "summary.txt").write_text("A sentence.\n")


def test_studies_that_ran_elsewhere_keep_their_records(new_study):
    records, page = new_study.path / "docs/findings", new_study.path / "docs/findings.md"
    records.mkdir(parents=True)
    elsewhere = {
        "study": "elsewhere",
        "title": "Far away",
        "made_with": {"commit": "abc"},
        "networks": 8,
        "ensembles": 4,
        "datasets": ["digits"],
        "training_images": ["300"],
        "figures": [],
        "claims": [],
        "measures": [],
    }
    (records / "elsewhere.json").write_text(json.dumps(elsewhere))
    (new_study.path / "config/here.yaml").write_text("title: Near by\n")
    results(new_study, "here")
    new_study.snakemake("--", "docs/findings.md")
    assert json.loads((records / "elsewhere.json").read_text()) == elsewhere
    record = json.loads((records / "here.json").read_text())
    assert record["title"] == "Near by" and record["ensembles"] == 2
    assert record["made_with"]["pandas"] == pd.__version__
    assert [row["measure"] for row in record["measures"]] == ["path_norm", "weight_norm"]
    text = page.read_text()
    assert "| elsewhere | 8 | 4 | digits | 300 | – | – | – | – | abc |" in text
    assert re.search(r"\[here\]\(#near-by\) \| 2 \| 2 \| digits \| – \| 0 \| 0 \| 1 \| 0 \|", text)
    assert "| Path norm |  | 0.50 [0.25, 0.75] |" in text
    assert "(findings/here/measure_league.svg)" in text
    assert (records / "here/measure_league.svg").read_text() == "<svg/>"
    assert new_study.planned("--", "docs/findings.md") == {}

    results(new_study, "here", estimate=-0.5, verdict="replicates")
    assert new_study.planned("--", "docs/findings.md") == {
        "record_findings": 1,
        "collect_findings": 1,
    }
    new_study.snakemake("--", "docs/findings.md")
    assert "−0.50 | 2 ensembles | **replicates** |" in page.read_text()
