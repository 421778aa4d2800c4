"""The rules by which `export` writes each Function as ONNX nodes, one module for each family of operations.

A rule takes the Writer `w` and the recorded Step and returns the Symbols of the results.
"""

from . import elementwise as elementwise
from . import indexing as indexing
from . import layers as layers
from . import losses as losses
from . import movement as movement
from . import recurrent as recurrent
from . import reduction as reduction
from . import window as window
