"""The address of the page: Gradio made to keep to this machine, and ended without anything left behind."""

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from suite.errors import UserError
from suite.run.extras import need

if TYPE_CHECKING:
    import gradio as gr

_MOST_UPLOADED = 1 << 28  # bytes of a file
# Gradio, and the library of the hub that it imports, would say what runs here; a proxy would be asked for this machine.
_SILENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}


def check_address(host: str, port: int) -> None:
    """Raises UserError where no page can be put there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as there:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            there.bind(address)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            raise UserError(
                f"port={port} is in use: end what runs there, or say another, as port={_next(port)}"
            ) from error
        if number == errno.EACCES:
            raise UserError(f"port={port} is not yours to use: say one above 1023, as port=7860") from error
        raise UserError(f"host={host} is no address of this machine: say 127.0.0.1, or 0.0.0.0 for all") from error


def _next(port: int) -> int:
    return port + 1 if port < 65535 else 7860


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """These variables of the environment, until the end."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def folder_of_page() -> Iterator[Path]:
    """A folder for what is uploaded and made, which goes in the end; Gradio is imported in it, and looks there.

    Raises UserError where Gradio is lacking.
    """
    with (
        tempfile.TemporaryDirectory(prefix="suite-demo-", ignore_cleanup_errors=True) as place,
        _environment(**_SILENT, GRADIO_TEMP_DIR=place),
    ):
        need("gradio", "demo", "suite.demo")
        yield Path(place)


@contextmanager
def served(page: "gr.Blocks", host: str, port: int, folder: Path) -> Iterator[str]:
    """The page under its address, until the end. Raises UserError where it can't be put there."""
    import gradio as gr

    from suite.demo_page.page import CSS, JS

    direct = ",".join(filter(None, (os.environ.get("NO_PROXY"), host, "localhost")))
    with _environment(NO_PROXY=direct):
        page.queue(api_open=False)
        try:
            _, address, _ = page.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                show_error=True,
                inline=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
                allowed_paths=[str(folder)],
                max_file_size=_MOST_UPLOADED,
                css=CSS,
                js=JS,
                theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
            )
        except OSError as error:
            raise UserError(
                f"host={host} port={port}: no page can be put there ({error}); say another port="
            ) from error
        try:
            yield address
        finally:
            page.close(verbose=False)
