"""What is looked at, on helper threads of the daemon: outputs, JUnit XML, the checklist before deployment."""
