"""How things are shown: plain text with colour where a terminal takes it; `live` draws it over and over."""
