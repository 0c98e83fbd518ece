"""The command line of each agent program, word for word: what a plan's author relies on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from waved.agents.activity import Result, Said
from waved.agents.base import LONGEST_ARGUMENT, Deployment, Invocation, Login, Program, fits_argument, unless_given
from waved.agents.registry import BUILT_IN, find_program
from waved.errors import PlanError

WORKSPACE = Path("/repo")
FOLDER = Path("/state/runs/a.1")


def deploy(program: str, **options: object) -> Invocation:
    given: dict[str, object] = {
        "command": None,
        "args": [],
        "model": None,
        "prompt": "Fix it.",
        "prompt_path": FOLDER / "prompt.md",
        "workspace": WORKSPACE,
        "cwd": WORKSPACE,
        "folder": FOLDER,
        "attempt": 1,
    }
    return find_program(program).invocation(Deployment(**{**given, **options}))  # type: ignore[arg-type]


LONG = "é" * LONGEST_ARGUMENT
CLAUDE = ["claude", "-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits"]
CODEX = ["codex", "exec", "--json", "--skip-git-repo-check", "--sandbox", "workspace-write"]
QWEN = ["qwen", "--output-format", "stream-json", "--approval-mode"]
MINI = ["mini", "--yolo", "--exit-immediately", "--output", "/state/runs/a.1/mini.traj.json"]
GOOSE = ["goose", "run", "--instructions", "/state/runs/a.1/prompt.md", "--output-format", "stream-json", "--quiet"]
GOOSE = [*GOOSE, "--name"]
NEVER = ["--config", 'approval_policy="never"']
GEMINI = ["gemini", "--output-format", "stream-json", "--approval-mode", "auto_edit", "--skip-trust"]


@pytest.mark.parametrize(
    ("program", "options", "argv", "stdin"),
    [
        ("command", {"command": ["make", "-j", "a b"]}, ["make", "-j", "a b"], None),
        ("command", {"command": ["make"], "args": ["x"]}, ["make", "x"], None),
        ("command", {"command": "make && true"}, ["/bin/sh", "-c", "make && true"], None),
        ("command", {"command": 'echo "$@"', "args": ["$(id)"]}, ["/bin/sh", "-c", 'echo "$@"', "sh", "$(id)"], None),
        ("claude", {}, [*CLAUDE, "--", "Fix it."], None),
        ("claude", {"prompt": "--help"}, [*CLAUDE, "--", "--help"], None),
        (
            "claude",
            {"model": "opus", "args": ["--allowedTools", "Bash"], "cwd": WORKSPACE / "web"},
            [*CLAUDE, "--add-dir", "/repo", "--model", "opus", "--allowedTools", "Bash", "--", "Fix it."],
            None,
        ),
        (
            "claude",
            {"args": ["--permission-mode=plan", "--verbose", "--output-format", "text"]},
            ["claude", "-p", "--permission-mode=plan", "--verbose", "--output-format", "text", "--", "Fix it."],
            None,
        ),
        ("claude", {"prompt": LONG}, CLAUDE, LONG.encode()),
        ("claude", {"money_left": 1.5}, [*CLAUDE, "--max-budget-usd", "1.5000", "--", "Fix it."], None),
        ("claude", {"money_left": 0.0}, [*CLAUDE, "--max-budget-usd", "0.0001", "--", "Fix it."], None),
        (
            "claude",
            {"money_left": 1.5, "args": ["--max-budget-usd=1"]},
            [*CLAUDE, "--max-budget-usd=1", "--", "Fix it."],
            None,
        ),
        ("codex", {}, [*CODEX, *NEVER, "-"], b"Fix it."),
        ("codex", {"prompt": LONG}, [*CODEX, *NEVER, "-"], LONG.encode()),
        (
            "codex",
            {"model": "o5", "cwd": WORKSPACE / "web", "args": ["--ephemeral"]},
            [*CODEX, *NEVER, "--add-dir", "/repo", "--model", "o5", "--ephemeral", "-"],
            b"Fix it.",
        ),
        (
            "codex",
            {"args": ["--dangerously-bypass-approvals-and-sandbox"]},
            [*CODEX[:4], "--dangerously-bypass-approvals-and-sandbox", "-"],
            b"Fix it.",
        ),
        ("codex", {"args": ["-s", "read-only"]}, [*CODEX[:4], *NEVER, "-s", "read-only", "-"], b"Fix it."),
        ("opencode", {}, ["opencode", "run", "--format", "json"], b"Fix it."),
        (
            "opencode",
            {"model": "openai/o5", "args": ["--auto"]},
            ["opencode", "run", "--format", "json", "--model", "openai/o5", "--auto"],
            b"Fix it.",
        ),
        ("gemini", {}, [*GEMINI, "--prompt=Fix it."], None),
        ("gemini", {"permissions": "read"}, [*GEMINI[:4], "plan", "--skip-trust", "--prompt=Fix it."], None),
        (
            "gemini",
            {"permissions": "all", "resume": "s1"},
            [*GEMINI[:4], "yolo", "--skip-trust", "--resume", "s1", "--prompt=Fix it."],
            None,
        ),
        (
            "claude",
            {"permissions": "read"},
            [*CLAUDE[:6], "dontAsk", "--disallowedTools=Edit,Write,NotebookEdit", "--", "Fix it."],
            None,
        ),
        (
            "claude",
            {"permissions": "all", "resume": "s1"},
            [*CLAUDE[:6], "bypassPermissions", "--resume", "s1", "--", "Fix it."],
            None,
        ),
        ("claude", {"resume": "s1", "args": ["--continue"]}, [*CLAUDE, "--continue", "--", "Fix it."], None),
        ("codex", {"permissions": "read"}, [*CODEX[:5], "read-only", *NEVER, "-"], b"Fix it."),
        (
            "codex",
            {"permissions": "all", "resume": "t1", "args": ["--ephemeral"]},
            [*CODEX[:5], "danger-full-access", *NEVER, "--ephemeral", "resume", "t1", "-"],
            b"Fix it.",
        ),
        (
            "opencode",
            {"permissions": "all", "resume": "s1"},
            ["opencode", "run", "--format", "json", "--auto", "--session", "s1"],
            b"Fix it.",
        ),
        ("qwen", {}, [*QWEN, "auto-edit", "--prompt=Fix it."], None),
        ("qwen", {"permissions": "read", "prompt": LONG}, [*QWEN, "plan"], LONG.encode()),
        (
            "qwen",
            {"permissions": "all", "resume": "s1", "model": "m", "cwd": WORKSPACE / "web"},
            [*QWEN, "yolo", "--include-directories", "/repo", "--model", "m", "--resume", "s1", "--prompt=Fix it."],
            None,
        ),
        ("mini", {"model": "openai/m"}, [*MINI, "--model", "openai/m", "--task", "Fix it."], None),
        (
            "mini",
            {"prompt": LONG, "args": ["--cost-limit", "1"]},
            [
                *(*MINI, "--cost-limit", "1", "--task"),
                "Your task stands in the file /state/runs/a.1/prompt.md: read all of it first.",
            ],
            None,
        ),
        ("goose", {}, [*GOOSE, "waved-state-a.1"], None),
        ("goose", {"resume": "waved-x-a.1"}, [*GOOSE, "waved-x-a.1", "--resume"], None),
        ("gemini", {"prompt": LONG}, GEMINI, LONG.encode()),
        (
            "gemini",
            {"model": "pro", "args": ["--yolo"], "cwd": WORKSPACE / "web"},
            [
                *GEMINI[:3],
                "--skip-trust",
                "--include-directories",
                "/repo",
                "--model",
                "pro",
                "--yolo",
                "--prompt=Fix it.",
            ],
            None,
        ),
        (
            "aider",
            {"model": "openai/o5", "args": ["--auto-commits", "main.py"], "prompt": LONG},
            [
                *("aider", "--message-file", "/state/runs/a.1/prompt.md", "--yes-always"),
                *("--no-stream", "--no-pretty", "--no-fancy-input"),
                *("--no-check-update", "--no-show-release-notes", "--no-analytics", "--disable-playwright"),
                *("--no-auto-commits", "--no-dirty-commits", "--no-gitignore"),
                *("--analytics-log", "/state/runs/a.1/aider.jsonl"),
                *("--chat-history-file", "/state/runs/a.1/aider.chat.md"),
                *("--input-history-file", "/state/runs/a.1/aider.input"),
                *("--model", "openai/o5", "--auto-commits", "main.py"),
            ],
            None,
        ),
    ],
)
def test_command_line(program: str, options: dict[str, object], argv: list[str], stdin: bytes | None) -> None:
    invocation = deploy(program, **options)
    assert invocation.argv == argv
    assert invocation.stdin == stdin


@pytest.mark.parametrize(
    ("program", "env"),
    [
        ("aider", {}),
        ("claude", {"DISABLE_AUTOUPDATER": "1"}),
        ("codex", {}),
        ("command", {}),
        ("gemini", {}),
        ("goose", {"GOOSE_MODE": "auto"}),
        ("mini", {"MSWEA_CONFIGURED": "true", "MSWEA_SILENT_STARTUP": "1"}),
        ("qwen", {}),
        ("opencode", {"OPENCODE_DISABLE_AUTOUPDATE": "true"}),
    ],
)
def test_environment_set_for_a_run(program: str, env: dict[str, str]) -> None:
    assert deploy(program, command=["true"] if program == "command" else None).env == env


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_prompt_makes_a_word_the_kernel_refuses(name: str) -> None:
    for prompt in ("x" * 300_000, "a\0b", "\ud800"):
        invocation = deploy(name, prompt=prompt, command=["true"] if name == "command" else None)
        assert all(len(word.encode("utf-8", "replace")) < 128 * 1024 and "\0" not in word for word in invocation.argv)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_programs_have_the_shape_of_one(name: str) -> None:
    program = find_program(name)
    assert isinstance(program, Program)
    assert program.name == name
    assert bool(program.executable) == bool(program.install_hint) == (name != "command")


@pytest.mark.parametrize("name", ["mini", "goose"])
def test_permissions_that_cannot_be_kept_are_refused(name: str) -> None:
    with pytest.raises(PlanError, match=f'{name} cannot be held to permissions = "read"'):
        deploy(name, permissions="read")


def test_opencode_is_held_to_reading_by_its_environment() -> None:
    assert deploy("opencode", permissions="read").env["OPENCODE_PERMISSION"] == '{"edit":"deny","bash":"deny"}'


def test_aider_only_answers_when_it_may_only_read() -> None:
    argv = deploy("aider", permissions="read").argv
    assert argv[argv.index("--chat-mode") + 1] == "ask"


@pytest.mark.parametrize(
    ("name", "variable", "file"),
    [
        ("claude", "CLAUDE_CODE_OAUTH_TOKEN", ".claude/.credentials.json"),
        ("codex", "CODEX_API_KEY", ".codex/auth.json"),
        ("gemini", "GEMINI_API_KEY", ".gemini/oauth_creds.json"),
        ("qwen", "OPENAI_API_KEY", ".qwen/oauth_creds.json"),
        ("opencode", "GROQ_API_KEY", ".local/share/opencode/auth.json"),
        ("aider", "DEEPSEEK_API_KEY", ".aider.conf.yml"),
        ("mini", "MISTRAL_API_KEY", ".config/mini-swe-agent/.env"),
        ("goose", "OPENROUTER_API_KEY", ".config/goose/config.yaml"),
    ],
)
def test_whether_a_program_can_log_in(name: str, variable: str, file: str, tmp_path: Path) -> None:
    program = find_program(name)
    missing = program.login_check({}, tmp_path)
    assert missing.ok is False
    assert missing.detail
    assert program.login_check({variable: "secret"}, tmp_path) == Login(True, variable)
    assert program.login_check({variable: ""}, tmp_path).ok is False
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("secret")
    found = program.login_check({}, tmp_path)
    assert found.ok is True
    assert "secret" not in found.detail


def test_credentials_of_others_are_not_passed() -> None:
    # A nested claude that sees these believes it runs inside the session waved was started from.
    from fnmatch import fnmatchcase

    for name in BUILT_IN:
        for variable in ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT", "CODEX_SANDBOX", "AWS_SECRET"):
            assert not any(fnmatchcase(variable, glob) for glob in find_program(name).passes), (name, variable)


@pytest.mark.parametrize("command", [None, [], ""])
def test_a_run_without_a_command_is_refused(command: object) -> None:
    with pytest.raises(PlanError, match="no command"):
        deploy("command", command=command)


def test_shell_arguments_are_text_and_not_code() -> None:
    argv = deploy("command", command='printf %s "$1"', args=["$(echo no); `echo no`"]).argv
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "$(echo no); `echo no`"


def test_fits_argument_counts_bytes() -> None:
    assert fits_argument("x" * LONGEST_ARGUMENT)
    assert not fits_argument("é" * LONGEST_ARGUMENT)
    assert not fits_argument("\0")


def test_unless_given_knows_both_spellings() -> None:
    assert unless_given(["--other"], "--mode", "a") == ["--mode", "a"]
    assert unless_given(["--mode", "b"], "--mode", "a") == []
    assert unless_given(["--mode=b"], "--mode", "a") == []
    assert unless_given(["-m", "b"], "--mode", "a", instead=["-m"]) == []
    assert unless_given(["--modes"], "--mode", "a") == ["--mode", "a"]


DOCS = (Path(__file__).parents[3] / "docs/agents.md").read_text()


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_page_on_agent_programs_tells_the_truth(name: str) -> None:
    program = find_program(name)
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}` | `{name} ") or name == "command")
    if name not in ("aider", "command", "goose", "mini"):
        options = deploy(name).argv
        written = row.split("|")[2].strip().strip("`").replace('"', "").split()
        assert written == [word.replace('"', "") for word in options[: len(written)]]
    assert [glob for glob in program.passes if f"`{glob}`" not in DOCS] == []
    assert program.install_hint.removeprefix("install it with: ") in DOCS


def test_the_example_of_a_plug_in_on_that_page_works() -> None:
    import re

    program_example, reader_example = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names: dict[str, type] = {}
    exec(program_example, names)
    exec(reader_example, names)
    program = names["GanderProgram"]()
    assert isinstance(program, Program)
    deployment = Deployment(None, ["-q"], None, "Fix it.", FOLDER / "prompt.md", WORKSPACE, WORKSPACE, FOLDER, 1)
    assert program.invocation(deployment).argv == ["gander", "run", "--instructions", "/state/runs/a.1/prompt.md", "-q"]
    reader = names["GanderReader"]()
    assert reader.feed(b'{"type":"text","text":"Hello."}\n{"type":"done","ok":true}\n') == [
        Said("Hello."),
        Result(True),
    ]
    assert reader.judge(0, None).ok is True
