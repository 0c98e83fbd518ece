"""How clients and the daemon talk: wire format, server."""
