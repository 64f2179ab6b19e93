"""What tests of the command share: a run that must fail, and the words of a figure it wrote."""

import xml.etree.ElementTree as ET

from tinygrad_res.cli import main


def fails(capsys, *arguments):
    """Run a command that must fail, and return the one line that it says."""
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("tinygrad-res: error: ")
    return line.removeprefix("tinygrad-res: error: ")


def shown(path):
    """Return the words of a picture in SVG."""
    return " ".join(ET.parse(path).getroot().itertext())
