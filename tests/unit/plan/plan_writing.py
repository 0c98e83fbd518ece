"""Plans for property tests: random ones, and a writer of TOML that knows the line of each key it writes."""

import json
import random
from typing import Any

from hypothesis import strategies as st

KeyPath = tuple[str | int, ...]

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
texts = st.text(st.characters(exclude_characters="\0{", exclude_categories=["Cs"]), max_size=60)
durations = st.one_of(st.integers(1, 100_000), st.sampled_from(["90s", "10m", "1h30m", "250ms"]))


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """A plan that can be run, as the data of its TOML file."""
    agent_names = draw(st.lists(names, min_size=1, max_size=8, unique=True))
    task_names = draw(st.lists(names, max_size=8, unique=True))
    wave_names = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    waves: list[dict[str, Any]] = [{"name": name, "agent": [], "task": []} for name in wave_names]
    of_wave: list[list[str]] = [[] for _ in waves]
    for position, name in enumerate(agent_names):
        index = position if position < len(waves) else draw(st.integers(0, len(waves) - 1))
        if index >= len(waves):
            continue
        agent: dict[str, Any] = {"name": name, "command": draw(st.sampled_from([["true"], "true | cat"]))}
        earlier = [each for wave in of_wave[: index + 1] for each in wave]
        if earlier:
            agent["needs"] = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True))
        if draw(st.booleans()):
            agent |= {"prompt": draw(texts), "timeout": draw(durations), "owns": ["docs/**", "{a,b}/*.md"]}
        if draw(st.booleans()):
            agent["produces"] = ["x.md", {"path": "y/*.md", "min_size": "2KB"}]
            agent["env"] = {"set": {"A": draw(texts)}, "pass": ["AWS_*"]}
        waves[index]["agent"].append(agent)
        of_wave[index].append(name)
    waves = [wave for wave in waves if wave["agent"]]
    done: list[str] = []
    for name in task_names:
        wave = waves[min(len(waves) - 1, len(done) // 3)]
        task: dict[str, Any] = {"name": name, "prompt": draw(texts)}
        task["agent"] = draw(st.sampled_from([agent["name"] for agent in wave["agent"]]))
        wave["task"].append(task)
        done.append(name)
    return {"session": {"name": "s", "instructions": draw(texts), "vars": {"a b": draw(texts)}}, "wave": waves}


class Writer:
    """Writes TOML in many layouts: tables, inline tables, dotted keys, long strings, comments in odd places."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lines: list[str] = [""]
        self.where: dict[KeyPath, int] = {}

    def write(self, data: dict[str, Any]) -> str:
        self._table(data, ())
        return "\n".join(self._lines)

    def _put(self, text: str) -> None:
        first, *rest = text.split("\n")
        self._lines[-1] += first
        self._lines += rest

    def _newline(self) -> None:
        self._put(self._random.choice(["\n", "\n\n", " # [[wave]] name = \"x\" '''\n", "\n# a = {\n", "\n\t \n"]))

    def _note(self, path: KeyPath) -> None:
        self.where.setdefault(path, len(self._lines))

    def _table(self, data: dict[str, Any], path: KeyPath) -> None:
        later = []
        for key, value in data.items():
            if self._as_header(value):
                later.append((key, value))
            else:
                self._pair(key, value, (*path, key), newlines=True)
                self._newline()
        for key, value in later:
            for number, table in enumerate(value if isinstance(value, list) else [value]):
                header = ".".join(self._key(part) for part in (*path, key) if isinstance(part, str))
                self._note((*path, key))
                if isinstance(value, list):
                    self._note((*path, key, number))
                    self._put(f"[[ {header} ]]")
                    self._newline()
                    self._table(table, (*path, key, number))
                else:
                    self._put(f"[{header}]")
                    self._newline()
                    self._table(table, (*path, key))

    def _as_header(self, value: object) -> bool:
        if isinstance(value, dict):
            return self._random.random() < 0.5
        tables = isinstance(value, list) and value and all(isinstance(each, dict) for each in value)
        return bool(tables) and self._random.random() < 0.8

    def _pair(self, key: str, value: Any, path: KeyPath, *, newlines: bool) -> None:
        self._note(path)
        self._put(self._key(key))
        while isinstance(value, dict) and len(value) == 1 and self._random.random() < 0.3:
            [(key, value)] = value.items()
            path = (*path, key)
            self._note(path)
            self._put(" . " + self._key(key))
        self._put(self._random.choice([" = ", "=", "\t=  "]))
        self._value(value, path, newlines=newlines)

    def _key(self, key: str) -> str:
        if key.isascii() and key.replace("-", "").replace("_", "").isalnum() and self._random.random() < 0.8:
            return key
        return f"'{key}'" if self._random.random() < 0.5 and key.isprintable() and "'" not in key else _text(key)

    def _value(self, value: Any, path: KeyPath, *, newlines: bool) -> None:
        if isinstance(value, dict):
            self._put("{ ")
            for number, (key, each) in enumerate(value.items()):
                self._put(", " if number else "")
                self._pair(key, each, (*path, key), newlines=False)
            self._put(" }")
        elif isinstance(value, list):
            self._put("[")
            for number, each in enumerate(value):
                if newlines and self._random.random() < 0.5:
                    self._newline()
                self._note((*path, number))
                self._value(each, (*path, number), newlines=newlines)
                self._put("," if newlines or number < len(value) - 1 else "")
            if newlines and self._random.random() < 0.5:
                self._newline()
            self._put("]")
        elif isinstance(value, str):
            self._text(value, newlines=newlines)
        else:
            self._put(json.dumps(value))

    def _text(self, value: str, *, newlines: bool) -> None:
        kind = self._random.random()
        plain = all(each.isprintable() or each in "\n\t" for each in value)
        if newlines and plain and kind < 0.3 and "'''" not in value and not value.endswith("'"):
            self._put(f"'''\n{value}'''")
        elif newlines and plain and kind < 0.6:
            escaped = value.replace("\\", "\\\\").replace('"""', '""\\"')
            closing = "" if not escaped.endswith('"') or escaped.endswith('\\"') else "\\\n   "
            self._put(f'"""\n{escaped}{closing}"""')
        elif plain and "'" not in value and "\n" not in value and kind < 0.8:
            self._put(f"'{value}'")
        else:
            self._put(_text(value))


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
