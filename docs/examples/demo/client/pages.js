// The documents the reader lists. The demo's agent `client-builder` fills in what the session has written.
const pages = [];
