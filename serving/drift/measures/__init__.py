"""How far two distributions lie apart, a measure a file; all take the bins of `schemas/models.py`."""
