"""Any recorded graph: operations along its longest path, shortcuts above, the rest below.

``view`` says what is drawn, ``folds`` which nodes share a box, ``spine`` and ``places`` where boxes stand, ``routes`` and
``lines`` how edges run between them, ``scopes`` which frames stand around them; ``figure``
puts it together.
"""
