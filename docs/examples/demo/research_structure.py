"""Research agent: how the code is built: rooms, modules, what they define, and who imports whom."""

from __future__ import annotations

import source
from markdown import Document, quoted
from session import DOCUMENTS, WORKSPACE


def import_lines(modules: list[source.Module]) -> dict[tuple[str, str], int]:
    """How often a room imports another, by (importing, imported) room."""
    room_of = {module.name: module.room for module in modules}
    counted: dict[tuple[str, str], int] = {}
    for module in modules:
        for target in module.imports:
            other = room_of.get(target) or room_of.get(target.rpartition(".")[0])
            if other and other != module.room:
                counted[module.room, other] = counted.get((module.room, other), 0) + 1
    return counted


def main() -> None:
    """Writes docs/session/structure/*.md."""
    modules = source.modules()
    print(f"read {len(modules)} modules, {sum(module.lines for module in modules)} lines", flush=True)
    rooms = source.by_room(modules)
    overview = Document("Structure").paragraph(f"{len(modules)} modules in {len(rooms)} rooms.")
    overview.table(
        ("room", "modules", "lines", "classes", "functions"),
        [
            (
                f"`{room}`",
                len(members),
                sum(module.lines for module in members),
                sum(type(node).__name__ == "ClassDef" for module in members for node in module.definitions),
                sum(1 for module in members for _ in source.functions(module)),
            )
            for room, members in rooms.items()
        ],
    )
    for room, members in rooms.items():
        overview.heading(room).table(
            ("module", "lines", "subject"),
            [(f"`{module.name}`", module.lines, quoted(module.summary)) for module in members],
        )
    overview.write(DOCUMENTS / "structure" / "modules.md")

    imports = Document("Imports").paragraph("How many modules of one room import something of another.")
    counted = sorted(import_lines(modules).items())
    imports.table(("room", "imports", "times"), [(f"`{a}`", f"`{b}`", times) for (a, b), times in counted])
    written = imports.write(DOCUMENTS / "structure" / "imports.md")
    print(f"wrote {written.relative_to(WORKSPACE)}")


if __name__ == "__main__":
    main()
