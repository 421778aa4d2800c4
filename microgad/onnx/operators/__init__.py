"""The kernels by which `load` runs ONNX's operators, one function each and one module for each family.

A kernel takes the Node and its inputs, and returns the result or a tuple of results.
"""

from . import control as control
from . import elementwise as elementwise
from . import indexing as indexing
from . import layers as layers
from . import losses as losses
from . import movement as movement
from . import quantized as quantized
from . import recurrent as recurrent
from . import reduction as reduction
from . import window as window
