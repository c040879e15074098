import fingerprint as module
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A script that imports a module that imports a helper; what was parsed is kept on disk."""
    files = {
        "scripts/act.py": "from pack.work import work\nwork()\n",
        "pack/__init__.py": "",
        "pack/work.py": "def work():\n    from pack.deep import helper\n    return helper()\n",
        "pack/deep/__init__.py": "",
        "pack/deep/helper.py": '"""Helps."""\nVALUE = 1\n',
        "pack/other.py": "VALUE = 2\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "KEPT", tmp_path / "kept/parsed.json")
    monkeypatch.setattr(module, "_keep_at_exit", module._keep)

    def take():
        forget()
        return module.fingerprint("scripts/act.py")

    yield tmp_path, take
    forget()


def forget():
    """Empty the caches, as in another process."""
    for name in ("fingerprint", "_code", "_parsed", "_file", "_known"):
        getattr(module, name).cache_clear()


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("scripts/act.py", "from pack.work import work\n# a comment\n\nwork()\n", False),
        ("pack/deep/helper.py", '"""Another docstring."""\nVALUE = 1\n', False),
        ("pack/other.py", "VALUE = 3\n", False),
        ("pack/__init__.py", "VALUE = 3\n", False),
        ("pack/deep/helper.py", '"""Helps."""\nVALUE = 2\n', True),
        ("pack/work.py", "def work():\n    return 2\n", True),
        ("scripts/act.py", "from pack.work import work\nwork(1)\n", True),
    ],
)
def test_only_code_that_is_reached_counts(project, file, text, changes):
    folder, take = project
    before = take()
    (folder / file).write_text(text)
    assert (take() != before) == changes


def test_imports_of_project_are_all_found():
    imports = module._parsed(module.ROOT / "scripts/measure_networks.py").imports
    reached = {one.file for one in imports}
    assert module.ROOT / "generalization/measure_networks.py" in reached
    assert module.ROOT / "generalization/networks/block_file.py" in reached


def test_where_a_file_lies_and_in_which_order_it_is_imported_does_not_count(project):
    folder, take = project
    before = take()
    (folder / "pack/other.py").unlink()
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/__init__.py").touch()
    (folder / "pack/deep/helper.py").rename(folder / "elsewhere/aid.py")
    work = "def work():\n    from elsewhere import aid as helper\n    return helper()\n"
    (folder / "pack/work.py").write_text(work)
    assert take() == before


def test_another_function_of_the_same_name_counts(project):
    folder, take = project
    (folder / "pack/both.py").write_text("from pack.one import act\nfrom pack.two import act\n")
    (folder / "pack/one.py").write_text("def act():\n    return 1\n")
    (folder / "pack/two.py").write_text("def act():\n    return 2\n")
    answers = []
    for name in ("one", "two"):
        script = f"import pack.both\nfrom pack.{name} import act\nact()\n"
        (folder / "scripts/act.py").write_text(script)
        answers.append(take())
    assert answers[0] != answers[1]


def test_what_was_parsed_before_is_not_parsed_again(project, monkeypatch):
    _, take = project
    before = take()
    monkeypatch.setattr(module.ast, "parse", pytest.fail)
    assert take() == before
    monkeypatch.undo()


@pytest.mark.parametrize("damage", ["contents", "checksum", "no file", "another parser"])
def test_what_was_kept_and_is_damaged_is_parsed_again(project, monkeypatch, damage):
    folder, take = project
    before = take()
    kept = folder / "kept/parsed.json"
    if damage == "contents":
        kept.write_text(kept.read_text().replace('"tree": "', '"tree": "0'))
    elif damage == "checksum":
        kept.with_name(f".{kept.name}.sha256").write_text("0\n")
    elif damage == "no file":
        kept.unlink()
        kept.mkdir()
    else:
        monkeypatch.setattr(module, "_this", lambda: "another")
    assert take() == before


def test_a_name_that_has_become_a_module_is_followed(project):
    """The file that imports it is the same."""
    folder, take = project
    (folder / "scripts/act.py").write_text("from pack import other\nfrom pack.work import grown\n")
    (folder / "pack/other.py").write_text("")
    before = take()
    (folder / "pack/work.py").unlink()
    (folder / "pack/work").mkdir()
    (folder / "pack/work/__init__.py").write_text("")
    (folder / "pack/work/grown.py").write_text("VALUE = 1\n")
    grown = take()
    (folder / "pack/work/grown.py").write_text("VALUE = 2\n")
    assert len({before, grown, take()}) == 3


def test_declarations_of_hyperparameters_do_not_count(monkeypatch):
    with_exception = module.fingerprint("scripts/train_ensemble.py")
    assert all(file.is_file() for file in module.DECLARATIONS)
    monkeypatch.setattr(module, "DECLARATIONS", set())
    module.fingerprint.cache_clear()
    assert module.fingerprint("scripts/train_ensemble.py") != with_exception
    module.fingerprint.cache_clear()
