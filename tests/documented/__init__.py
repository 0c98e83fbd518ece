"""What the documents tell a reader to type and to run is typed and run: commands in scenes, plans to their end."""
