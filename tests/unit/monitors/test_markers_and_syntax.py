"""What is a merge conflict, and what is a file that no longer parses."""

from __future__ import annotations

import pytest

from waved.monitors import markers, syntax

CONFLICT = b"a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> branch\n"


@pytest.mark.parametrize(
    ("path", "data", "line"),
    [
        ("a.py", CONFLICT, 2),
        ("a.txt", CONFLICT.replace(b"\n", b"\r\n"), 2),
        ("a.txt", b"<<<<<<< a\n||||||| base\nx\n=======\ny\n>>>>>>> b\n", 1),
        ("README.md", CONFLICT, 2),
        ("README.md", b"Like this:\n\n```\n" + CONFLICT + b"```\n", 0),
        ("README.md", b"```\nno end\n```\n" + CONFLICT, 5),
        ("a.rst", b"Heading\n=======\n\n    <<<<<<< HEAD\n    =======\n    >>>>>>> x\n", 0),
        ("a.txt", b"=======\n>>>>>>> x\n<<<<<<< HEAD\n", 0),
        ("a.txt", b"<<<<<<< HEAD\n>>>>>>> x\n", 0),
        ("a.txt", b" <<<<<<< HEAD\n =======\n >>>>>>> x\n", 0),
        ("fix.patch", CONFLICT, 0),
        ("a.txt", b"<<<<<<<< HEAD\n=======\n>>>>>>> x\n", 0),
        ("tests/fixtures/conflict.txt", CONFLICT, 0),
        ("test_merge.py", b'TEXT = """\n' + CONFLICT + b'"""\n', 0),
        ("merge.py", b'TEXT = """\n' + CONFLICT + b'"""\n', 3),
    ],
)
def test_a_conflict_is_all_three_markers_in_order_at_the_start_of_lines(path: str, data: bytes, line: int) -> None:
    assert markers.find(path, data, parses=True) == line


def test_a_test_that_does_not_parse_has_a_real_conflict() -> None:
    assert markers.find("tests/test_a.py", CONFLICT, parses=False) == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "match x:\n    case 1:\n        pass\n"),
        ("new.py", "type Alias = int\n\n\ndef first[T](x: list[T]) -> T:\n    return x[0]\n"),
        ("old.py", "print 'hello'\n"),
        ("a.pyi", "def f(x: int = ...) -> None: ...\n"),
        ("latin.py", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        ("a.json", '\ufeff{"a": [1, 2, {"b": null}]}'),
        ("big.json", '{"a": ' + "1" * 5000 + "}"),
        ("tsconfig.json", '{\n  // comment, with "quotes"\n  "a": "http://x//y", /* more */\n  "b": [1, 2,],\n}\n'),
        (".vscode/settings.json", '{"a": 1, // c\n}'),
        ("a.jsonc", "/* a */ {}"),
        ("a.toml", "[a]\nb = 1979-05-27T07:32:00Z\n"),
        ("a.yaml", "a: !mine {b: c}\n---\nd: *x\n".replace("*x", "1")),
        ("a.ts", "export const a = <T,>(x: T): T => x satisfies T;\nenum E { A }\n"),
        ("a.tsx", "export const A = () => <div style={{ a: 1 }}>{x as string}</div>;\n"),
        ("a.js", "export default async function* f() { for await (const a of b?.c ?? []) yield a; }\n"),
        ("a.jsx", "const a = <A {...b}>text</A>;\n"),
        ("a.go", "package a\n\nfunc F[T any](x T) T { return x }\n"),
        ("a.rs", "pub async fn f<'a>(x: &'a str) -> Result<(), Box<dyn Error>> { Ok(()) }\n"),
        ("empty.json", "  \n"),
        ("a.txt", "( [ {"),
        ("{{cookiecutter.name}}/a.py", "import {{cookiecutter.name}}\n"),
    ],
)
def test_files_that_parse(path: str, text: str) -> None:
    data = text.encode("latin-1" if path == "latin.py" else "utf-8")
    assert syntax.broken(path, data) is None


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.py", "x = 1\ndef def f():\n    pass\n", 2),
        ("a.py", "x = 1\nif x:\npass\n", 3),
        ("a.py", "x = (1,\n", 1),
        ("a.py", "x = 1\0\n", 0),
        ("a.json", '{\n  "a": 1,\n}', 3),
        ("a.json", '{\n  // no\n  "a": 1}', 2),
        ("tsconfig.json", '{"a": }', 1),
        ("a.toml", "a = 1\nb = \n", 2),
        ("a.yaml", "a: 1\nb: [\n", 3),
        ("a.ts", "const a = 1;\nconst const b = 2;\n", 2),
        ("a.tsx", "const A = () => <div>{</div>;\n", 1),
        ("a.js", "const const b = 2;\n", 1),
        ("a.go", "package a\n\nfunc f( {\n", 3),
        ("a.rs", "fn f() -> { 1 }\n", 1),
    ],
)
def test_files_that_do_not(path: str, text: str, line: int) -> None:
    found = syntax.broken(path, text.encode())
    assert found is not None
    assert found.line == line or (line == 0 and found.reason)
    assert found.reason


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("chart/templates/a.yaml", b"{{- if .Values.x }}\na: [\n"),
        ("a.json", b'{"a": {% if x %}1{% endif %}}'),
        ("a.json", '{"a": 1}'.encode("utf-16")),
        ("lang.ts", b"<?xml version='1.0'?><TS/>"),
        ("film.ts", b"G\0\1\2" * 100),
        ("flow.js", b"// @flow\nconst a: ?number = (x: any);\n"),
        ("deep.json", b"[" * 200_000),
    ],
)
def test_what_cannot_be_told_is_not_called_broken(path: str, data: bytes) -> None:
    with pytest.raises(syntax.NotJudgedError):
        syntax.broken(path, data)
