"""How rows are chosen, selected and made resources of answers."""
