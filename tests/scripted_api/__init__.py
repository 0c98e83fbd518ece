"""A model API that says what a test has written down: Anthropic Messages, OpenAI chat and Responses, Gemini; loopback.

Real agent programs are run against it: what they print is real, what they cost is known to the token, and nothing
leaves the machine. `scenario` says what can be scripted, `server` serves it, `tools` turns "edit this file" into the
tools that each program offers; one module for each wire format.
"""

from tests.scripted_api.scenario import Call, Turn, Usage
from tests.scripted_api.server import ScriptedApi

__all__ = ["Call", "ScriptedApi", "Turn", "Usage"]
