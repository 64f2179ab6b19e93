"""Names that mean harm in some format: read everywhere, doing nothing anywhere."""

import http.server
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser

import chromium
import dot_program
import gallery
import numpy as np
import pytest

import tinygrad_res as tg
import viz
from viz.writers.dot import quoted
from viz.writers.mermaid import escaped
from viz.writers.tikz import latex

HARMFUL = [
    '"</script><script>alert(1)</script>', "<b>bold</b>", "</title></style></svg><img src=x>",
    '"]; evil -> node; x [label="', "node", "subgraph", "strict digraph {", "--", "end",
    "back\\slash \\n \\", "line\nbreak\rand\ttab\x00\x1b", "z" * 300, "权重矩阵🙂", "e\u0301 ß Ł",
    "&amp; &#60; ]]> --> <!--", "$\\frac{1}{2}$ %s {0}", "\\input{/etc/passwd}", "^^5cend#1~_&%",
    "\\end{document}", "%%{init: {}}%%", "`code` **x** [a](b)", "#quot; #35;", "γ_1 λ ∂ ′",
    "style a:#f00;", "click n0 href 'x'", "\ud800 lone", "\u202egnirts", "a;b|c\"d", "---",
]  # fmt: skip


def net(names):
    """A block with a layer for each name, on its branch."""
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name=names[0])
    h = x
    with tg.scope(names[-1].replace("/", "")):
        for name in names:
            h = tg.tanh(h @ tg.parameter(np.eye(2) * 0.5, name=name))
    return x, (x + h).sum()


def kinds(names):
    """A figure of every kind that holds the names."""
    x, loss = net(names)
    single = tg.tensor(1.0, requires_grad=True, name=names[0])
    product = tg.tanh(single) * tg.parameter(2.0, name=names[-1])
    found = {
        "chain": tg.paths(loss, x),
        "numbers": tg.paths(product + single, single),
        "empty": tg.paths(loss, tg.tensor(1.0, requires_grad=True, name=names[0])),
    }
    figures = {kind: viz.draw(paths) for kind, paths in found.items()}
    figures["graph"] = viz.draw(loss)
    figures["scopes"] = viz.draw(loss, max_nodes=4)
    return figures


@pytest.fixture(scope="module")
def harmless():
    return kinds(["aa"])


def written(figure, format):
    """Return a figure in a text format, or nothing where it has no node to write."""
    if format == "mmd" and not any(shape.key for shape in figure.layout.shapes):
        return ""
    return figure.pipe(format, encoding="utf-8")


# Names


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *sorted(name for name, _ in attrs)))


def structure(format, text):
    """Return what a reader of the format would build, without any word of it."""
    if format in ("svg", "html"):
        if format == "svg":
            ET.fromstring(text)
        return sorted(set(Tags(text).found))
    if format == "dot":
        bare = re.sub(r'"(?:[^"\\]|\\.)*"|label=<[^\n]*>(?=, pos)', "label=", text)
        return sorted(set(re.sub(r"[-0-9.,!]+", "", bare).split()))
    if format == "mmd":
        assert all('"' not in line.replace('("', "").replace('")', "").replace('["', "")
                   .replace('"]', "").replace('|"', "").replace('"|', "") for line in
                   text.splitlines()[3:])  # fmt: skip
        return sorted(set(re.sub(r'"[^"\n]*"', "", body(text)).split()) - {""})
    return sorted(set(re.findall(r"\\[a-zA-Z]+", "\n".join(text.splitlines()[1:]))))


def body(mermaid):
    """Return the nodes and edges: titles are lines that are read to their end."""
    lines = mermaid.splitlines()[3:]
    return "\n".join(re.sub(r"\d+", "", line) for line in lines if "acc" not in line)


@pytest.mark.parametrize("format", ["svg", "html", "dot", "mmd"])
@pytest.mark.parametrize("name", HARMFUL)
def test_a_name_adds_nothing_to_what_a_reader_builds(name, format, harmless):
    for kind, figure in kinds([name]).items():
        found = structure(format, written(figure, format))
        assert set(found) <= set(structure(format, written(harmless[kind], format))) | OPTIONAL


OPTIONAL = {("tspan", "dy"), ("tspan", "dy", "font-size"), ("tspan", "font-size"), ("g",)}
"""What a subscript or a title may add."""


@pytest.mark.parametrize("format", ["svg", "html", "dot", "mmd", "tex"])
def test_what_no_markup_may_hold_reaches_no_format(format):
    """Graphviz writes SVG of its own from our DOT."""
    for figure in kinds(["a\x00\x1b\ufffeb\uffff\udcffc"]).values():
        assert not set("\x00\x1b\ufffe\uffff\udcff") & set(written(figure, format))


@pytest.mark.parametrize("name", HARMFUL)
def test_names_add_no_nodes_to_dot(name, harmless):
    for kind, figure in kinds([name]).items():
        expected, found = (
            {re.sub(r"\d+", "", node["name"]) for node in dot_program.read(source)["objects"]}
            for source in (harmless[kind].source, figure.source)
        )
        assert found <= expected | {"shape ", "end "}


def test_names_reach_png_and_pdf(tmp_path):
    for figure in kinds(HARMFUL).values():
        assert figure.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        assert figure.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", ["</svg>", "\\", "a%b", '"', "#", "权"])
def test_names_are_shown_as_they_are(name):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    figure = viz.draw(tg.paths((x + x @ tg.parameter(np.eye(2), name=name)).sum(), x))
    shown = ["".join(text.itertext()) for text in ET.fromstring(figure.svg).iter()]
    assert name in shown
    assert f"label={quoted(name)}" in figure.source
    assert f'|"{escaped(name)}"|' in figure.mermaid
    assert f" {latex(name)}}}" in figure.tikz


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\\end{document}", r"\textbackslash{}end\{document\}"),
        ("50%", r"50\%"),
        ("é", r"\'{e}"),
        ("Ω", r"$\Omega$"),
        ("10²", "10$^{2}$"),
        ("--", "{-}{-}"),
        ("\u202e\x00", ""),
    ],
)
def test_latex_shows_text_as_it_is(text, shown):
    assert latex(text) == shown


# LaTeX


@pytest.fixture(scope="module", params=["pdflatex", "lualatex", "xelatex"])
def engine(request):
    """Each LaTeX that is here; what is not here is not run, and said so."""
    name = request.param
    if not shutil.which(name) or not shutil.which("kpsewhich"):
        pytest.skip(f"there is no {name}: that it compiles TikZ was not tried")
    if not subprocess.run(["kpsewhich", "tikz.sty"], capture_output=True, check=False).stdout:
        pytest.skip(f"this {name} has no TikZ: that it compiles our pictures was not tried")
    return [name, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "a.tex"]


def compiled(engine, folder):
    done = subprocess.run(engine, cwd=folder, capture_output=True, check=False)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-1500:]
    assert "(1 page" in log
    assert "Missing character" not in (folder / "a.log").read_text(errors="replace")
    return (folder / "a.pdf").read_bytes()


@pytest.mark.parametrize("kind", ["chain", "graph"])
def test_tikz_compiles_whatever_the_names(kind, engine, tmp_path):
    kinds(HARMFUL)[kind].save(tmp_path / "a.tex")
    compiled(engine, tmp_path)


@pytest.mark.parametrize("name", HARMFUL[::4])
def test_tikz_of_each_name_alone_compiles(name, engine, tmp_path):
    kinds([name])["chain"].save(tmp_path / "a.tex", "print")
    compiled(engine, tmp_path)


def test_the_page_is_as_wide_as_asked_for(engine, tmp_path):
    figure = gallery.figure("residual_chain_2")
    figure.save(tmp_path / "a.tex", size="80mm")
    compiled(engine, tmp_path)
    log = (tmp_path / "a.log").read_text(errors="replace")
    assert "Overfull" not in log
    figure.save(tmp_path / "b.pdf", size="80mm")
    for name in ("a.pdf", "b.pdf"):
        width, height = page_size((tmp_path / name).read_bytes())
        assert width == pytest.approx(80 / 25.4 * 72, abs=0.1)
        assert height == pytest.approx(width * figure.layout.height / figure.layout.width, abs=0.2)


def page_size(pdf):
    """The width and height of a PDF's page in points, also where its objects are packed."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    packed = (zlib.decompressobj().decompress(s) for s in streams if s[:1] == b"x")
    found = re.search(rb"/MediaBox ?\[([^\]]*)\]", b"".join((pdf, *packed)))
    return map(float, found[1].split()[2:])


def test_a_picture_goes_into_a_paper(engine, tmp_path):
    (tmp_path / "figure.tex").write_text(gallery.figure("residual_block").tikz, encoding="utf-8")
    (tmp_path / "a.tex").write_text(
        r"\documentclass{article}\usepackage{tikz}\begin{document}"
        r"\begin{figure}\resizebox{\linewidth}{!}{\input{figure}}\caption{A block.}\end{figure}"
        r"\end{document}"
    )
    compiled(engine, tmp_path)


# Browsers


class Leaks(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and remembers what was asked for."""

    asked = ()

    def do_GET(self):
        type(self).asked = (*self.asked, self.path)
        super().do_GET()

    def log_message(self, *_):
        """Say nothing."""


def test_nothing_runs_and_no_request_leaves_a_browser(tmp_path):
    browser = chromium.program()
    if browser is None:
        pytest.skip("there is no Chromium to load the page in")
    asked = type("Asked", (Leaks,), {})
    handler = lambda *args: asked(*args, directory=tmp_path)  # noqa: E731
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        leak = f"http://127.0.0.1:{server.server_port}/leak"
        names = [
            f'"><img src={leak}-img onerror=fetch("{leak}-error")>', f"<script src={leak}-src></script>",
            f"</title><script>fetch('{leak}-title')</script>", f"</style><style>@import '{leak}-css'",
            f"<iframe src={leak}-frame>", f"url({leak}-url)",
        ]  # fmt: skip
        frames = [f'<img src="{leak}-control">']
        for kind, figure in kinds(names).items():
            for format in ("html", "svg"):
                figure.save(tmp_path / f"{kind}.{format}")
                frames.append(f"<iframe src={kind}.{format}></iframe>")
        (tmp_path / "all.html").write_text("".join(frames))
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
             f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
             f"http://127.0.0.1:{server.server_port}/all.html"],
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        server.shutdown()
    pages = {f"/{kind}.{format}" for kind in kinds(names) for format in ("html", "svg")}
    assert pages <= set(asked.asked)
    assert {path for path in asked.asked if "leak" in path} == {"/leak-control"}


def test_a_page_forbids_requests_and_scripts_and_says_what_it_shows():
    page = gallery.figure("residual_chain_3").html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    tags = {tag for tag, *_ in Tags(page).found}
    assert not tags & {"script", "link", "img", "iframe", "object", "base"}
    assert not re.search(r"src=|href=(?!\"#)|url\(|@import", page)
    assert 'lang="en"' in page and 'role="img"' in page and "@page" in page
    assert "8 gradient paths lead from" in page.split("<figcaption>")[1]
