"""Draw a tape: choose what is shown, write it as DOT or Mermaid, and render it with Graphviz."""
