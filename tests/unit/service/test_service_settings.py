"""The configuration file: where it is, what it may say, and how mistakes are told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from waved.errors import ConfigError
from waved.settings import Listen, LogSettings, MetricsSettings, Settings, TracesSettings, find, listen_at, load

SHIPPED = Path(__file__).parents[3] / "systemd" / "waved.toml"


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "waved.toml") == Settings()
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load(tmp_path / "waved.toml", required=True)


def test_what_a_file_says_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "waved.toml"
    path.write_text(
        'on_stop = "detach"\nsocket_group = "staff"\n[log]\nfile = "/var/log/x"\nmax_size = "1MB"\nkeep = 2\n'
    )
    log = LogSettings(file="/var/log/x", max_size="1MB", keep=2)  # type: ignore[arg-type]
    assert load(path) == Settings(on_stop="detach", socket_group="staff", log=log)
    assert log.max_size == 1024**2


def test_the_shipped_file_opens_the_socket_to_the_services_group() -> None:
    assert load(SHIPPED) == Settings(socket_group="waved")
    commented = [
        line.removeprefix("# ") for line in SHIPPED.read_text().splitlines() if re.match(r"# (\[|\w+ = )", line)
    ]
    whole = tomllib.loads("\n".join(commented))
    assert Settings.model_validate(whole) == Settings(
        listen="tcp://127.0.0.1:7417",
        log=LogSettings(file="/var/log/waved/waved.log"),
        metrics=MetricsSettings(listen="127.0.0.1:9417"),
        traces=TracesSettings(endpoint="http://127.0.0.1:4318"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('on_stopp = "stop"\n', ':1: on_stopp: unknown key; did you mean "on_stop"?'),
        ('\non_stop = "never"\n', ':2: on_stop: must be one of "stop", "detach"; found "never"'),
        ('[log]\nfile = "here.log"\n', ":2: log.file: must be an absolute path"),
        ('[log]\nmax_size = "1KB"\n', ":2: log.max_size: must be at least 65536; found"),
        ('listen = "127.0.0.1:7417"\n', ':1: listen: must be an address as "tcp://127.0.0.1:7417", with a port'),
        ('listen = "tcp://127.0.0.1:70000"\n', ":1: listen: must be an address"),
        ('[metrics]\nlisten = "0.0.0.0:9417"\n', ":1: metrics: listen: other machines may reach 0.0.0.0:9417"),
        ('[metrics]\nlisten = "host.example:9417"\n', "a loopback address or a socket is expected, or `public = true`"),
        ('[metrics]\nlisten = "[::]:9417"\n', "other machines may reach [::]:9417"),
        ('[metrics]\nlisten = "9417"\n', "must be an absolute path of a socket, or HOST:PORT"),
        ('[metrics]\nlisten = "127.0.0.1:0"\n', "must be an absolute path of a socket, or HOST:PORT"),
        ('[traces]\nendpoint = "127.0.0.1:4318"\n', ':2: traces.endpoint: must be an address as "http://127.0.0.1'),
        ('[traces]\nendpoint = "http://me:secret@c/"\n', "without user and password"),
        ("on_stop = stop\n", ": not TOML: Invalid value"),
        ("\xff", " is not UTF-8 text"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "waved.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message


def test_where_it_is_looked_for() -> None:
    home = {"HOME": "/home/a"}
    assert find(home) == Path("/home/a/.config/waved/waved.toml")
    assert find({**home, "XDG_CONFIG_HOME": "/x"}) == Path("/x/waved/waved.toml")
    assert find({**home, "CONFIGURATION_DIRECTORY": "/etc/waved:/etc/b"}) == Path("/etc/waved/waved.toml")
    assert find({"WAVED_CONFIG": "/c.toml", "CONFIGURATION_DIRECTORY": "/etc/waved"}) == Path("/c.toml")


def test_where_figures_are_told(tmp_path: Path) -> None:
    path = tmp_path / "waved.toml"
    for here in ("127.0.0.1:9417", "[::1]:9417", "localhost:9417", "127.8.8.8:9417", "/run/waved/metrics.sock"):
        path.write_text(f'[metrics]\nlisten = "{here}"\n')
        assert load(path).metrics.listen == here
    path.write_text('[metrics]\nlisten = "0.0.0.0:9417"\npublic = true\n')
    assert load(path).metrics.public
    assert listen_at("[::1]:9417") == Listen(host="::1", port=9417)
    assert listen_at("/run/m.sock") == Listen(Path("/run/m.sock"))
