"""Checkpoints: a search that is killed goes on in another process as if nothing had been; what does not fit is refused."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from heatproof.model.design import Design
from heatproof.model.scenario import Scenario, create, scenario
from heatproof.model.templates import resource
from heatproof.properties.catalogue import ALL
from heatproof.strategies.proving.checkpoints import Checkpoint, CheckpointError, UnwrittenError
from heatproof.strategies.proving.search import CHUNK, Search
from heatproof.strategies.proving.sources import with_imported
from tests.proving.interrupted import said, searching
from tests.proving.peers import instance
from tests.proving.test_counts import PROPERTIES, SMALL
from tests.toys import HEAT, NIGHTLY, ROOT


def test_a_search_that_is_killed_again_and_again_finds_the_same(tmp_path: Path) -> None:
    file = tmp_path / "search"
    whole = searching(None)
    whole.run()
    assert len(whole.result.violations) > 1
    kills = [("expand", 1), ("fsync", 1), ("replace", 20), ("fsync", 24), ("expand", 30)]
    for call, number in kills:
        done = interrupted(file, call, number)
        assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert interrupted(file, "", 0).stdout == said(whole) + "\n"
    assert interrupted(file, "", 0).stdout == said(whole) + "\n"  # there is nothing left to do


def interrupted(file: Path, call: str, number: int) -> subprocess.CompletedProcess[str]:
    """A process that dies."""
    command = [sys.executable, "-m", "tests.proving.interrupted", str(file), call, str(number)]
    hashed = os.environ | {"PYTHONHASHSEED": str(number)}
    return subprocess.run(command, cwd=ROOT, env=hashed, capture_output=True, text=True, check=False)


def stopped(file: Path, states: int = 1_000) -> Search:
    """A search that was stopped half-way, with its checkpoint."""
    search = searching(file)
    search.go_on = lambda result: "enough" if result.states >= states else ""
    search.run()
    assert file.exists()
    return search


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The checkpoint of a search that was stopped half-way."""
    file = tmp_path_factory.mktemp("half") / "search"
    stopped(file, 300)
    return file.read_bytes()


if NIGHTLY:  # half a minute, and the killed search above goes the same ways

    def test_a_search_in_steps_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def at(chunk: int) -> None:
            monkeypatch.setattr("heatproof.strategies.proving.search.CHUNK", chunk)

        whole, file, usual = searching(tmp_path / "whole"), tmp_path / "search", CHUNK
        at(60)
        whole.run()
        steps = 0
        while True:
            at(usual)
            search = searching(file)
            if file.exists():
                search.resume()
            at(60)
            begun = search.result.transitions
            search.go_on = lambda result, search=search, begun=begun: (  # type: ignore[misc]
                "enough" if search.at and result.transitions > begun + 1_500 else ""  # within a block
            )
            search.run()
            steps += 1
            if search.result.complete:
                break
            assert search.result.cut == "enough"
        assert steps > 3
        assert said(search) == said(whole)


def test_a_checkpoint_is_written_when_it_is_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    now = iter(range(10_000))
    monkeypatch.setattr("heatproof.strategies.proving.checkpoints.monotonic", lambda: float(next(now)))
    search = searching(None)
    search.checkpoint = Checkpoint(tmp_path / "search", every=50)
    search.begin(False, False, ())
    monkeypatch.setattr(Checkpoint, "save", lambda self, search: saved.append(search.result.depth))
    search.run()
    assert 1 < len(saved) < search.result.depth / 10
    assert saved[-1] == search.result.depth


A, B = resource("A"), resource("B")


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (lambda: instance("I3", "Careless"), "is of another design (Grabbing, not Careless)"),
        (lambda: instance("I1", "Grabbing"), "is of another scenario or scope"),
        (lambda: instance("I6", "Grabbing"), "is of another scenario or scope"),
        (lambda: (HEAT, scenario(create([A]))), "is of another design (Grabbing, not heat)"),
    ],
)
def test_another_scope_is_refused(tmp_path: Path, search: Callable[[], tuple[Design, Scenario]], message: str) -> None:
    stopped(tmp_path / "search")
    design, given = search()
    other = Search(design, given, PROPERTIES, checkpoint=Checkpoint(tmp_path / "search"))
    with pytest.raises(CheckpointError) as caught:
        other.resume()
    assert message in str(caught.value)
    assert str(tmp_path / "search") in str(caught.value)


def test_other_properties_and_options_are_refused(tmp_path: Path) -> None:
    stopped(tmp_path / "search")
    design, given = instance("I3", "Grabbing")
    with pytest.raises(CheckpointError, match="is of other properties"):
        Search(design, given, PROPERTIES[1:], checkpoint=Checkpoint(tmp_path / "search")).resume()
    with pytest.raises(CheckpointError, match="is of other options"):
        Search(design, given, PROPERTIES, symmetric=False, checkpoint=Checkpoint(tmp_path / "search")).resume()


def test_templates_of_the_same_names_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "search"
    for given in (scenario(create([A, resource("B", {"p": 1})])), scenario(create([A, resource("B", depends_on=["A"])]))):
        other = Search(HEAT, given, [], checkpoint=Checkpoint(file))
        if file.exists():
            with pytest.raises(CheckpointError, match="another scenario"):
                other.resume()
        else:
            other.go_on = lambda result: "enough"
            other.run()


def test_another_text_of_the_design_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(tmp_path / "search")
    monkeypatch.setattr("heatproof.strategies.proving.checkpoints.source", lambda design, properties: "changed since")
    with pytest.raises(CheckpointError, match="is of another text of the design, of a property or of heatproof"):
        searching(tmp_path / "search").resume()


def test_the_text_of_a_design_in_a_file_counts(tmp_path: Path) -> None:
    from heatproof.model import catalogue
    from heatproof.strategies.proving.checkpoints import source

    text = (ROOT / "examples" / "traversal.py").read_text()
    seen = set()
    for number, addition in enumerate(("", "# a remark\n")):
        file = tmp_path / str(number) / "traversal.py"
        file.parent.mkdir()
        file.write_text(text + addition)
        seen.add(source(catalogue.load(f"{file}:Traversal"), []))
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("from helper_of_mine import CONSTANT", "helper_of_mine.py"),
        ("import package_of_mine.inner", "package_of_mine/__init__.py"),
        ("import package_of_mine.inner", "package_of_mine/inner.py"),
        ("from package_of_mine import inner", "package_of_mine/beside.py"),
        ("from package_of_mine import inner", "deep_of_mine.py"),
        ("import os, json, numpy, heatproof.strategies", "unrelated.py"),
    ],
)
def test_the_text_of_what_a_design_imports_counts(line: str, changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package_of_mine").mkdir()
    for name, text in (
        ("helper_of_mine.py", "CONSTANT = 1\n"), ("package_of_mine/__init__.py", ""), ("unrelated.py", ""), ("deep_of_mine.py", ""),
        ("package_of_mine/inner.py", "from . import beside\n"), ("package_of_mine/beside.py", "def late():\n    import deep_of_mine\n"),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    design = tmp_path / "design.py"
    design.write_text(f"{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    files = with_imported([(str(design), "")])
    assert (str(tmp_path / changed) in files) == (changed != "unrelated.py")
    assert all(Path(file).is_relative_to(tmp_path) for file in files)
    assert not {"helper_of_mine", "package_of_mine", "deep_of_mine"} & set(sys.modules)


def test_a_change_in_a_module_that_the_design_imports_is_seen(tmp_path: Path) -> None:
    from heatproof.model import catalogue
    from heatproof.strategies.proving.checkpoints import source

    design, helper = tmp_path / "with_helper.py", tmp_path / "helper_of_mine.py"
    helper.write_text("COUNT = 1\n")
    text, future = (ROOT / "examples" / "traversal.py").read_text(), "from __future__ import annotations\n"
    design.write_text(text.replace(future, f"{future}from helper_of_mine import COUNT\n"))
    known = catalogue.load(f"{design}:Traversal")
    before = source(known, [])
    helper.write_text("COUNT = 2\n")
    assert source(known, []) != before


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        searching(tmp_path / "search").resume()
    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        searching(tmp_path / "no folder" / "search")
    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        searching(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match=r"cannot write the checkpoint .*: it is a device, pipe or socket"):
        searching(tmp_path / "pipe")


def test_a_file_cut_anywhere_is_refused_and_one_with_another_byte_unless_nobody_reads_it(tmp_path: Path, half: bytes) -> None:
    file, refused = tmp_path / "search", 0
    whole = searching(None)
    whole.run()
    places = range(0, len(half), len(half) // 14)
    for place in places:
        file.write_bytes(half[:place])
        with pytest.raises(CheckpointError):
            searching(file).resume()
        file.write_bytes(half[:place] + bytes([half[place] ^ 0x55]) + half[place + 1 :])
        search = searching(file)
        try:
            search.resume()
        except CheckpointError:
            refused += 1
        else:
            search.run()
            assert said(search) == said(whole)
    assert refused > len(places) / 2


def changed(file: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change one member of a checkpoint, with the right checksums."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def in_head(**values: object) -> Callable[[bytes], bytes]:
    return lambda content: msgspec.json.encode(msgspec.json.decode(content) | values)


def with_array(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[bytes], bytes]:  # type: ignore[type-arg]
    def apply(content: bytes) -> bytes:
        out = io.BytesIO()
        np.save(out, change(np.load(io.BytesIO(content), allow_pickle=False)), allow_pickle=True)
        return out.getvalue()

    return apply


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("head", lambda content: b"{}"),
        ("head", lambda content: b"not json"),
        ("head", in_head(format=99)),
        ("head", in_head(level=[])),
        ("head", in_head(level=[0])),
        ("head", in_head(seen=[[99999, 0, 0, 0]])),
        ("head", in_head(seen=[[1, -5, 0, 0]])),
        ("head", in_head(counters=[0])),
        ("head", in_head(names_matter=True)),
        ("head", in_head(learned="")),
        ("table", lambda content: content[:-8]),
        ("table", lambda content: content[:-3]),
        ("table", lambda content: content[8:] + content[:8]),
        ("table", lambda content: content + content),
        ("table", lambda content: bytes(len(content))),
        ("table", lambda content: b""),
        ("depths", lambda content: content + bytes(2)),
        ("found seen", with_array(lambda seen: seen.astype(np.int32))),
        ("found seen", with_array(lambda seen: np.array([{"an": "object"}], dtype=object))),
        ("found seen", with_array(lambda seen: seen[:-1])),
        ("steps", lambda content: content[:-6]),
        ("steps", lambda content: content[:-1]),
        ("steps", lambda content: b"\xff" * len(content)),
        ("lessons", lambda content: content[9:]),
        ("lessons", lambda content: b"\xff" * len(content)),
        ("values", lambda content: b"\xff" * len(content)),
        ("values", lambda content: bytes(len(content))),
    ],
)
def test_what_does_not_fit_together_is_refused(half: bytes, tmp_path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "search"
    file.write_bytes(half)
    changed(file, name, change)
    with pytest.raises(CheckpointError):
        searching(file).resume()


def test_states_that_cannot_be_are_refused(half: bytes, tmp_path: Path) -> None:
    file = tmp_path / "search"
    file.write_bytes(half)
    with zipfile.ZipFile(file) as archive:
        states = next(name for name in archive.namelist() if name.startswith("states"))
    changed(file, states, with_array(lambda rows: np.full_like(rows, 60_000)))
    with pytest.raises(CheckpointError, match="the states of the frontier"):
        searching(file).resume()


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "search"
    search = stopped(file)
    before = file.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    search.go_on = lambda result: ""
    assert search.run().complete
    assert isinstance(search.checkpoint, Checkpoint)
    assert (
        search.checkpoint.unkept == f"the checkpoint {file} could not be written: No space left on device; the one of earlier stays"
    )
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_another_search_of_the_same_checkpoint_takes_nothing_away(tmp_path: Path) -> None:
    file = tmp_path / "search"
    one, other = searching(file), searching(file)
    one.go_on = other.go_on = lambda result: "enough" if result.states > 300 else ""
    one.run()
    before = file.read_bytes()
    other.run()
    assert isinstance(other.checkpoint, Checkpoint)
    assert "another process has kept a search there since; the one of earlier stays" in other.checkpoint.unkept
    assert file.read_bytes() == before
    file.unlink()  # there is nothing to lose then
    other.go_on = lambda result: ""
    assert other.run().complete
    assert not other.checkpoint.unkept
    assert [found.name for found in tmp_path.iterdir()] == ["search"]


def test_a_checkpoint_that_is_being_written_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, fsync, said_to_others = tmp_path / "search", os.fsync, []

    def meanwhile(handle: int) -> None:  # a lock belongs to an open file, so this is to it what another process would be
        if not said_to_others:
            with pytest.raises(UnwrittenError) as refused:
                Checkpoint(file)
            said_to_others.append(str(refused.value))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    search = searching(file)
    search.run()
    assert said_to_others == [f"cannot write the checkpoint {file}: another process writes it at the moment"]
    assert isinstance(search.checkpoint, Checkpoint)
    assert not search.checkpoint.unkept
    again = searching(file)
    again.resume()
    assert again.run().complete


def test_a_checkpoint_is_written_through_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "search").symlink_to("there/kept")
    stopped(tmp_path / "search")
    assert (tmp_path / "search").is_symlink()
    assert [file.name for file in (tmp_path / "there").iterdir()] == ["kept"]


def test_a_reduced_search_goes_on_too(tmp_path: Path) -> None:
    design, given = instance("I3", "Careless")
    whole = Search(design, given, PROPERTIES, reduce=True).run()
    search = Search(design, given, PROPERTIES, reduce=True, checkpoint=Checkpoint(tmp_path / "search", every=0))
    search.go_on = lambda result: "enough" if result.states > 150 else ""
    assert not search.run().complete
    search = Search(design, given, PROPERTIES, reduce=True, checkpoint=Checkpoint(tmp_path / "search", every=0))
    search.resume()
    result = search.run()
    assert result.complete
    assert {key: s.depth for key, s in result.violations.items()} == {key: s.depth for key, s in whole.violations.items()}
    assert result.terminal == whole.terminal


def remembering(seed: int, file: Path, ends: bool) -> subprocess.CompletedProcess[str]:
    """Part of a search of Heat with all its properties, which remember things under keys of every kind, in a process of its own."""
    code = f"""if True:
        from pathlib import Path
        from heatproof.properties.catalogue import ALL
        from heatproof.strategies.proving.checkpoints import Checkpoint
        from heatproof.strategies.proving.search import Search
        from tests.proving.test_counts import SMALL
        search = Search(*SMALL["heat, chain and crash"], list(ALL.values()), checkpoint=Checkpoint(Path({str(file)!r})))
        if {ends}:
            search.resume()
        else:
            search.go_on = lambda result: "enough" if result.states > 60 else ""
        print(search.run().complete, search.result.states, sorted(search.result.reached))
        """
    hashed = os.environ | {"PYTHONHASHSEED": str(seed)}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=hashed, capture_output=True, text=True, check=False)


def test_what_properties_remember_is_the_same_in_another_process(tmp_path: Path) -> None:
    whole = Search(*SMALL["heat, chain and crash"], list(ALL.values())).run()
    assert remembering(1, tmp_path / "search", False).stdout.startswith("False")
    done = remembering(2, tmp_path / "search", True)
    assert done.stdout == f"True {whole.states} {sorted(whole.reached)}\n", done.stderr


def test_a_file_that_lies_about_its_size_takes_no_memory(half: bytes, tmp_path: Path) -> None:
    file = tmp_path / "search"
    content = bytearray(half)
    entry = content.rindex(b"table", 0, content.rindex(b"PK\x05\x06")) - 46  # in the directory at the end
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 24 : entry + 28] = (0xFFFFFF00).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="table is not what it should be"):
        searching(file).resume()


def test_a_checkpoint_that_does_not_fit_into_memory_is_told(half: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_what: object) -> object:
        raise MemoryError

    file = tmp_path / "search"
    file.write_bytes(half)
    monkeypatch.setattr("heatproof.strategies.proving.checkpoints._growing", full)
    with pytest.raises(CheckpointError, match="does not fit into memory"):
        searching(file).resume()
