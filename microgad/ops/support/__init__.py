"""What the operations have in common: blocks, memory layouts, `out=`, spellings of arguments, bare arrays."""
