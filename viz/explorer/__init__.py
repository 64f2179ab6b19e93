"""The path explorer: one HTML page, offline, in which every path of a set can be walked.

Python writes what the page is told (``data``, ``signs``), what it is worth (``worth``) and what it
draws with (``tiles`` for chains, ``map`` for other graphs, ``bars`` for degrees, ``formulas``).  The page
numbers the paths by itself (``numbers.js``), has one state (``state.js``) and shows it (``sum.js``,
``chain.js`` or ``graph.js``, ``rows.js``, with ``words.js`` and ``drawing.js``); ``page.js`` listens.
"""
