"""The one package that opens files of strangers: pictures, texts, pickles, torch checkpoints.

Whatever is in them, a function here returns what it promises or raises UserError, and nothing that
a file says is ever run: a pickle is taken apart by an interpreter that knows only plain containers,
numbers, strings and one empty class.
"""
