"""The commands draw and explore, on scripts as users write them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import test_viz_names
from commands import fails, shown

import viz
from tinygrad_res import drawing
from tinygrad_res.cli import main

ROOT = Path(__file__).resolve().parents[1]
NET = """
import numpy as np
import tinygrad_res as tg

rng = np.random.default_rng(0)
x = h = tg.tensor(rng.standard_normal((2, 4)), requires_grad=True, name="x")
for k in range(3):
    with tg.scope(f"block{k}"):
        V, W = (tg.parameter(rng.standard_normal((4, 4)) / 2, name=f"{c}_{k + 1}") for c in "VW")
        h = h + tg.relu(h @ V) @ W
middle = h
loss = h.sum()
p = tg.paths(loss, x)
one = p[3]
g = tg.graph(loss)
weights = (V**2).sum()
y = tg.tensor(np.ones(4), requires_grad=True)
both = (x * y).sum()
many = tg.tanh(y)
labels = tg.tensor(np.ones(4), name="labels")
labelled = ((x - labels) ** 2).sum()
first, other = (tg.tensor(np.ones(n), requires_grad=True, name="twin") for n in (1, 4))
same = (first * other).sum()
constant = tg.tensor(1.0)
number = 3


def pair():
    return loss, V


def small():
    a = tg.tensor(np.array([[1.0, -1.0]]), requires_grad=True, name="a")
    return (tg.relu(a @ tg.parameter(np.eye(2), name="W"))).sum()


def nothing():
    pass


def needs(width):
    return loss


def fails():
    raise ValueError("of its own")


def leaves():
    raise SystemExit(3)


if __name__ == "__main__":
    raise SystemExit("must not run")
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A folder to work in, which holds net.py."""
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("net.py", "sub"))


# draw


def test_a_loss_is_drawn_as_the_paths_to_its_only_input(net, capsys):
    assert main(["draw", "net.py:loss"]) == 0
    assert written(net) == ["loss.svg"]
    assert "3 blocks: 1 weight-free path of 8" in shown(net / "loss.svg")
    assert capsys.readouterr().out.startswith("wrote loss.svg: Gradient paths through a chain of 3")


def test_the_figure_is_the_one_that_the_library_draws(net):
    from tinygrad_res.scripts import take

    assert main(["draw", "net.py:p", "-o", "p.svg", "--width", "80mm", "--style", "dark"]) == 0
    figure = viz.draw(take(Path("net.py"), "p").value, size="80mm")
    assert (net / "p.svg").read_text() == figure.pipe("svg", "dark", encoding="utf-8")


def test_parts_of_a_figure_are_drawn(net, capsys):
    assert main(["draw", "net.py:p", "-o", "p.svg", "--parts", "picture,legend"]) == 0
    drawn = (net / "p.svg").read_text()
    assert "forward pass" in drawn and "one by one" not in drawn
    assert main(["draw", "net.py:p", "-o", "a.svg", "--parts", "picture,pages"]) == 2
    assert "give one or several of 'headline'" in capsys.readouterr().err
    assert not (net / "a.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["p"], "3 blocks: 1 weight-free path of 8"),
        (["one"], "8"),
        (["pair"], "back to V_3"),
        (["loss", "--to", "V_1"], "0 weight-free paths of 4"),
        (["loss", "--to", "W"], "back to W_3"),
        (["loss", "--to", "middle"], "1 weight-free path of 1"),
        (["labelled"], "back to x"),
        (["both", "--to", "y"], "1 weight-free path of 1"),
        (["small", "--level", "scalar"], "(scalar level): 1 of 4 paths is active"),
        (["small", "--at", "0,1"], "(scalar level): 0 of 2 paths are active"),
        (["weights", "--to", "V_3"], "V_3"),
        (["many", "--at", "2"], "1 path"),
    ],
)
def test_what_is_drawn(net, arguments, words, capsys):
    name, *rest = arguments
    assert main(["draw", f"net.py:{name}", *rest, "-o", "a.svg"]) == 0
    assert words.replace("_", "") in shown(net / "a.svg").replace("_", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["g"], "The graph recorded for sum (tensor level)"),
        (["loss", "--level", "scope"], "(scope level): 1 weight-free path of 8"),
        (["loss", "--depth", "1"], "(scope level): 1 weight-free path of 8"),
    ],
)
def test_recorded_graphs_and_scopes_are_drawn(net, arguments, words):
    name, *rest = arguments
    assert main(["draw", f"net.py:{name}", *rest, "-o", "a.svg"]) == 0
    assert words in shown(net / "a.svg")


@pytest.mark.parametrize("ending", ["svg", "pdf", "png", "tex", "html", "dot", "mmd", "SVG"])
def test_every_format_is_written(net, ending):
    starts = {"pdf": b"%PDF", "png": b"\x89PNG", "html": b"<!doctype html>", "mmd": b"---"}
    assert main(["draw", "net.py:loss", "-o", f"a.{ending}"]) == 0
    assert written(net) == [f"a.{ending}"]
    content = (net / f"a.{ending}").read_bytes()
    assert len(content) > 500 and content.startswith(starts.get(ending, b""))


def test_a_width_without_a_unit_is_in_mm(net):
    assert main(["draw", "net.py:loss", "--width", "80"]) == 0
    assert 'width="80mm"' in (net / "loss.svg").read_text()


def test_a_width_is_answered_with_the_size_of_the_smallest_text(net, capsys):
    assert main(["draw", "net.py:loss", "--width", "40mm"]) == 0
    told = capsys.readouterr().out
    smallest, enough = re.search(r"smallest text (\S+) pt; 5 pt take (\d+) mm", told).groups()
    assert 0.5 < float(smallest) < 5
    assert main(["draw", "net.py:loss", "--width", f"{enough}mm"]) == 0
    assert capsys.readouterr().out.endswith("(smallest text 5.0 pt)\n")


@pytest.mark.parametrize("format", [None, "svg", "dot", "png"])
def test_a_figure_on_standard_output_is_nothing_but_the_figure(net, capfdbinary, format):
    (net / "net.py").write_text(NET + "\nprint('of the script')\n")
    asked = ["--format", format] if format else []
    assert main(["draw", "net.py:loss", "-o", "-", *asked]) == 0
    told = capfdbinary.readouterr()
    assert main(["draw", "net.py:loss", "-o", "a", "--format", format or "svg"]) == 0
    assert told.out == (net / "a").read_bytes()
    assert told.err == b"of the script\n"


def test_a_script_gets_its_own_arguments(net):
    (net / "net.py").write_text(
        "import argparse\nimport tinygrad_res as tg\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--to', type=int)\n"
        "x = tg.tensor([1.0] * parser.parse_args().to, requires_grad=True)\nloss = tg.tanh(x).sum()\n"
    )
    assert main(["draw", "net.py:loss", "--level", "scalar", "--at", "2", "--", "--to", "3"]) == 0
    assert main(["explore", "net.py:loss", "--no-browser", "--", "--to", "3"]) == 0
    assert written(net) == ["loss.html", "loss.svg"]


def test_a_script_in_a_package_imports_what_is_beside_it(net):
    folder = net / "sub" / "inner"
    folder.mkdir(parents=True)
    for init in (net / "sub", folder):
        (init / "__init__.py").write_text("")
    (net / "sub" / "parts.py").write_text("SIZE = 2.0\n")
    (folder / "model.py").write_text(
        "import tinygrad_res as tg\nfrom ..parts import SIZE\n"
        "x = tg.tensor([SIZE], requires_grad=True)\nloss = tg.tanh(x)\n"
    )
    before = list(sys.path)
    try:
        assert main(["draw", "sub/inner/model.py:loss", "-o", "a.svg"]) == 0
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "sub"]:
            del sys.modules[name]
    assert sys.path == before


@pytest.mark.parametrize(
    ("wish", "label"), [("weight-free", "weight-free: 1 path"), ("top", "top"), ("5", "path 5")]
)
def test_what_is_not_highlighted_is_faded(net, wish, label):
    assert main(["draw", "net.py:loss", "--highlight", wish]) == 0
    assert main(["draw", "net.py:loss", "-o", "all.svg"]) == 0
    assert "1 weight-free path of 8" in shown(net / "loss.svg")
    assert label in shown(net / "loss.svg") and label not in shown(net / "all.svg")
    assert (net / "loss.svg").read_text().count("opacity") > 1


def test_a_script_finds_the_modules_beside_it_first_and_its_own_name_alone(net, monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)  # Python has one too
    (net / "sub").mkdir()
    (net / "sub" / "this.py").write_text("SCALE = 2.0\n")
    (net / "sub" / "user.py").write_text(
        "import sys\nimport tinygrad_res as tg\nfrom this import SCALE\n"
        "assert __name__ == 'user' and sys.modules['user'].__file__ == __file__\n"
        "assert sys.argv == [__file__]\n"
        "x = tg.tensor([1.0], requires_grad=True)\nloss = tg.tanh(x * SCALE)\n"
    )
    before, arguments = list(sys.path), list(sys.argv)
    assert main(["draw", "sub/user.py:loss", "-o", "a.svg"]) == 0
    assert (sys.path, sys.argv) == (before, arguments)
    assert "user" not in sys.modules
    del sys.modules["this"]
    assert not list((net / "sub").rglob("user*.pyc"))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("no.py:loss", "no.py: cannot read it (No such file"),
        ("net.py", "'net.py' is not FILE.py:NAME"),
        ("net:loss", "'net:loss' is not FILE.py:NAME"),
        ("net.py:a.b", "'net.py:a.b' is not FILE.py:NAME"),
        ("net.py:los", "net.py makes no 'los' (did you mean 'loss'?): it has leaves, fails, needs, "),
        ("net.py:number", "net.py:number is of type int: give a tensor"),
        ("net.py:y", "net.py:y is a tensor that nothing computed, no path starts there: give a ten"),
        ("net.py:nothing", "net.py:nothing() returned None: give a tensor"),
        ("net.py:a", "net.py makes no 'a', only small() does: let a function return it, and give net.py:small"),
        ("net.py:needs", "cannot be called without arguments (missing a required argument: 'w"),
        ("net.py:constant", "nothing was recorded for the tensor of shape ()"),
        ("net.py:leaves", "net.py called sys.exit(3): put what is not to run here below if __name"),
        ("net.py:both", "net.py:both has 2 inputs: choose by --to 'x' (2, 4), y (4,)"),
        ("net.py:weights", "no input, only parameters: choose by --to 'V_3' (4, 4)"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_in_a_line_and_nothing_is_written(net, capsys, where, message):
    assert message in fails(capsys, "draw", where)
    assert message in fails(capsys, "explore", where, "--no-browser")
    assert written(net) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["loss", "--to", "q"], "no tensor 'q' is in its graph: --to is one of 'x' (2, 4), 'V_1' (4"),
        (["same", "--to", "q"], "no tensor 'q' is in its graph: --to is one of 'twin' (1,), 'twin' (4"),
        (["loss", "--to", "y"], "no tensor 'y' is in its graph"),
        (["p", "--to", "x"], "net.py:p is Paths(8 from sum to x) already: leave --to out"),
        (["one", "--highlight", "top"], "is one path already: leave it out"),
        (["loss", "--at", "0,0", "--level", "scope"], "--at is for --level scalar, not for --level s"),
        (["loss", "--depth", "1", "--level", "tensor"], "--depth is for --level scope"),
        (["loss", "--at", "9,9"], "x has shape (2, 4): index 9 is out of bounds"),
        (["loss", "--highlight", "8"], "--highlight 8: Paths(8 from sum to x) are numbered from 0"),
        (["loss", "--highlight", "red"], "--highlight 'red': use one of weight-free, top, or a path"),
        (["loss", "-o", "a.gif"], "-o a.gif: format 'gif' is unknown: use one of svg, pdf"),
        (["loss", "-o", "a"], "-o a: nothing says the format: end it as in a.svg"),
        (["loss", "-o", "."], "-o . is a folder: name a file in it, such as paths.svg"),
        (["loss", "-o", "a.svg", "--format", "pdf"], "say two formats: leave one out"),
        (["loss", "--to", "V1"], "no tensor 'V1' is in its graph (did you mean 'V_1'?): --to is one"),
        (["loss", "--highlight", "weightfree"], "'weightfree' (did you mean 'weight-free'?): use"),
        (["loss", "-o", "no/a.svg"], "-o no/a.svg: cannot write in 'no' (No such file or directory)"),
        (["loss", "--width", "8 miles"], "--width 8 miles: size '8 miles' is no width on paper"),
        (["loss", "--width", "80", "-o", "a.dot"], "--width 80: 'dot' has no size on paper"),
    ],
)  # fmt: skip
def test_bad_options_of_draw(net, capsys, arguments, message):
    name, *rest = arguments
    assert message in fails(capsys, "draw", f"net.py:{name}", *rest)
    assert written(net) == []


def test_of_two_tensors_of_one_name_the_variable_says_which(net, capsys):
    message = "2 tensors are named 'twin': --to is one of 'twin' (1,), 'twin' (4,)"
    assert message in fails(capsys, "draw", "net.py:same", "--to", "twin")
    for variable, count in (("first", 4), ("other", 1)):  # the first is broadcast
        assert main(["explore", "net.py:same", "--to", variable, "--at", "0", "--no-browser"]) == 0
        assert f"Paths(scalar level, {count} from" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["-o", "a.gif"], ["-o", "no/a.svg"], ["--width", "wide"]], ids=" ".join
)
def test_where_to_write_is_checked_before_the_script_runs(net, capsys, arguments):
    (net / "net.py").write_text("raise SystemError('it ran')\n")
    fails(capsys, "draw", "net.py:loss", *arguments)


def test_graphs_made_by_hand_or_read_from_a_file_are_drawn_and_explored(net, capsys):
    (net / "hand.py").write_text(
        "import networkx as nx\nimport tinygrad_res as tg\n"
        "edges = [('F', 'm', 2.0), ('F', 'n', 3.0), ('m', 'x', 1.0), ('n', 'x', 4.0)]\n"
        "made = nx.MultiDiGraph()\nmade.add_weighted_edges_from(edges, weight='derivative')\n"
        "one = tg.from_networkx(made)\nmade.add_edge('n', 'y', derivative=1.0)\n"
        "two = tg.from_networkx(made)\nx = tg.tensor([1.0], requires_grad=True, name='x')\n"
        "read = tg.from_json(tg.graph(x * x).to_json())\n"
    )
    assert main(["draw", "hand.py:one", "-o", "a.svg"]) == 0
    assert "(scalar level): 2 paths" in shown(net / "a.svg")
    capsys.readouterr()
    told = fails(capsys, "explore", "hand.py:two")
    assert told.endswith("has 2 inputs: choose by --to 'x' (), 'y' ()")
    for arguments, paths in ((["one"], "2 from F to x"), (["two", "--to", "y"], "1 from F to y")):
        name, *rest = arguments
        assert main(["explore", f"hand.py:{name}", *rest, "--no-browser"]) == 0
        assert f"Paths(scalar level, {paths})" in capsys.readouterr().out
    assert main(["explore", "hand.py:read", "--no-browser"]) == 0
    assert "Paths(2 from multiply to x)" in capsys.readouterr().out


def test_an_index_that_is_none_ends_as_other_bad_options_do(net, capsys):
    with pytest.raises(SystemExit) as end:
        main(["draw", "net.py:loss", "--at", "a,b"])
    assert end.value.code == 2
    assert "argument --at: 'a,b' is no index" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "name", "last"),
    [
        (NET, "fails", "ValueError: of its own"),
        ("x = 1\nraise KeyError('k')\n", "x", "KeyError: 'k'"),
        ("import tinygrad_res as tg\ntg.tensor([1, 2], requires_grad=True)\n", "x", "DtypeError: "),
        ("def f(:\n", "f", "SyntaxError: "),
        ("import nowhere_at_all\n", "f", "ModuleNotFoundError: "),
        ("x = '\x00'\n", "x", "null bytes"),
    ],
)
def test_a_failing_script_shows_its_own_traceback(net, capsys, source, name, last):
    (net / "net.py").write_text(source)
    assert main(["draw", f"net.py:{name}"]) == 2
    *traceback, line = capsys.readouterr().err.splitlines()
    assert last in "\n".join(traceback[-2:])
    assert line.startswith("tinygrad-res: error: net.py failed with the ")
    assert "scripts.py" not in "\n".join(traceback)
    assert written(net) == []


def test_a_script_that_ends_the_process_says_how_to_mend_it(net, capsys):
    (net / "net.py").write_text("import sys\nsys.exit()\n")
    assert "net.py called sys.exit(): put what is not to run" in fails(capsys, "draw", "net.py:x")


def test_a_name_that_modules_have_already_is_refused(net, capsys):
    (net / "json.py").write_text("x = 1\n")
    assert "a module named 'json' is in use already" in fails(capsys, "draw", "json.py:x")


@pytest.mark.parametrize("name", [*test_viz_names.HARMFUL[::3], "a\nb\x1b[31m", "x" * 300])
@pytest.mark.parametrize("ending", ["svg", "html", "tex", "dot", "mmd"])
def test_names_are_text_whatever_they_say(net, capsys, name, ending):
    (net / "net.py").write_text(
        "import tinygrad_res as tg\n"
        f"NAME = {name!r}\n"
        "a = tg.tensor([[1.0, 2.0]], requires_grad=True, name=NAME)\n"
        "W = tg.parameter([[1.0, 0.0], [0.0, 1.0]], name=NAME)\n"
        "loss = (a + a @ W).sum()\nloss.name = NAME\n",
        encoding="utf-8",
    )
    for arguments in (["draw", "-o", f"a.{ending}"], ["explore", "--no-browser"]):
        assert main([*arguments, "net.py:loss"]) == 0
        told = capsys.readouterr().out
        assert told.count("\n") == 1 and told.rstrip("\n").isprintable()
    assert fails(capsys, "draw", "net.py:loss", "--to", "nothing").isprintable()


# explore


@pytest.fixture
def browser(monkeypatch):
    """A browser that only notes what it is to open."""
    opened = []
    monkeypatch.setattr(drawing.webbrowser, "open", lambda address: opened.append(address) or True)
    return opened


def test_the_page_is_written_and_opened(net, browser, capsys):
    assert main(["explore", "net.py:loss"]) == 0
    assert written(net) == ["loss.html"]
    page = (net / "loss.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "1 weight-free path of 8" in page
    assert browser == [(net / "loss.html").as_uri()]
    assert capsys.readouterr().out == "wrote loss.html: Paths(8 from sum to x)\n"


def test_no_browser_is_opened_where_none_is_wanted(net, browser):
    assert main(["explore", "net.py:g", "--to", "V_2", "-o", "a.html", "--no-browser"]) == 0
    assert "back to V_2" in (net / "a.html").read_text(encoding="utf-8")
    assert browser == []


def test_without_a_browser_it_says_where_the_page_is(net, capsys, monkeypatch):
    monkeypatch.setattr(drawing.webbrowser, "open", lambda address: False)
    assert main(["explore", "net.py:loss"]) == 0
    assert f"no browser here: open {net / 'loss.html'} in one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["loss", "-o", "a.svg"], "-o a.svg: the page is HTML: let the name end in .html"),
        (["loss", "-o", "no/a.html"], "-o no/a.html: cannot write in 'no'"),
        (["one"], "net.py:one is one path: give tg.paths(...)"),
        (["both", "--to", "h"], "no tensor 'h' is in its graph"),
    ],
)
def test_bad_options_of_explore(net, capsys, browser, arguments, message):
    name, *rest = arguments
    assert message in fails(capsys, "explore", f"net.py:{name}", *rest)
    assert written(net) == [] and browser == []


def test_a_terminal_without_unicode_shows_escapes(net):
    (net / "net.py").write_text(NET.replace('name="x"', 'name="权"'), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "tinygrad_res", "explore", "net.py:loss", "--no-browser"],
        capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == b"wrote loss.html: Paths(8 from sum to \\u6743)\n"
