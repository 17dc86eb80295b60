"""Agreement with the owners of files: ids, offsets and decoded text on real vocabularies and real text.

`owners` runs the libraries, `vocabularies` says which file belongs to whom, `documents` reads and makes texts, and
`compare` counts the documents that differ. `python -m parity`, with this folder's parent on the path, compares whole
files, keeps what it found, and writes the matrix in docs/formats.md; the tests compare a share of the same.
"""
