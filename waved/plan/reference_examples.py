"""What the plan reference shows of each table: by the table's title, a part of a plan. The tests load every one."""

from __future__ import annotations

EXAMPLES: dict[str, str] = {
    "[session]": '''
[session]
name = "checkout"
timeout = "40m"
instructions = "Edit files directly. Keep every file under {{ vars.limit }} lines."
vars = { limit = "300" }
''',
    "[[wave]]": '''
[[wave]]
name = "execution"
timeout = "20m"
forbid_tools = ["mcp__context7__*", "WebFetch"]
gate = { commands = ["npm test"], on_failure = "retry" }
''',
    "[[wave.agent]]": '''
[[wave.agent]]
name = "backend"
use = "claude"
model = "sonnet"
prompt = "Add an endpoint for the cart."
owns = ["server/**"]
produces = ["docs/session/backend/*.md"]
timeout = "15m"
retries = 1

[[wave.agent]]
name = "schema-check"
command = ["./scripts/check-schema", "--strict"]    # any program can be an agent
needs = ["backend"]
''',
    "[[wave.task]]": '''
[[wave.task]]
name = "cart-api"
domain = "backend"
prompt = "Add an endpoint for the cart."

[[wave.task]]
name = "cart-page"
domain = "frontend"
requires = ["cart-api"]          # starts the moment cart-api has succeeded
prompt_file = "prompts/cart-page.md"
''',
    "[[responder]]": '''
[[responder]]
name = "extractor"
use = "claude"
prompt = "{{ finding.path }} has too many lines. Split it into modules; change nothing else."
timeout = "5m"

[[monitor]]
kind = "file-size"
paths = ["src/**/*.ts"]
reactions = [{ do = "start-agent", agent = "extractor" }]
''',
    "gate": '''
[wave.gate]
outputs = ["docs/session/**/*.md"]
commands = ["npm run lint", { run = "npm test", timeout = "5m" }]
on_failure = "retry"
retries = 2
''',
    "an entry of gate.commands": '''
[wave.gate]
commands = [
    "npm run build",
    { name = "tests", run = ["pytest", "-q", "--junitxml=report.xml"], junit = "report.xml", min_pass_rate = 0.95 },
]
''',
    "an entry of produces or gate.outputs": '''
[wave.gate]
outputs = ["README.md", { path = "docs/session/*.md", min_files = 3, min_size = "200B" }]
''',
    "env": '''
[session.env]
pass = ["AWS_*", "NPM_TOKEN"]              # from the environment of `wavectl run`
set = { NODE_ENV = "test" }
secrets = ["CUSTOMER"]                     # masked whatever its value looks like
''',
    "budget": '''
[[wave.agent]]
name = "porter"
use = "claude"
prompt = "Port the client to the new API."
budget = { tokens = 2_000_000, cost = "$5.00", soft = 0.8 }
''',
    "resources": '''
[session]
name = "nightly"
resources = { memory = "4GB", cpu = 2.0, processes = 512 }
''',
    "sandbox": '''
[session]
name = "nightly"
sandbox = "workspace"

[[wave.agent]]
name = "build"
command = "make"
sandbox = { network = false, home = "hide", write = ["~/.cache/build"] }
''',
    "[session.patience]": '''
[session.patience]
thinking = "15m"
tool = "1h"
''',
    "[session.documentation]": '''
[session.documentation]
tools = ["WebFetch", "mcp__context7__*"]
paths = ["docs/**"]
''',
    "[goals]": '''
[goals]
parallel_rate = 0.9
test_pass_rate = 1.0
cost = "$20"
''',
    "[snapshots]": '''
[snapshots]
include = [".env"]
max_file = "200MB"
''',
    "[preview]": '''
[preview]
command = "npm run dev -- --port $PORT"
url = "http://localhost:{port}/"
match = "<title>Shop</title>"
''',
    '[[monitor]] kind = "file-changes"': '''
[[monitor]]
kind = "file-changes"
interval = "2m"
''',
    '[[monitor]] kind = "corruption"': '''
[[monitor]]
kind = "corruption"
paths = ["src/**"]
exclude = ["src/vendor/**"]
patterns = ["const const"]
reactions = [{ do = ["rollback-file", "restart-agent"], times = 2 }, "hold"]
''',
    '[[monitor]] kind = "preview"': '''
[[monitor]]
kind = "preview"
reactions = [{ do = ["stop-all", "rollback-wave"] }, "hold"]
''',
    '[[monitor]] kind = "progress"': '''
[[monitor]]
kind = "progress"
after = "2m"
''',
    '[[monitor]] kind = "timeouts"': '''
[[monitor]]
kind = "timeouts"
warn_at = 0.9
''',
    '[[monitor]] kind = "file-size"': '''
[[monitor]]
kind = "file-size"
paths = ["**/*.{ts,tsx}"]
max_lines = 300
existing = "allow"
''',
    '[[monitor]] kind = "ownership"': '''
[[monitor]]
kind = "ownership"
reactions = ["alert", "rollback-file", "hold"]
''',
    '[[monitor]] kind = "command"': '''
[[monitor]]
name = "types"
kind = "command"
run = ["npx", "tsc", "--noEmit"]
interval = "30s"
''',
    "[[monitor]] of a kind that a plug-in adds": '''
[[monitor]]
kind = "licences"
paths = ["src/**"]
options = { word = "Apache-2.0" }
''',
    "an entry of reactions": '''
[[monitor]]
kind = "corruption"
reactions = [
    "alert",
    { do = ["rollback-file", "restart-agent"], times = 2 },
    { do = "start-agent", agent = "investigator" },
    "hold",
]
''',
    "[[notify]]": '''
[[notify]]
command = ["/usr/local/bin/page-me"]
severity = "critical"
''',
    "[report]": '''
[report]
folder = "docs/reports"
formats = ["html"]
change_log = "change_log.md"
''',
}  # fmt: skip
