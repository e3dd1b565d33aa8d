"""Upload of an exported folder to the hub, with the login that the user has."""

from collections.abc import Sequence
from pathlib import Path

from suite.errors import UserError
from suite.run.exported import asked, import_extra, of_hub


def check_push(push: str) -> str:
    """The name on the hub, owner/name. Raises UserError for another, and where nothing could be uploaded from here."""
    name = push.removeprefix("hf://")
    hub = of_hub(f"hf://{name}")
    if hub is None or hub.revision:
        raise UserError(f"push={push}: say push=owner/name")
    import_extra("huggingface_hub", "hub", f"push={push}")
    from huggingface_hub import get_token

    if get_token() is None:
        raise UserError(f"push={push}: you are not logged in: run `hf auth login`, or set HF_TOKEN")
    return name


def upload(folder: Path, names: Sequence[str], name: str, private: bool, overwrite: bool) -> str:
    """Upload those files of the folder, as one commit. Where they are now. Raises UserError.

    overwrite: also to a model that is already there; its other files stay.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars

    from suite.run.cli import on_terminal

    if not on_terminal():
        disable_progress_bars()
    hub = HfApi()
    there = f"push={name}"
    failed = "failed" + ("" if overwrite else " (overwrite=true replaces what is already there)")
    place = asked(there, lambda: hub.create_repo(name, private=private, exist_ok=overwrite), failed)
    asked(
        there,
        lambda: hub.upload_folder(
            repo_id=name, folder_path=folder, allow_patterns=list(names), commit_message="Export of suite"
        ),
        "failed, and the folder is written",
    )
    return str(place)
