"""Reads what ``longhaul embed`` wrote.

    import longhaul

    run = longhaul.open("OUT")
    run.vectors          # rows x dimension, a read-only memory map; row i is record i of the input
    run.records          # records.csv as a pandas DataFrame, row for row
    run.ok               # which rows have a vector of their own
    run.tokens(7)        # the vectors of the residues of record 7
    run.to_anndata()     # the accepted records as an AnnData

An output that is not finished, or no output at all, is an ``OutputError`` that says what to do.
So is one that ``--update`` or ``--retry-rejects`` has changed since it was opened: a ``Run`` never
pairs records of one generation with vectors of another. Nothing is changed, and nothing but the
tables is read into memory before it is asked for.
"""

from longhaul._run import Array, NotFinishedError, OutputError, Run, open

__all__ = ["Array", "NotFinishedError", "OutputError", "Run", "open"]
