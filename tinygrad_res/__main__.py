"""``python -m tinygrad_res`` is the command ``tinygrad-res``."""

import sys

from .cli import main

sys.exit(main())
