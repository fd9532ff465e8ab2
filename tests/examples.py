"""How many examples the property tests try: few in each run, thousands with `PORTCULLIS_EXAMPLES=5000`."""

import os

EXAMPLES = int(os.environ.get("PORTCULLIS_EXAMPLES", "60"))
