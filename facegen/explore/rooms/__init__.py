"""The rooms of the page, one package each."""
