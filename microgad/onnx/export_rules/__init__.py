"""How each Function is written in ONNX: a table, a rule an operation, a file a family."""

from . import elementwise as elementwise
from . import indexing as indexing
from . import layers as layers
from . import losses as losses
from . import movement as movement
from . import recurrent as recurrent
from . import reduction as reduction
from . import window as window
