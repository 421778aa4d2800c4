"""What runs ONNX's operators: a table, a function an operator, a file a family."""

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
