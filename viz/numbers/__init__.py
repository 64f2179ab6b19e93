"""Networks number by number: circles in columns, a derivative on every edge.

``subject`` says what is drawn, ``network``, ``columns`` and ``arrays`` where numbers stand,
``wires``, ``ports`` and ``junctions`` how edges run and where their labels stand, ``names``,
``symbols`` and ``factors`` what is written, ``rows`` and ``formula_lines`` what stands below;
``figure`` puts it together, and ``forward`` draws the forward pass as a sum over paths.
"""
