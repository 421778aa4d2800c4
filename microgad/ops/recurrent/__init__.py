"""Recurrent networks: Elman networks, long short-term memory, gated recurrent units; whole layers and single cells."""

# isort: skip_file
from .cells import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell
from .gru import Gru
from .lstm import Lstm
from .rnn import Rnn
from .layers import gru, lstm, rnn_relu, rnn_tanh  # last, since the modules gru and lstm have these names, too
